package cli

import "strings"

const flagsPage = `# All flags

<!-- Made from the flags by make docs. -->

    envoy-wait [flags] [--] [command [args...]]

Flags end at ` + "`--`" + ` or at the first word that is not a flag. All words after that are the command's, unchanged.

A flag wins over its variable, and the variable over the default. An empty variable counts as unset. A value that
cannot work is an error before the wait, with exit status 125. An unknown variable ` + "`ENVOY_WAIT_…`" + ` gets a warning.
A flag of yes or no needs no value; ` + "`--quit=false`" + ` says no.
{{range .Groups}}
## {{.Name}}

| flag | meaning | values | default | variable |
|---|---|---|---|---|
{{- range .Flags}}
| ` + "`--{{.Name}}`" + ` | {{cell .Help}} | {{value .}} | {{cell .Default}} | {{with .Variable}}` + "`{{.}}`" + `{{end}} |
{{- end}}
{{end}}
## URLs

| URL | ready when |
|---|---|
| ` + "`http://host:port/path`, `https://host:port/path`" + ` | the HTTP status is one of ` + "`--ready-status`" + ` |
| ` + "`unix:///path/to/socket:/ready`" + ` | the same, asked over a Unix socket |
| ` + "`tcp://host:port`" + ` | a connection is accepted |
| ` + "`file:///path`" + ` | the file is there and not empty |

In a variable, commas separate URLs. Several URLs must all be ready, each of them once.
Redirects are not followed, and variables such as ` + "`HTTP_PROXY`" + ` are not read.

## Presets

A preset is what ` + "`--sidecar`" + ` stands for. ` + "`--url`, `--ready-status` and `--quit-url`" + ` replace its parts.

| sidecar | readiness URL | ready status | quit URL | note |
|---|---|---|---|---|
{{- range .Presets}}
| ` + "`{{.Name}}`" + ` | ` + "`{{.Ready}}`" + ` | {{.Status}} | {{with .Quit}}` + "`{{.}}`" + `{{else}}none{{end}} | {{.Note}} |
{{- end}}

- **istio**: its agent answers 503 on port 15020 until Envoy is ready, and writes a warning for each 503. Envoy listens on
  port 15021 just before. So after the first 503 envoy-wait connects to 127.0.0.1:15021 again and again, and asks 15020 a
  quarter as often. Once 15021 accepts, envoy-wait asks 15020 at once. Only a 200 of 15020 starts the app. Where 15021 was
  moved, or the Pod has IPv6 only, the app starts up to 4 times ` + "`--interval`" + ` late. With ` + "`--url`" + ` envoy-wait ignores 15021.
- **envoy**: 9901 is only the port that Envoy's documentation uses. An Envoy without a control plane is ready after 15 s,
  unless its bootstrap sets ` + "`initial_fetch_timeout: 0s`" + `.
- **consul**: consul-k8s starts consul-dataplane with the port 20600. Elsewhere its default is 20300:
  ` + "`--quit-url http://127.0.0.1:20300/graceful_shutdown`" + `. A Pod ends up to 30 s after the request, which is the grace period
  of consul-k8s.
- **kuma**: kuma-cp itself ends the sidecar of a Job, so nothing has to quit it. Before 2.14 the port 9902 answers without
  an Envoy: use ` + "`--url http://localhost:9901/ready`" + ` there.
- **linkerd**: its shutdown endpoint is off by default. The Helm value ` + "`proxy.enableShutdownEndpoint=true`" + ` turns it on.
- **dapr**: the port is in the variable ` + "`DAPR_HTTP_PORT`" + ` of the Pod. A sidecar that has ` + "`DAPR_API_TOKEN`" + ` refuses the
  request to quit, since envoy-wait sends no token.
- **cloud-sql-proxy**: its readiness port needs ` + "`--health-check`" + `, its quit port ` + "`--quitquitquit`" + `. Ready means that it
  listens, not that the database answers.
`

const readmeFlags = `| flag | meaning | default |
|---|---|---|
{{- range .Flags}}
| ` + "`--{{.Name}}{{with .Placeholder}} {{cell .}}{{end}}`" + ` | {{cell .Help}} | {{if ne .Default "false"}}{{cell .Default}}{{end}} |
{{- end}}
`

// value says what a flag takes.
func value(flag Flag) string {
	kinds := map[string]string{
		"D":    "a duration, such as `90s` or `1m30s`",
		"LIST": "statuses from 200 to 599, or classes, with commas between them",
		"PATH": "a path",
		"URL":  "a URL, see below",
		"":     "",
	}
	switch {
	case flag.Switch:
		return "`true`, `false`"
	case len(flag.Values) > 0:
		return "`" + strings.Join(flag.Values, "`, `") + "`"
	default:
		return kinds[flag.Placeholder]
	}
}
