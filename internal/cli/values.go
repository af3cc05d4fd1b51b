package cli

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/alecthomas/kong"

	"github.com/envoy-wait/envoy-wait/probe"
)

// decode takes the value of a flag, which is never empty. A value that begins with "-" needs a "=" before it.
func decode(ctx *kong.DecodeContext, expected string, accept func(text string) bool) error {
	token, err := ctx.Scan.PopValue("")
	text := token.String()
	switch {
	case token.IsEOL(), text == "", text == "--":
		return fmt.Errorf("the value is missing; expected %s", expected)
	case err != nil, !accept(text):
		return fmt.Errorf("%q: expected %s", probe.Redact(text), expected)
	default:
		return nil
	}
}

// boolean maps a bool: kong's own mapper would print a password that was typed here.
type boolean struct{}

func (boolean) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	if ctx.Scan.Peek().Type != kong.FlagValueToken { // a switch takes no other word
		target.SetBool(true)
		return nil
	}
	return decode(ctx, "true or false", func(text string) bool {
		value, ok := booleans[strings.ToLower(text)]
		target.SetBool(value)
		return ok
	})
}

func (boolean) IsBool() bool { return true }

var booleans = map[string]bool{"true": true, "yes": true, "1": true, "false": false, "no": false, "0": false}

// text maps a string, byte by byte: kong's own mapper goes through JSON, which cannot hold a byte such as \xff.
type text struct{}

func (text) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	if ctx.Value.Flag == nil { // a word of the command
		target.SetString(ctx.Scan.Pop().String())
		return nil
	}
	return decode(ctx, text{}.PlaceHolder(ctx.Value.Flag), func(text string) bool {
		target.SetString(text)
		return ctx.Value.Enum == "" || slices.Contains(ctx.Value.EnumSlice(), text)
	})
}

// PlaceHolder shows what a flag takes: start|fail.
func (text) PlaceHolder(flag *kong.Flag) string {
	return cmp.Or(flag.PlaceHolder, strings.ReplaceAll(flag.Enum, ",", "|"))
}

// duration maps a time.Duration that is not below the tag least.
type duration struct{}

func (duration) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	least := ctx.Value.Tag.Get("least")
	return decode(ctx, "a duration such as 90s, at least "+least, func(text string) bool {
		shortest, _ := time.ParseDuration(least)
		d, err := time.ParseDuration(text)
		target.SetInt(int64(d))
		rounded := d == 0 && strings.ContainsAny(text, "123456789") // 0.1ns is not "never gives up"
		return err == nil && d >= shortest && !rounded
	})
}

// list is the value of a flag with several URLs. Whether they are valid is asked later: the valid ones count even if
// others are not.
type list []string

// maxURLs keeps the deadline of a wait: hundreds of endpoints together would make it late.
const maxURLs = 100

// Decode splits the value at its commas.
func (l *list) Decode(ctx *kong.DecodeContext) error {
	return decode(ctx, "a URL", func(text string) bool {
		*l = append(*l, strings.Split(text, ",")...)
		return true
	})
}

// valid returns the valid URLs, each once, and what is wrong with the first of the others.
func (l list) valid(validate func(string) error, example string) (urls []string, err error) {
	for _, url := range l {
		wrong := validURL(url, validate)
		if wrong == nil && !slices.Contains(urls, url) {
			urls = append(urls, url)
		}
		if wrong != nil && err == nil {
			err = fmt.Errorf("%q: expected a URL such as %s (a comma inside is %%2C); %w", probe.Redact(strings.Join(l, ",")), example, wrong)
		}
	}
	if len(urls) > maxURLs {
		err = fmt.Errorf("%d URLs: expected at most %d", len(urls), maxURLs)
	}
	return urls, err
}

// validURL says what is wrong with one URL of a list.
func validURL(url string, validate func(string) error) error {
	if url == "" {
		return errors.New("one of several is empty")
	}
	if strings.ContainsFunc(url, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }) { // Cf has no width
		return errors.New("separate URLs by commas, not by white space")
	}
	return validate(url)
}

// statuses are the value of --ready-status: three digits each, or one digit and "xx".
type statuses []string

// Decode adds to the list.
func (s *statuses) Decode(ctx *kong.DecodeContext) error {
	return decode(ctx, "statuses from 200 to 599 separated by commas, or a class such as 2xx", func(text string) bool {
		*s = append(*s, strings.Split(text, ",")...)
		ok, _ := regexp.MatchString(`^([2-5](\d\d|xx),)+$`, text+",")
		return ok
	})
}

// variables is where kong finds values for the flags that are not on the line. A bad one does not end the parse.
type variables struct {
	env []string
	err error // of the first that is bad
}

// Resolve decodes a value once by itself, since kong would name the flag in the error.
func (v *variables) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		text := lookup(v.env, name)
		if text == "" {
			continue
		}
		trial := reflect.New(flag.Target.Type()).Elem()
		err := flag.Mapper.Decode(&kong.DecodeContext{Value: flag.Value, Scan: kong.ScanAsType(kong.FlagValueToken, text)}, trial)
		if err == nil {
			return text, nil
		}
		if v.err == nil {
			v.err = fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil, nil
}

// Validate is called when all flags have their values.
func (v *variables) Validate(*kong.Application) error { return v.err }

// lookup returns "" for a variable that is not set or, as manifests often have them, empty.
func lookup(env []string, name string) string {
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, name); ok && len(value) > 1 && value[0] == '=' {
			return value[1:]
		}
	}
	return ""
}

// serviceVariable is what the kubelet injects for a Service called envoy-wait, or one whose name begins so:
// kubernetes.io/docs/concepts/services-networking/service.
const serviceVariable = `_(SERVICE_HOST=[0-9a-f.:]+|SERVICE_PORT(_[A-Z0-9_]+)?=\d+|PORT(_\d+_(TCP|UDP|SCTP))?=(tcp|udp|sctp)://.+|` +
	`PORT_\d+_(TCP|UDP|SCTP)_(PROTO=(tcp|udp|sctp)|PORT=\d+|ADDR=[0-9a-f.:]+))$`

// unknownVariables returns a warning of the variables that look like ours, and that no flag has.
func unknownVariables(ctx *kong.Context, env []string) []string {
	var known, unknown []string
	for _, flag := range ctx.Model.Flags {
		known = append(known, flag.Envs...)
	}
	isService := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(serviceVariable) }) // hardly ever asked
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		if value != "" && strings.HasPrefix(name, "ENVOY_WAIT_") && !slices.Contains(known, name) && !isService().MatchString(entry) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s: unknown variable, ignored; known are %s", strings.Join(unknown, ", "), strings.Join(known, ", "))}
}
