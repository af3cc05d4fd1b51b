package cli

import (
	"os"
	"os/exec"
	"regexp"
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

// The order of the sections is that of mdoc(7). A macro takes quotes away and treats
// what follows as its arguments, so text never follows one on its line.
const manPage = `.\" Made from the flags by make docs.
.Dd November 25, 2026
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
is the entrypoint of a container that has a sidecar beside it.
It asks the sidecar again and again whether it is ready.
When the sidecar is ready, or the timeout is over,
.Nm
becomes
.Ar command
by
.Xr execve 2 .
PID, parent, descriptors, standard input, terminal and exit status are the
command's own.
Without a command,
.Nm
only waits.
.Pp
Flags end at
.Fl Fl
or at the first word that is not a flag.
All words after that are the command's, unchanged.
A command that does not exist is reported before the wait.
.Pp
The Pod of a Job does not complete while its sidecar runs.
With
.Fl Fl quit
or
.Fl Fl quit\-url
.Nm
stays as the parent of
.Ar command ,
forwards signals to it, and reaps orphans if it is PID 1 or a subreaper.
The command gets the terminal if standard input is one.
When the command has ended, or could not be started,
.Nm
sends a POST to each quit URL and exits with the command's status.
A quit URL that refuses connections is tried until
.Fl Fl quit\-timeout
is over, since the sidecar may only be starting.
After a signal that asks to stop there is one attempt only.
.Pp
If
.Nm
is called by the name scuttle, it also reads scuttle's variables, as with
.Fl Fl compat Ar scuttle .
.Pp
.Nm
writes its log to standard error: JSON in the fields of Cloud Logging, or text.
On a terminal, one more line shows the progress of the wait.
It is gone before the command starts.
.Sh OPTIONS
A flag wins over its variable, and the variable over the default.
Durations have a unit, such as 90s, 500ms or 1m30s.
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
A URL has one of these forms:
.Bl -tag -width Ds
.It Li http://host:port/path
Ready when the HTTP status is one of
.Fl Fl ready\-status .
The scheme https works too.
.It Li unix:///path/to/socket:/ready
The same, asked over a Unix socket.
.It Li tcp://host:port
Ready when a connection is accepted.
.It Li file:///path
Ready when the file is there and not empty.
.El
.Sh PRESETS
A preset is what
.Fl Fl sidecar
stands for.
.Bl -tag -width Ds
{{- range .Presets}}
.It Cm {{roff .Name}}
{{- with .Note}}
({{roff .}})
.br
{{- end}}
ready: {{roff .Ready}} is {{.Status}}
.br
quit: {{with .Quit}}POST {{roff .}}{{else}}none{{end}}
{{- end}}
.El
.Sh ENVIRONMENT
An empty variable counts as unset.
A value that cannot work is an error.
An unknown variable whose name begins with
.Ev ENVOY_WAIT_
gets a warning, unless Kubernetes made it for a Service called envoy-wait.
.Bl -tag -width Ds
{{- range .Flags}}{{if .Variable}}
.It Ev {{.Variable}}
is for
.Fl Fl {{roff .Name}}{{if .Repeats}} ,
with commas between several values{{end}}
{{- end}}{{end}}
.It Ev PATH
is where
.Ar command
is looked up, as by
.Xr execvp 3
.It Ev NO_COLOR , TERM
turn the progress line off, if
.Ev NO_COLOR
is not empty, or if
.Ev TERM
is unset, empty or dumb
.El
.Pp
Variables that name an HTTP proxy are not read.
.Sh FILES
.Bl -tag -width Ds
.It Pa /dev/termination\-log
gets the reason if
.Nm
ends without the command, so that
.Ql kubectl describe pod
shows it.
It must exist already, as the kubelet makes it.
.El
.Sh EXIT STATUS
Once the command runs, the exit status is the command's.
Before that:
.Bl -tag -width Ds
.It 0
ready or disabled, and there was no command; also
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
A signal during the wait ends
.Nm
with 128+n, also as PID 1, and the command is not started.
TERM, INT and HUP are caught from the start.
QUIT, USR1, USR2, ALRM, VTALRM, XCPU, IO, PWR, ABRT and RTMIN+3 are caught
once the
first attempt has failed or has taken 3 ms.
So is WINCH, where no terminal is attached.
INT and HUP that were ignored at the start stay ignored.
.Pp
The Go runtime decides about other moments and other signals.
In the first milliseconds QUIT ends
.Nm
with 2, and USR1 and others may be lost.
As PID 1 it ends with 2 instead of 128+n in the last microseconds before the
command starts.
A signal that tells of a fault, such as SEGV, ends it with 2 and a dump on
standard
error.
.Pp
Once the command runs, its signals are its own affair.
With
.Fl Fl quit
or
.Fl Fl quit\-url
.Nm
forwards every signal to the command, except for KILL and STOP, which cannot be
caught, CHLD, PIPE, PROF and URG, the signals 32 to 34 of the C library, and
those
that tell of faults: ILL, TRAP, BUS, FPE, SEGV, STKFLT and SYS.
Real\-time signals are not queued, and lose their values.
The command has its own process group, so Ctrl\-C reaches it once.
If
.Nm
itself is killed by KILL, the command gets TERM.
.Sh EXAMPLES
The entrypoint of an image:
.Bd -literal -offset indent
ENTRYPOINT ["envoy\-wait", "\-\-", "app"]
.Ed
.Pp
An init script that stops without a sidecar:
.Bd -literal -offset indent
envoy\-wait \-\-timeout 60s || exit 1
.Ed
.Pp
Dapr's sidecar and a database, or no start:
.Bd -literal -offset indent
envoy\-wait \-\-url http://localhost:3500/v1.0/healthz/outbound \e
  \-\-url tcp://db:5432 \-\-ready\-status 2xx \-\-on\-timeout fail \-\- app
.Ed
.Pp
A Job, whose sidecar has to quit at the end:
.Bd -literal -offset indent
envoy\-wait \-\-quit \-\- app
.Ed
.Pp
An exec probe, or HEALTHCHECK:
.Bd -literal -offset indent
envoy\-wait \-\-once
.Ed
.Sh SEE ALSO
.Xr env 1 ,
.Xr timeout 1 ,
.Xr execve 2
.Pp
.Lk https://github.com/envoy\-wait/envoy\-wait
`

// manPrograms are those that show man pages, each as it checks and as it renders.
var manPrograms = map[string]struct{ check, render string }{
	"mandoc": {
		"mandoc -T lint -W style ../../docs/envoy-wait.1",
		"mandoc -T ascii -O width=200 ../../docs/envoy-wait.1",
	},
	"man": {
		"man --warnings -E UTF-8 -Tutf8 -Z -l ../../docs/envoy-wait.1 >/dev/null",
		"MANWIDTH=200 MANROFFOPT=-c man -E ascii -l ../../docs/envoy-wait.1",
	},
}

func needManProgram(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("must not be skipped in CI: ", err)
		}
		t.Skip(err)
	}
}

// TestManPageIsClean checks that those programs find nothing wrong with it.
func TestManPageIsClean(t *testing.T) {
	for name, program := range manPrograms {
		t.Run(name, func(t *testing.T) {
			needManProgram(t, name)
			out, err := exec.Command("sh", "-c", program.check).CombinedOutput()
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

// TestManPageShows reads the page as people see it: a macro may swallow quotes, or
// take words for flags.
func TestManPageShows(t *testing.T) {
	want := []string{
		`ENTRYPOINT ["envoy-wait", "--", "app"]`,
		`envoy-wait --timeout 60s || exit 1`,
		`envoy-wait --url http://localhost:3500/v1.0/healthz/outbound \`,
		`  --url tcp://db:5432 --ready-status 2xx --on-timeout fail -- app`,
		`envoy-wait [flags] [--] [command [argument ...]]`,
		`--on-timeout start|fail`,
		`is for --url, with commas between several values`,
		`forwards every signal to the command, except for KILL and STOP`,
	}
	for _, flag := range Flags() {
		want = append(want, strings.TrimSpace("--"+flag.Name+" "+flag.Placeholder), flag.Help+".", flag.Variable)
	}
	for _, p := range presetRows() {
		want = append(want, p.Note, "ready: "+p.Ready+" is "+p.Status, p.Quit)
	}
	for _, exit := range exitStatuses(t) {
		want = append(want, exit.Code, exit.When)
	}
	for name, program := range manPrograms {
		t.Run(name, func(t *testing.T) {
			needManProgram(t, name)
			out, err := exec.Command("sh", "-c", program.render).Output()
			if err != nil {
				t.Fatal(err)
			}
			page := overstrike.ReplaceAllString(string(out), "")
			words := strings.Join(strings.Fields(page), " ")
			for _, text := range want {
				if !strings.Contains(words, strings.Join(strings.Fields(text), " ")) {
					t.Errorf("got a page without it, want %q", text)
				}
			}
			if dashes := strayFlags.FindString(words); dashes != "" {
				t.Errorf("got %q, want no word to be taken for a flag", dashes)
			}
		})
	}
}

var (
	overstrike = regexp.MustCompile(".\b") // a terminal's bold and underlined
	strayFlags = regexp.MustCompile(` -[a-z]{2,} -[a-z]{2,}`)
)
