//go:build linux

package scuttle

import "syscall"

const (
	admin = "ENVOY_ADMIN_API=http://127.0.0.1:15000"
	quit  = "ISTIO_QUIT_API=http://127.0.0.1:15020"
	both  = "GENERIC_QUIT_ENDPOINTS=http://127.0.0.1:7001/one,http://127.0.0.1:7002/two"
	wait  = "WAIT_FOR_ENVOY_TIMEOUT=4s"
	soon  = "QUIT_REQUEST_TIMEOUT=4s"

	told    = "POST 15020/quitquitquit"
	generic = "POST 7001/one, POST 7002/two"

	// scuttle forwards signals some time after the start of the app.
	withHandler    = "trap 'exit 9' TERM USR1; sleep 0.3; echo app: started; while :; do read -r _ || exit 8; done"
	toEndOfStdin   = "trap 'exit 9' PIPE URG; sleep 0.3; echo app: started; read -r _; sleep 0.5; exit 7"
	withoutHandler = "sleep 0.3; echo app: started; exec sleep 1000"
)

// situations are the cases. The outcomes of scuttle follow from its main.go and scuttle_config.go, and were seen.
var situations = []situation{
	{name: "exit status 0", env: []string{admin}, scuttle: "exit 0, started, " + told},
	{name: "exit status 7", env: []string{admin}, app: "echo app: started; exit 7", scuttle: "exit 7, started, " + told},
	{name: "exit status 255", env: []string{admin}, app: "echo app: started; exit 255", scuttle: "exit 255, started, " + told},
	{name: "the app kills itself", env: []string{admin}, app: "echo app: started; kill -KILL $$", scuttle: "exit 255, started, " + told,
		ours: "exit 137, started, " + told, page: "the app is ended by signal n"},

	// Each variable.
	{name: "no variable", scuttle: "exit 0, started"},
	{name: "ENVOY_ADMIN_API on localhost", env: []string{"ENVOY_ADMIN_API=http://localhost:15000"}, scuttle: "exit 0, started, " + told},
	{name: "ENVOY_ADMIN_API on another port", env: []string{"ENVOY_ADMIN_API=http://127.0.0.1:7003", both},
		scuttle: "exit 0, started, " + generic},
	{name: "ENVOY_ADMIN_API on another host", env: []string{"ENVOY_ADMIN_API=http://10.1.2.3:15000", quit, both}, scuttle: "exit 0, started"},
	{name: "ENVOY_ADMIN_API with 127.0.0.1 in its path", env: []string{"ENVOY_ADMIN_API=http://10.1.2.3:15000/127.0.0.1", quit},
		scuttle: "exit 0, started, " + told},
	{name: "ENVOY_ADMIN_API with a slash at its end", env: []string{"ENVOY_ADMIN_API=http://127.0.0.1:15000/", wait}, timed: true,
		scuttle: "exit 0, started, POST 15020//quitquitquit, late", ours: "exit 0, started, " + told, page: "a slash at the end of a URL"},
	{name: "ISTIO_QUIT_API", env: []string{admin, "ISTIO_QUIT_API=http://127.0.0.1:7001"}, scuttle: "exit 0, started, POST 7001/quitquitquit"},
	{name: "START_WITHOUT_ENVOY", admin: "is down", env: []string{admin, "START_WITHOUT_ENVOY=true"}, scuttle: "exit 0, started, " + told},
	{name: "WAIT_FOR_ENVOY_TIMEOUT", admin: "is starting", env: []string{admin, wait}, timed: true, scuttle: "exit 0, started, " + told + ", late"},
	{name: "QUIT_WITHOUT_ENVOY_TIMEOUT", admin: "is starting", env: []string{admin, "QUIT_WITHOUT_ENVOY_TIMEOUT=1s"}, scuttle: "exit 1",
		ours: "exit 124, " + told, page: "exit status 124 instead of 1"},
	{name: "both timeouts", admin: "is starting", env: []string{admin, "QUIT_WITHOUT_ENVOY_TIMEOUT=1s", "WAIT_FOR_ENVOY_TIMEOUT=2s"},
		scuttle: "exit 1", ours: "exit 124, " + told, page: "exit status 124 instead of 1"},
	{name: "NEVER_KILL_ISTIO", env: []string{admin, "NEVER_KILL_ISTIO=true", both}, scuttle: "exit 0, started"},
	{name: "NEVER_KILL_ISTIO_ON_FAILURE, exit status 0", env: []string{admin, "NEVER_KILL_ISTIO_ON_FAILURE=true"}, scuttle: "exit 0, started, " + told},
	{name: "NEVER_KILL_ISTIO_ON_FAILURE, exit status 7", env: []string{admin, "NEVER_KILL_ISTIO_ON_FAILURE=true", both}, app: "echo app: started; exit 7",
		scuttle: "exit 7, started"},
	{name: "GENERIC_QUIT_ENDPOINTS", env: []string{admin, both}, scuttle: "exit 0, started, " + told + ", " + generic},
	{name: "GENERIC_QUIT_ENDPOINTS without ENVOY_ADMIN_API", env: []string{both}, scuttle: "exit 0, started"},
	{name: "GENERIC_QUIT_ONLY", env: []string{admin, both, "GENERIC_QUIT_ONLY=true"}, scuttle: "exit 0, started, " + generic},
	{name: "GENERIC_QUIT_ONLY without ENVOY_ADMIN_API", env: []string{both, "GENERIC_QUIT_ONLY=true"}, scuttle: "exit 0, started, " + generic},
	{name: "GENERIC_QUIT_ONLY and NEVER_KILL_ISTIO_ON_FAILURE", env: []string{both, "GENERIC_QUIT_ONLY=true", "NEVER_KILL_ISTIO_ON_FAILURE=true"},
		app: "echo app: started; exit 7", scuttle: "exit 7, started, " + generic},
	{name: "QUIT_REQUEST_TIMEOUT of 0", env: []string{admin, both, "QUIT_REQUEST_TIMEOUT=0s"}, scuttle: "exit 0, started"},
	{name: "SCUTTLE_LOGGING", env: []string{admin, "SCUTTLE_LOGGING=true"}, log: true, scuttle: "exit 0, started, " + told + ", log: stdout",
		ours: "exit 0, started, " + told + ", log: stderr", page: "the log goes to stderr instead of stdout"},
	{name: "SCUTTLE_LOGGING off", env: []string{admin, "SCUTTLE_LOGGING=false"}, log: true, scuttle: "exit 0, started, " + told + ", log: none"},
	{name: "variables of older versions", env: []string{admin, "BYPASS_SIGURG=true", "ISTIO_FALLBACK_PKILL=true"}, scuttle: "exit 0, started, " + told},

	// Bad values.
	{name: "ENVOY_ADMIN_API without a scheme", env: []string{"ENVOY_ADMIN_API=127.0.0.1:15000", quit, wait}, timed: true,
		scuttle: "exit 0, started, " + told + ", late", ours: "exit 0, started, " + told, page: "a bad `ENVOY_ADMIN_API`"},
	{name: "ENVOY_ADMIN_API with a space", env: []string{admin + " ", quit, wait}, timed: true,
		scuttle: "exit 0, started, " + told + ", late", ours: "exit 0, started, " + told, page: "a bad `ENVOY_ADMIN_API`"},
	{name: "ENVOY_ADMIN_API in quotes", env: []string{`ENVOY_ADMIN_API="http://127.0.0.1:15000"`, quit, wait}, timed: true,
		scuttle: "exit 0, started, " + told + ", late", ours: "exit 0, started, " + told, page: "a bad `ENVOY_ADMIN_API`"},
	{name: "ENVOY_ADMIN_API without a scheme, generic endpoints", env: []string{"ENVOY_ADMIN_API=localhost:15000", quit, both, wait},
		scuttle: "exit 0, started, " + told + ", " + generic},
	{name: "ENVOY_ADMIN_API in quotes, no ISTIO_QUIT_API", env: []string{`ENVOY_ADMIN_API="http://127.0.0.1:15000"`, wait}, timed: true,
		scuttle: "exit 0, started, late", ours: "exit 0, started", page: "a bad `ENVOY_ADMIN_API`"},
	{name: "ISTIO_QUIT_API without a scheme", env: []string{admin, "ISTIO_QUIT_API=127.0.0.1:15020"}, scuttle: "exit 0, started",
		ours: "exit 0, started, " + told, page: "a bad `ISTIO_QUIT_API`"},
	{name: "START_WITHOUT_ENVOY is yes", admin: "is starting", env: []string{admin, "START_WITHOUT_ENVOY=yes", wait}, timed: true,
		scuttle: "exit 0, started, " + told + ", late"},
	{name: "WAIT_FOR_ENVOY_TIMEOUT without a unit", env: []string{admin, "WAIT_FOR_ENVOY_TIMEOUT=1"}, scuttle: "exit 0, started, " + told},
	{name: "WAIT_FOR_ENVOY_TIMEOUT below 0", env: []string{admin, "WAIT_FOR_ENVOY_TIMEOUT=-1s"}, scuttle: "exit 0, started, " + told},
	{name: "QUIT_WITHOUT_ENVOY_TIMEOUT without a unit", env: []string{admin, "QUIT_WITHOUT_ENVOY_TIMEOUT=1"}, scuttle: "exit 0, started, " + told},
	{name: "QUIT_WITHOUT_ENVOY_TIMEOUT below 0", env: []string{admin, "QUIT_WITHOUT_ENVOY_TIMEOUT=-1s"}, scuttle: "exit 0, started, " + told},
	{name: "NEVER_KILL_ISTIO is 1", env: []string{admin, "NEVER_KILL_ISTIO=1"}, scuttle: "exit 0, started, " + told},
	{name: "NEVER_KILL_ISTIO_ON_FAILURE is TRUE", env: []string{admin, "NEVER_KILL_ISTIO_ON_FAILURE=TRUE"}, app: "echo app: started; exit 7", scuttle: "exit 7, started, " + told},
	{name: "GENERIC_QUIT_ENDPOINTS with spaces and commas", env: []string{admin, "GENERIC_QUIT_ENDPOINTS= http://127.0.0.1:7001/one , ,http://127.0.0.1:7002/two,"},
		scuttle: "exit 0, started, " + told + ", " + generic},
	{name: "GENERIC_QUIT_ENDPOINTS with one that is no URL", env: []string{admin, both + ",nonsense"}, scuttle: "exit 0, started, " + told + ", " + generic},
	{name: "GENERIC_QUIT_ONLY is on", env: []string{admin, both, "GENERIC_QUIT_ONLY=on"}, scuttle: "exit 0, started, " + told + ", " + generic},
	{name: "QUIT_REQUEST_TIMEOUT without a unit", env: []string{admin, "QUIT_REQUEST_TIMEOUT=1"}, scuttle: "exit 0, started, " + told},
	{name: "QUIT_REQUEST_TIMEOUT below 0", env: []string{admin, "QUIT_REQUEST_TIMEOUT=-1s"}, scuttle: "exit 0, started",
		ours: "exit 0, started, " + told, page: "a negative timeout"},
	{name: "SCUTTLE_LOGGING is 0", env: []string{admin, "SCUTTLE_LOGGING=0"}, log: true, scuttle: "exit 0, started, " + told + ", log: stdout",
		ours: "exit 0, started, " + told + ", log: stderr", page: "the log goes to stderr instead of stdout"},

	// Commands.
	{name: "no command", env: []string{admin}, args: []string{}, scuttle: "exit 0"},
	{name: "no command, and the sidecar starts", admin: "is starting", env: []string{admin, wait}, args: []string{}, timed: true,
		scuttle: "exit 0", ours: "exit 124, late", page: "there is no command"},
	{name: "no command, and no variable", args: []string{}, scuttle: "exit 0"},
	{name: "a missing command", env: []string{admin}, args: []string{"no-such-app"}, scuttle: "exit 2",
		ours: "exit 127, " + told, page: "the command is missing or cannot be run"},
	{name: "a command that is a directory", env: []string{admin}, args: []string{"/"}, scuttle: "exit 2",
		ours: "exit 126, " + told, page: "the command is missing or cannot be run"},
	{name: "dashes before the command", env: []string{admin}, args: []string{"--", "echo", "app: started"}, scuttle: "exit 2",
		ours: "exit 0, started, " + told, page: "`--` or a flag before the command"},
	{name: "a flag before the command", env: []string{admin}, args: []string{"--disabled", "echo", "app: started"}, scuttle: "exit 2",
		ours: "exit 0, started, " + told, page: "`--` or a flag before the command"},
	{name: "--help", env: []string{admin}, args: []string{"--help"}, scuttle: "exit 2", ours: "exit 0", page: "`--help`"},
	{name: "the app leads a process group", env: []string{admin}, app: "set -- $(cat /proc/$$/stat); [ $5 != $$ ] || echo app: started",
		scuttle: "exit 0, " + told, ours: "exit 0, started, " + told, page: "the process group of the app"},
	{name: "arguments with dollars", env: []string{admin}, args: []string{"sh", "-c", `[ "$1" = '$HOME' ] && echo app: started`, "sh", "$HOME"},
		scuttle: "exit 0, started, " + told},

	// The admin.
	{name: "the admin says LIVE with 503", admin: "says LIVE with 503", env: []string{admin, wait}, timed: true,
		scuttle: "exit 0, started, " + told, ours: "exit 0, started, " + told + ", late", page: "with the word LIVE is not ready"},
	{name: "the admin answers 200 without a state", admin: "speaks no JSON", env: []string{admin, wait}, timed: true,
		scuttle: "exit 0, started, " + told + ", late", ours: "exit 0, started, " + told, page: "where scuttle asks `/server_info`"},
	{name: "the admin is down", admin: "is down", env: []string{admin, wait}, timed: true, scuttle: "exit 0, started, " + told + ", late"},
	{name: "the admin hangs", admin: "hangs", env: []string{admin, wait}, timed: true, scuttle: "exit 0, started, " + told + ", late"},
	{name: "the admin resets", admin: "resets", env: []string{admin, wait}, timed: true, scuttle: "exit 0, started, " + told + ", late"},
	{name: "the admin hangs up", admin: "hangs up", env: []string{admin, wait}, timed: true, scuttle: "exit 0, started, " + told + ", late"},
	{name: "the admin redirects", admin: "redirects", env: []string{admin, wait}, timed: true,
		scuttle: "exit 0, started, GET 7003/elsewhere, " + told, ours: "exit 0, started, " + told + ", late", page: "Redirects are not followed"},
	{name: "nothing ever listens", admin: "is down", agent: "is down", env: []string{admin, "WAIT_FOR_ENVOY_TIMEOUT=100ms"}, timed: true,
		scuttle: "exit 0, started"},
	{name: "nothing ever listens, and no wait", admin: "is down", agent: "is down", env: []string{admin, "START_WITHOUT_ENVOY=true"}, timed: true,
		scuttle: "exit 0, started"},

	// The quit request.
	{name: "quit is refused", agent: "is down", env: []string{admin, soon}, timed: true, scuttle: "exit 0, started",
		ours: "exit 0, started, late", page: "a quit request is refused, reset, or answered with 5xx"},
	{name: "quit is reset", agent: "resets", env: []string{admin, soon}, timed: true, scuttle: "exit 0, started, " + told,
		ours: "exit 0, started, " + told + " again, late", page: "a quit request is refused, reset, or answered with 5xx"},
	{name: "quit gets 500", agent: "answers 500", env: []string{admin, soon}, timed: true, scuttle: "exit 0, started, " + told,
		ours: "exit 0, started, " + told + " again, late", page: "a quit request is refused, reset, or answered with 5xx"},
	{name: "quit gets 404", agent: "answers 404", env: []string{admin, soon}, timed: true, scuttle: "exit 0, started, " + told},
	{name: "quit gets an end of the connection", agent: "hangs up", env: []string{admin, soon}, timed: true, scuttle: "exit 0, started, " + told},
	{name: "quit hangs", agent: "hangs", env: []string{admin, soon}, timed: true, scuttle: "exit 0, started, " + told + ", late"},
	{name: "the first of two to quit hangs", agent: "hangs", timed: true,
		env:     []string{"GENERIC_QUIT_ENDPOINTS=http://127.0.0.1:15020/quitquitquit,http://127.0.0.1:7001/one", "GENERIC_QUIT_ONLY=true", soon},
		scuttle: "exit 0, started, " + told + ", late", ours: "exit 0, started, " + told + ", POST 7001/one, late", page: "all at once instead of one by one"},
	{name: "quit redirects with 302", agent: "redirects", env: []string{admin}, scuttle: "exit 0, started, GET 7003/elsewhere, " + told,
		ours: "exit 0, started, " + told, page: "a quit URL redirects"},
	{name: "quit redirects with 307", agent: "redirects with 307", env: []string{admin}, scuttle: "exit 0, started, " + told + ", POST 7003/elsewhere",
		ours: "exit 0, started, " + told, page: "a quit URL redirects"},

	// Signals.
	{name: "TERM during the wait", admin: "is starting", env: []string{admin}, signal: syscall.SIGTERM, at: "waiting", scuttle: "signal 15",
		ours: "exit 143, " + told, page: "TERM, INT or HUP during the wait"},
	{name: "TERM during the wait, as PID 1", admin: "is starting", env: []string{admin}, pid1: true, signal: syscall.SIGTERM, at: "waiting",
		scuttle: "exit 2", ours: "exit 143, " + told, page: "TERM, INT or HUP during the wait"},
	{name: "INT during the wait", admin: "is starting", env: []string{admin}, signal: syscall.SIGINT, at: "waiting", scuttle: "signal 2",
		ours: "exit 130, " + told, page: "TERM, INT or HUP during the wait"},
	{name: "HUP during the wait, as PID 1", admin: "is starting", env: []string{admin}, pid1: true, signal: syscall.SIGHUP, at: "waiting",
		scuttle: "exit 2", ours: "exit 129, " + told, page: "TERM, INT or HUP during the wait"},
	{name: "TERM to an app with a handler", env: []string{admin}, app: withHandler, signal: syscall.SIGTERM, at: "running",
		scuttle: "exit 9, started, " + told},
	{name: "TERM to an app with a handler, as PID 1", env: []string{admin}, app: withHandler, pid1: true, signal: syscall.SIGTERM, at: "running",
		scuttle: "exit 9, started, " + told},
	{name: "TERM to an app without a handler", env: []string{admin}, app: withoutHandler, signal: syscall.SIGTERM, at: "running",
		scuttle: "exit 255, started, " + told, ours: "exit 143, started, " + told, page: "the app is ended by signal n"},
	{name: "TERM to an app without a handler, as PID 1", env: []string{admin}, app: withoutHandler, pid1: true, signal: syscall.SIGTERM, at: "running",
		scuttle: "exit 255, started, " + told, ours: "exit 143, started, " + told, page: "the app is ended by signal n"},
	{name: "TERM as PID 1, nobody to quit", env: []string{admin, "NEVER_KILL_ISTIO=true"}, app: withoutHandler, pid1: true, signal: syscall.SIGTERM,
		at: "running", scuttle: "exit 255, started", ours: "exit 143, started", page: "the app is ended by signal n"},
	{name: "TERM as PID 1, no variable", app: withoutHandler, pid1: true, signal: syscall.SIGTERM, at: "running", scuttle: "exit 255, started",
		ours: "exit 143, started", page: "the app is ended by signal n"},
	{name: "USR1 to an app with a handler", env: []string{admin}, app: withHandler,
		signal: syscall.SIGUSR1, at: "running", scuttle: "exit 9, started, " + told},
	{name: "URG", env: []string{admin}, app: toEndOfStdin, signal: syscall.SIGURG, at: "running", stdinEnds: true,
		scuttle: "exit 7, started, " + told},
	{name: "PIPE", env: []string{admin}, app: toEndOfStdin, signal: syscall.SIGPIPE, at: "running", stdinEnds: true,
		scuttle: "exit 9, started, " + told, ours: "exit 7, started, " + told, page: "CHLD and PIPE"},
	{name: "an orphan, as PID 1", env: []string{admin}, app: "(true &); sleep 0.3; echo app: started; read -r _; exit 0", pid1: true, at: "running", stdinEnds: true,
		scuttle: "exit 0, started, " + told + ", a zombie", ours: "exit 0, started, " + told, page: "an orphan of the app"},
	{name: "TERM while quit hangs", agent: "hangs", env: []string{admin, soon}, signal: syscall.SIGTERM, at: "quitting", timed: true,
		scuttle: "exit 0, started, " + told + ", late", ours: "exit 0, started, " + told, page: "TERM while a quit request hangs"},
}
