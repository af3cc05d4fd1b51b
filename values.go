package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/envoy-wait/envoy-wait/probe"
)

// kong decodes into these types instead of its own, since its errors name
// neither the variable that a value came from nor what is expected.
type (
	duration time.Duration // at least the tag min
	urls     []string      // every one valid
	statuses []string      // each three digits, or one digit and "xx"
	word     string        // one of the tag enum
	boolean  bool
)

// badValue says which flag or variable has which value, and what it should be.
type badValue struct{ name, value, expected string }

func (e *badValue) Error() string {
	return fmt.Sprintf("%s: %q: expected %s", e.name, e.value, e.expected)
}

// variable is a value from the environment.
type variable struct{ name, value string }

// pop returns the value that comes next, even one that looks like a flag, and
// the flag or variable that it belongs to.
func pop(ctx *kong.DecodeContext) (name, value string, err error) {
	name = "--" + ctx.Value.Name
	token := ctx.Scan.Pop()
	if v, ok := token.Value.(variable); ok {
		return v.name, v.value, nil
	}
	if token.IsEOL() {
		return name, "", fmt.Errorf("the value is missing")
	}
	return name, token.String(), nil
}

func (d *duration) Decode(ctx *kong.DecodeContext) error {
	name, value, err := pop(ctx)
	if err != nil {
		return err
	}
	parsed, err := time.ParseDuration(value)
	least, errMin := time.ParseDuration(ctx.Value.Tag.Get("min"))
	if err != nil || errMin != nil || parsed < least {
		return &badValue{name, value, ctx.Value.Tag.Get("expected")}
	}
	*d = duration(parsed)
	return nil
}

func (u *urls) Decode(ctx *kong.DecodeContext) error {
	return decodeURLs(ctx, (*[]string)(u), probe.ValidateURL, probe.DefaultURL)
}

// decodeURLs adds to list one URL from a flag, which may be repeated, or those of
// a variable.
func decodeURLs(ctx *kong.DecodeContext, list *[]string, validate func(string) error, example string) error {
	_, isList := ctx.Scan.Peek().Value.(variable)
	name, value, err := pop(ctx)
	if err != nil {
		return err
	}
	given := []string{value}
	if isList {
		given = strings.Split(value, ",")
	}
	for _, raw := range given {
		if err := validate(raw); err != nil {
			expected := fmt.Sprintf("a URL such as %s; %v", example, err)
			if isList && len(given) > 1 && raw == "" {
				expected = "URLs separated by single commas; one of them is empty"
			}
			return &badValue{name, probe.Redact(value), expected}
		}
	}
	for _, raw := range given {
		if !slices.Contains(*list, raw) {
			*list = append(*list, raw)
		}
	}
	return nil
}

func (l *statuses) Decode(ctx *kong.DecodeContext) error {
	name, value, err := pop(ctx)
	if err != nil {
		return err
	}
	parsed, ok := parseStatuses(value)
	if !ok {
		return &badValue{name, value, "statuses from 200 to 599 separated by commas, or a class such as 2xx"}
	}
	*l = append(*l, parsed...) // a flag may be repeated
	return nil
}

func parseStatuses(value string) (list statuses, ok bool) {
	for _, status := range strings.Split(value, ",") {
		first, rest := status[:min(1, len(status))], status[min(1, len(status)):]
		_, err := strconv.ParseUint(rest, 10, 8)
		if !strings.Contains("2345", first) || len(status) != 3 || err != nil && rest != "xx" {
			return nil, false
		}
		list = append(list, status)
	}
	return list, true
}

func (l statuses) contain(status int) bool {
	text := strconv.Itoa(status)
	return slices.Contains(l, text) || slices.Contains(l, text[:1]+"xx")
}

func (w *word) Decode(ctx *kong.DecodeContext) error {
	name, value, err := pop(ctx)
	if err != nil {
		return err
	}
	if !ctx.Value.EnumMap()[value] {
		return &badValue{name, value, "one of " + strings.ReplaceAll(ctx.Value.Enum, ",", ", ")}
	}
	*w = word(value)
	return nil
}

func (b *boolean) Decode(ctx *kong.DecodeContext) error {
	if ctx.Scan.Peek().Type != kong.FlagValueToken {
		*b = true // --disabled
		return nil
	}
	name, value, err := pop(ctx)
	if err != nil {
		return err
	}
	parsed, err := strconv.ParseBool(value)
	if err != nil {
		return &badValue{name, value, "true or false"}
	}
	*b = boolean(parsed)
	return nil
}

// IsBool tells kong that the flag needs no value.
func (b *boolean) IsBool() bool { return true }

const variablePrefix = "ENVOY_WAIT_"

func variableName(flag string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// lookup returns "" for a variable that is not set or, as manifests often have
// them, empty.
func lookup(env []string, name string) string {
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, name+"="); ok && value != "" {
			return value
		}
	}
	return ""
}

// resolver gives kong the variables. Its own env tag takes an empty one as set.
func resolver(env []string) kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		name := variableName(flag.Name)
		if value := lookup(env, name); value != "" && isSetting(flag) {
			return variable{name, value}, nil
		}
		return nil, nil
	})
}

// isSetting tells the flags that have a variable from --help and --version.
func isSetting(flag *kong.Flag) bool {
	_, ok := flag.Target.Addr().Interface().(kong.MapperValue)
	return ok
}

// unknownVariables returns the names with our prefix that are not in known,
// except those that Kubernetes injects for a Service called envoy-wait.
func unknownVariables(env, known []string) []string {
	var unknown []string
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

// serviceVariable is what the kubelet injects for a Service envoy-wait, or one
// whose name begins so: kubernetes.io/docs/concepts/services-networking/service.
const serviceVariable = `^ENVOY_WAIT_(.*_)?(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`
