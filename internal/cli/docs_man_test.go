package cli

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// roff makes text for a line of its own: no character has a meaning, and - is
// the one that a shell takes.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}

// The order of the sections is that of mdoc(7).
const manPage = `.\" Made from the flags by make docs.
.Dd November 24, 2026
.Dt ENVOY-WAIT 1
.Os
.Sh NAME
.Nm envoy-wait
.Nd wait until the Envoy sidecar is ready, then become the command
.Sh SYNOPSIS
.Nm
.Op Ar flags
.Op Fl Fl
.Op Ar command Op Ar argument ...
.Sh DESCRIPTION
.Nm
stands in front of an app as the entrypoint of its container.
It polls the sidecar until that is ready, or a timeout expires, and then
becomes
.Ar command
by
.Xr execve 2 :
PID, parent, descriptors, standard input, terminal and exit status are the
command's own.
Without a command it waits only.
.Pp
Flags end at
.Fl Fl
or at the first word that is not a flag.
Everything after is the command's, untouched.
A command that is missing is reported at once, before the wait.
.Pp
In a Job, whose Pod does not complete while its sidecar runs,
.Fl Fl quit
or
.Fl Fl quit\-url
make
.Nm
stay as the parent of
.Ar command .
It passes signals on, reaps orphans where it is PID 1 or a subreaper, and gives
the terminal to the command as a shell does.
When the command has ended, or could not be started, it sends a POST to each
quit URL and exits as the command did.
A URL where nothing listens is tried again until
.Fl Fl quit\-timeout :
a sidecar that is only now starting must not outlive the Job.
.Pp
Called by the name of scuttle it takes that program's variables, as with
.Fl Fl compat Ar scuttle .
.Pp
What it says goes to standard error only: JSON in the fields of Cloud Logging,
or text.
While it waits on a terminal, a line that says how long, and for what, is drawn
anew a few times a second.
It is gone before the command starts.
.Sh OPTIONS
A flag goes before its variable, and that before the default.
Durations are such as 90s, 500ms or 1m30s.
.Bl -tag -width Ds
{{- range .Flags}}
.It Fl Fl {{roff .Name}}{{with .Placeholder}} Ar {{roff .}}{{end}}
{{roff .Help}}.
{{- with .Variable}}
Variable:
.Ev {{.}} .
{{- end}}
{{- with .Default}}
Default:
{{roff .}}.
{{- end}}
{{- end}}
.El
.Pp
A URL is one of
.Bl -tag -width Ds
.It Li http://host:port/path
ready when the status is accepted; https likewise
.It Li unix:///path/to/socket:/ready
the same over a Unix socket
.It Li tcp://host:port
ready when a connection is accepted
.It Li file:///path
ready when the file is there and not empty
.El
.Sh PROXIES
What
.Fl Fl sidecar
stands for: where the sidecar says that it is ready, with which status, and
where a POST ends it.
.Bl -tag -width Ds
{{- range .Proxies}}
.It Cm {{roff .Name}}
{{roff .Ready}}
.br
status {{.Status}}
.br
{{with .Quit}}POST {{roff .}}{{else}}nothing ends it{{end}}
{{- end}}
.El
.Sh ENVIRONMENT
A variable that is empty counts as unset.
A value that cannot work is an error.
A variable whose name begins with
.Ev ENVOY_WAIT_
and that is not known is warned of, unless Kubernetes made it for a Service
called envoy-wait.
.Bl -tag -width Ds
{{- range .Flags}}{{if .Variable}}
.It Ev {{.Variable}}
.Fl Fl {{roff .Name}}{{if .Repeats}} ; several are separated by commas{{end}}
{{- end}}{{end}}
.It Ev PATH
where
.Ar command
is looked up, as by
.Xr execvp 3
.It Ev NO_COLOR , TERM
The line that is drawn anew is left out where
.Ev NO_COLOR
is not empty, or
.Ev TERM
is unset, empty or dumb.
.El
.Pp
Variables that name an HTTP proxy are not read: a sidecar is never behind one.
.Sh FILES
.Bl -tag -width Ds
.It Pa /dev/termination-log
Where it exists as a regular file and no command could be started, the reason
is left there for
.Ql kubectl describe pod .
.El
.Sh EXIT STATUS
Once the command runs, every status is its own.
Before:
.Bl -tag -width Ds
.It 0
ready or disabled, and there was no command;
.Fl Fl install ,
.Fl Fl help
and
.Fl Fl version
{{- range .Exits}}
.It {{.Code}}
{{roff .When}}
{{- end}}
.El
.Sh SIGNALS
TERM, INT, HUP, QUIT, USR1, USR2, RTMIN+3, and WINCH without a terminal, end the
wait at once, as PID 1 too.
The command is not started then.
INT and HUP stay ignored where they were ignored at the start.
Once the command runs, signals are its own affair.
.Pp
As the parent of a command
.Nm
passes on to it every signal but those that cannot be caught, CHLD, URG, 32 to
34, and ILL, TRAP, BUS, FPE, SEGV and SYS, which tell of its own faults.
Real\-time signals are not queued, and their values are lost.
If
.Nm
is killed by KILL the command gets TERM.
.Sh EXAMPLES
The entrypoint of an image:
.Pp
.Dl ENTRYPOINT ["envoy\-wait", "\-\-", "app"]
.Pp
An init script that goes no further without the sidecar:
.Pp
.Dl envoy\-wait \-\-timeout 60s || exit 1
.Pp
Dapr's sidecar and a database, or no start:
.Pp
.Dl envoy\-wait \-\-url http://localhost:3500/v1.0/healthz/outbound \e
.Dl \ \ \-\-url tcp://db:5432 \-\-status 2xx \-\-on\-timeout fail \-\- app
.Pp
An exec probe, or HEALTHCHECK:
.Pp
.Dl envoy\-wait \-\-once
.Sh SEE ALSO
.Xr env 1 ,
.Xr timeout 1 ,
.Xr execve 2
.Pp
.Lk https://github.com/envoy\-wait/envoy\-wait
`

// Both of the programs that show man pages find nothing wrong with it.
func TestManPageIsClean(t *testing.T) {
	for program, check := range map[string]string{
		"mandoc": "mandoc -T lint -W style ../../docs/envoy-wait.1",
		"man":    "man --warnings -E UTF-8 -Tutf8 -Z -l ../../docs/envoy-wait.1 >/dev/null",
	} {
		t.Run(program, func(t *testing.T) {
			if _, err := exec.LookPath(program); err != nil {
				if os.Getenv("CI") == "true" {
					t.Fatal("must not be skipped in CI: ", err)
				}
				t.Skip(err)
			}
			out, err := exec.Command("sh", "-c", check).CombinedOutput()
			for finding := range strings.Lines(string(out)) {
				// Which other pages are installed here says nothing of this one.
				if !strings.Contains(finding, "referenced manual not found") && !strings.Contains(finding, "outdated mandoc.db") {
					t.Error(strings.TrimSpace(finding))
				}
			}
			if err != nil && len(out) == 0 {
				t.Error(err)
			}
		})
	}
}
