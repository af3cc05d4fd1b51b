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
)

// decode takes the value of a flag, which is never empty. A value that begins with "-" needs a "=" before it.
func decode(ctx *kong.DecodeContext, expected string, accept func(text string) bool) error {
	token, err := ctx.Scan.PopValue("")
	text := token.String()
	if token.IsEOL() {
		text = ""
	}
	if err != nil || text == "" || !accept(text) {
		return fmt.Errorf("%q: expected %s", text, expected)
	}
	return nil
}

// decodeText decodes a string byte by byte. kong's own mapper goes through JSON, which cannot hold a byte such as \xff.
func decodeText(ctx *kong.DecodeContext, target reflect.Value) error {
	if ctx.Value.Flag == nil { // a word of the command
		target.SetString(ctx.Scan.Pop().String())
		return nil
	}
	return decode(ctx, ctx.Value.Flag.PlaceHolder, func(text string) bool {
		target.SetString(text)
		return ctx.Value.Enum == "" || slices.Contains(ctx.Value.EnumSlice(), text)
	})
}

// decodeDuration decodes a time.Duration that is not below the tag least.
func decodeDuration(ctx *kong.DecodeContext, target reflect.Value) error {
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
	return decode(ctx, fmt.Sprintf("1 to %d URLs", maxURLs), func(text string) bool {
		*l = append(*l, strings.Split(text, ",")...)
		return len(*l) <= maxURLs
	})
}

// valid returns the valid URLs, each once, and what is wrong with the first of the others.
func (l list) valid(validate func(string) error, example string) (urls []string, err error) {
	for _, url := range l {
		wrong := validURL(url, validate)
		switch {
		case wrong == nil && !slices.Contains(urls, url):
			urls = append(urls, url)
		case wrong != nil && err == nil:
			err = fmt.Errorf("%q: expected a URL such as %s (a comma inside is %%2C); %w", strings.Join(l, ","), example, wrong)
		}
	}
	return urls, err
}

// validURL says what is wrong with one URL of a list.
func validURL(url string, validate func(string) error) error {
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
		if text := lookup(v.env, name); text != "" {
			value := &kong.DecodeContext{Value: flag.Value, Scan: kong.ScanAsType(kong.FlagValueToken, text)}
			err := flag.Mapper.Decode(value, reflect.New(flag.Target.Type()).Elem())
			if err == nil {
				return text, nil
			}
			v.err = cmp.Or(v.err, fmt.Errorf("%s: %w", name, err))
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
const serviceVariable = `_(SERVICE_HOST|PORT_\w+_ADDR)=[0-9a-f.:]+$|_(SERVICE_PORT\w*|PORT_\w+_PORT)=\d+$|_PORT(_\w+)?=(tcp|udp|sctp)(://.+)?$`

// warnOfUnknown adds one warning, of all variables that look like ours and that no flag has.
func (f *flags) warnOfUnknown(ctx *kong.Context) {
	var known, unknown []string
	for _, flag := range ctx.Model.Flags {
		known = append(known, flag.Envs...)
	}
	isService := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(serviceVariable) }) // hardly ever asked
	for _, entry := range f.env {
		name, value, _ := strings.Cut(entry, "=")
		if value != "" && strings.HasPrefix(name, "ENVOY_WAIT_") && !slices.Contains(known, name) && !isService().MatchString(entry) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		f.warn("%s: unknown variable, ignored; known are %s", strings.Join(unknown, ", "), strings.Join(known, ", "))
	}
}
