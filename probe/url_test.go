package probe

import (
	"strings"
	"testing"
)

func TestValidateURL(t *testing.T) {
	const nothingAfter = "nothing may come after the port of tcp://host:port"
	const unix = "the form is unix:///path/to/socket:/ready, or unix:///path/to/socket"
	const file = "the form is file:///path/to/file"
	const space = "white space in the URL; separate URLs by commas, write a space as %20"
	const scheme = "the scheme must be http, https, tcp, unix or file"
	socket := "/" + strings.Repeat("x", 106)
	for raw, want := range map[string]string{
		DefaultURL:                   "",
		"https://[::1]:15021":        "",
		"http://h":                   "",
		"http://h:65535/p?q=1":       "",
		"HTTP://user:pw@h/":          "",
		"":                           scheme,
		" ":                          space,
		"http://h/ ":                 space,
		" http://h/":                 space,
		"http://h/\u00a0":            space, // a no-break space
		"http://h/\u3000":            space,
		"http://h/\u2028":            space,
		"http://h/\u200b":            space, // of no width
		"\ufeffhttp://h/":            space, // a mark of the order of bytes
		"http://h/\t":                space,
		"http://a/ http://b/":        space,
		"http://a/\nhttp://b/":       space,
		"tcp://h:1 ":                 space,
		"file:///a b":                space,
		"http://u:p w@h/":            space,
		"http://h/a%20b?c%20d":       "",
		"http://h/ä":                 "",
		"localhost:15020":            scheme,
		"15020":                      scheme,
		"//h/":                       scheme,
		"ftp://x":                    scheme,
		"http:/h":                    "the host is missing",
		"http://":                    "the host is missing",
		"http://:15020/":             "the host is missing",
		"http://h:":                  "the port after the colon is missing",
		"http://h:0/":                "the port must be from 1 to 65535",
		"http://h:99999/":            "the port must be from 1 to 65535",
		"http://h:-1/":               "not a valid URL",
		"http://h:x/":                "not a valid URL",
		"http://[::1":                "not a valid URL",
		"http://h/\x00":              "not a valid URL",
		"http://h/\n":                space,
		"http://h/%zz":               "not a valid URL",
		"http://user:secret@h:y/":    "not a valid URL",
		"http://h e/":                space,
		"tcp://h:6379":               "",
		"tcp://[::1]:6379/":          "",
		"tcp://h":                    "the port is missing",
		"tcp://h:0":                  "the port must be from 1 to 65535",
		"tcp://:6379":                "the host is missing",
		"tcp://h:1/path":             nothingAfter,
		"tcp://u:p@h:1":              nothingAfter,
		"unix:///run/admin.sock:/r":  "",
		"unix:///run/a b.sock:/r?x":  space,
		"unix:///run/a%20b.sock:/r?": "",
		"unix:///run/admin.sock":     "",
		"unix:///run/admin.sock?x":   unix,
		"unix:///run/admin.sock#x":   unix,
		"unix:///":                   unix,
		"unix://h/run/admin.sock":    unix,
		"unix:/run/admin.sock":       unix,
		"unix://" + socket:           "",
		"unix:///run/admin.sock:":    unix,
		"unix:///run/admin.sock:r":   unix,
		"unix:///:/ready":            unix,
		"unix://run/admin.sock:/r":   unix,
		"unix:/run/admin.sock:/r":    unix,
		"unix://" + socket + ":/r":   "",
		"unix://" + socket + "x:/r":  "the path of a socket has at most 107 bytes",
		"unix:///s%00:/r":            unix,
		"unix:///s:/r?a b":           space,
		"http://h/?a b":              space,
		"file:///a%00b":              file,
		"file:///vault/secrets/db":   "",
		"file://vault/secrets/db":    file,
		"file:///":                   file,
		"file:/vault":                file,
		"file:vault":                 file,
		"file:///a?b":                file,
		"file:///a#b":                file,
		"file:///a%3Fb":              "",
		"tcp://h:1#b":                nothingAfter,
		"http://h\x7f/healthz/ready": "not a valid URL",
	} {
		got := ""
		if err := ValidateURL(raw); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", raw, got, want)
		}
	}
}

func TestRedact(t *testing.T) {
	for raw, want := range map[string]string{
		DefaultURL:                 DefaultURL,
		"http://u:p@h/":            "http://xxxxx@h/",
		"http://token@h/":          "http://xxxxx@h/",
		"http://u:p@p@h/":          "http://xxxxx@h/",
		"http://u:p@h:bad port/":   "http://xxxxx@h:bad port/",
		"u:p@h":                    "xxxxx@h",
		"u:p//w@h":                 "xxxxx@h",
		"u:p@h,http://v:q@b/":      "xxxxx@b/",
		"http://a,http://v:q@b/":   "http://xxxxx@b/",
		"http://u:p@a,http://v@b/": "http://xxxxx@b/",
	} {
		if got := Redact(raw); got != want {
			t.Errorf("%q: got %q, want %q", raw, got, want)
		}
	}
}
