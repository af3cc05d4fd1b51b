package cli

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const durationAboveZero = "a duration above 0, such as 5s"

// reader gives the values of flags, and keeps the first error.
type reader struct {
	given map[string][]string
	env   []string
	err   error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// source returns the values of a flag, and what it is called where they come from. There are none where neither
// flag nor variable is set.
func (r *reader) source(flag string) (name string, values []string) {
	if values, ok := r.given[flag]; ok {
		return "--" + flag, values
	}
	variable := flagCalled(flag).Variable
	if value := lookup(r.env, variable); value != "" {
		return variable, []string{value}
	}
	return "", nil
}

// answer is what --help or --version prints, or "".
func (r *reader) answer() string {
	switch {
	case r.isSet("help"):
		return helpText
	case r.isSet("version"):
		return "envoy-wait " + Version() + "\n"
	default:
		return ""
	}
}

func (r *reader) isSet(flag string) bool {
	name, _ := r.source(flag)
	return name != ""
}

// last returns the value that counts of a flag that takes one.
func (r *reader) last(flag string) (name, value string) {
	name, values := r.source(flag)
	if name == "" {
		return "", flagCalled(flag).Default
	}
	return name, values[len(values)-1]
}

func (r *reader) duration(flag string, least time.Duration, expected string) time.Duration {
	name, value := r.last(flag)
	d, err := time.ParseDuration(value)
	if name != "" && (err != nil || d < least) {
		r.fail(&badValue{name, value, expected})
		return 0
	}
	return d // 0 for a default such as "off"
}

func (r *reader) oneOf(flag string) string {
	name, value := r.last(flag)
	values := flagCalled(flag).Values
	if name != "" && !slices.Contains(values, value) {
		r.fail(&badValue{name, value, "one of " + strings.Join(values, ", ")})
		return flagCalled(flag).Default
	}
	return value
}

func (r *reader) boolean(flag string) bool {
	name, value := r.last(flag)
	b, err := strconv.ParseBool(value)
	if name != "" && err != nil {
		r.fail(&badValue{name, value, "true or false"})
	}
	return b
}

// urls returns those URLs of a flag that validate takes, each once. A variable has several, separated by commas.
func (r *reader) urls(flag string, validate func(string) error, example string) (urls []string) {
	name, values := r.source(flag)
	whole := strings.Join(values, ",")
	if name != "--"+flag {
		values = splitList(whole)
	}
	for _, url := range values {
		err := validate(url)
		switch {
		case err != nil && url == "" && len(values) > 1:
			r.fail(&badValue{name, whole, "URLs separated by single commas; one of them is empty"})
		case err != nil && name == "--"+flag:
			r.fail(&badValue{name, url, fmt.Sprintf("a URL such as %s; %v", example, err)})
		case err != nil:
			r.fail(&badValue{name, whole, fmt.Sprintf("a URL such as %s; %v", example, err)})
		case !slices.Contains(urls, url):
			urls = append(urls, url)
		}
	}
	return urls
}

func splitList(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// statuses are three digits, or one digit and "xx".
type statuses []string

func (r *reader) statuses(flag, otherwise string) statuses {
	name, values := r.source(flag)
	if name == "" {
		return splitList(otherwise)
	}
	var all statuses
	for _, value := range values {
		for _, status := range strings.Split(value, ",") {
			if !isStatus(status) {
				r.fail(&badValue{name, value, "statuses from 200 to 599 separated by commas, or a class such as 2xx"})
			}
			all = append(all, status)
		}
	}
	return all
}

func isStatus(status string) bool {
	if len(status) != 3 || !strings.Contains("2345", status[:1]) {
		return false
	}
	_, err := strconv.ParseUint(status[1:], 10, 8)
	return err == nil || status[1:] == "xx"
}

func (l statuses) contain(status int) bool {
	text := strconv.Itoa(status)
	return len(text) == 3 && (slices.Contains(l, text) || slices.Contains(l, text[:1]+"xx"))
}

const variablePrefix = "ENVOY_WAIT_"

// lookup returns "" for a variable that is not set or, as manifests often have them, empty.
func lookup(env []string, name string) string {
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, name+"="); ok && value != "" && name != "" {
			return value
		}
	}
	return ""
}

// variables returns the names of all variables that have a meaning.
func variables() (names []string) {
	for _, flag := range Flags() {
		if flag.Variable != "" {
			names = append(names, flag.Variable)
		}
	}
	return names
}

// unknownVariables returns the names with our prefix that have no meaning, except those that Kubernetes injects for
// a Service called envoy-wait.
func unknownVariables(env []string) (unknown []string) {
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		if value == "" || !strings.HasPrefix(name, variablePrefix) || slices.Contains(variables(), name) {
			continue
		}
		// Compiled only here: hardly anyone gets this far.
		if !regexp.MustCompile(serviceVariable).MatchString(name) {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

// serviceVariable is what the kubelet injects for a Service envoy-wait, or one whose name begins so:
// kubernetes.io/docs/concepts/services-networking/service.
const serviceVariable = `^ENVOY_WAIT_(.*_)?(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`
