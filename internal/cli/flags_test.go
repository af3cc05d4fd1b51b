package cli

import (
	"slices"
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
func Flags() []Flag { return slices.Clone(allFlags()) }

var allFlags = sync.OnceValue(func() (all []Flag) {
	parser, err := newParser()
	if err != nil {
		panic(err)
	}
	for _, f := range parser.Model.Flags {
		flag := Flag{
			Name: f.Name, Group: f.Group.Key, Help: f.Help, Placeholder: f.Tag.Get("placeholder"), Default: f.Tag.Get("normally"),
			Variable: f.Tag.Get("variable"), Switch: f.Tag.Has("switch") && f.Name != "version" && f.Name != "help", Repeats: f.Tag.Has("repeats"),
		}
		if values := f.Tag.Get("values"); values != "" {
			flag.Values = strings.Split(values, ",")
		}
		if flag.Placeholder == "" {
			flag.Placeholder = strings.Join(flag.Values, "|")
		}
		all = append(all, flag)
	}
	return all
})

// Preset is what a row of presets says.
type Preset struct{ Name, Ready, Status, Quit, Note string }

// Presets returns the presets in the order of the help.
func Presets() (all []Preset) {
	for _, p := range presets {
		all = append(all, Preset{p.name, p.ready, p.status, p.quit, p.note})
	}
	return all
}
