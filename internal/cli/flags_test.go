package cli

import (
	"strings"
	"sync"
)

// Flag is what the tags of flags say.
type Flag struct {
	Name, Group, Help string
	Placeholder       string // of the value; "" for a switch
	Default           string // "" where there is none
	Variable          string // "" where there is none
	Values            []string
	Switch            bool // it needs no value
	Repeats           bool
}

// Flags returns the flags in the order of the help.
var Flags = sync.OnceValue(func() (all []Flag) {
	parser, err := newParser()
	if err != nil {
		panic(err)
	}
	for _, f := range parser.Model.Flags {
		flag := Flag{
			Name: f.Name, Group: f.Group.Key, Help: f.Help, Placeholder: f.Tag.Get("placeholder"), Default: f.Tag.Get("normally"),
			Variable: f.Tag.Get("variable"), Switch: f.Tag.Has("switch"), Repeats: f.Tag.Has("repeats"),
		}
		if values := f.Tag.Get("values"); values != "" {
			flag.Values = strings.Split(values, ",")
		}
		if flag.Name == "sidecar" {
			flag.Values = presetNames()
		}
		if flag.Placeholder == "" {
			flag.Placeholder = strings.Join(flag.Values, "|")
		}
		all = append(all, flag)
	}
	return all
})
