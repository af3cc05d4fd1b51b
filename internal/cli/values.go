package cli

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

const durationAboveZero = "a duration above 0, such as 5s"

// reader gives the values of flags, and keeps the first error.
type reader struct {
	model *kong.Application
	given map[string][]string // by flag
	env   []string
	err   error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// flag returns the flag of that name, or nil.
func (r *reader) flag(name string) *kong.Flag {
	i := slices.IndexFunc(r.model.Flags, func(f *kong.Flag) bool { return f.Name == name })
	if i < 0 {
		return nil
	}
	return r.model.Flags[i]
}

// source returns the values of a flag, and what it is called where they come from: "" for a default.
func (r *reader) source(flag string) (name string, values []string) {
	tag := r.flag(flag).Tag
	if values, ok := r.given[flag]; ok {
		return "--" + flag, values
	}
	if value := lookup(r.env, tag.Get("variable")); value != "" {
		return tag.Get("variable"), []string{value}
	}
	return "", []string{tag.Get("normally")}
}

func (r *reader) isSet(flag string) bool {
	name, _ := r.source(flag)
	return name != ""
}

// last returns the value that counts of a flag that takes one.
func (r *reader) last(flag string) (name, value string) {
	name, values := r.source(flag)
	return name, values[len(values)-1]
}

func (r *reader) duration(flag string, least time.Duration, expected string) time.Duration {
	name, value := r.last(flag)
	d, err := time.ParseDuration(value)
	rounded := d == 0 && strings.ContainsAny(value, "123456789") // 0.1ns is not "never gives up"
	if name != "" && (err != nil || d < least || rounded) {
		r.fail(&badValue{name, value, expected})
		return 0
	}
	return d // 0 for a default such as "off"
}

func (r *reader) oneOf(flag string) string {
	name, value := r.last(flag)
	tag := r.flag(flag).Tag
	values := strings.Split(tag.Get("values"), ",")
	if name != "" && !slices.Contains(values, value) {
		r.fail(&badValue{name, value, "one of " + strings.Join(values, ", ")})
		return tag.Get("normally")
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
	if name == "" {
		return nil
	}
	if name != "--"+flag {
		values = strings.Split(values[0], ",")
	}
	for _, url := range values {
		err := validate(url)
		if err == nil && !slices.Contains(urls, url) {
			urls = append(urls, url)
		}
		switch {
		case err == nil:
		case url == "" && len(values) > 1:
			r.fail(&badValue{name, strings.Join(values, ","), "URLs separated by single commas; one of them is empty"})
		case name == "--"+flag:
			r.fail(&badValue{name, url, fmt.Sprintf("a URL such as %s; %v", example, err)})
		default:
			r.fail(&badValue{name, strings.Join(values, ","), fmt.Sprintf("a URL such as %s; %v", example, err)})
		}
	}
	return urls
}

// statuses returns what judges an HTTP status by a list of three digits each, or of one digit and "xx".
func (r *reader) statuses(flag, otherwise string) func(status int) bool {
	name, values := r.source(flag)
	if name == "" {
		values = []string{otherwise}
	}
	list := strings.Split(strings.Join(values, ","), ",")
	for _, status := range list {
		if len(status) != 3 || !strings.Contains("2345", status[:1]) || status[1:] != "xx" && strings.Trim(status[1:], "0123456789") != "" {
			r.fail(&badValue{name, strings.Join(values, ","), "statuses from 200 to 599 separated by commas, or a class such as 2xx"})
		}
	}
	return func(status int) bool {
		text := strconv.Itoa(status)
		return len(text) == 3 && (slices.Contains(list, text) || slices.Contains(list, text[:1]+"xx"))
	}
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
func variables(model *kong.Application) (names []string) {
	for _, flag := range model.Flags {
		if name := flag.Tag.Get("variable"); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// unknownVariables returns the names with our prefix that are not known, except those that Kubernetes injects for a
// Service called envoy-wait.
func unknownVariables(env, known []string) (unknown []string) {
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		if value == "" || !strings.HasPrefix(name, variablePrefix) || slices.Contains(known, name) {
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
