package cli

import (
	_ "embed"
	"reflect"
	"strings"
	"sync"
)

// helpText is made from the flags by make docs.
//
//go:embed help.txt
var helpText string

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
	for _, field := range reflect.VisibleFields(reflect.TypeFor[flags]()) {
		tag := field.Tag
		f := Flag{
			Name: tag.Get("name"), Group: tag.Get("group"), Help: tag.Get("help"), Default: tag.Get("normally"),
			Variable: tag.Get("variable"), Values: splitList(tag.Get("values")),
		}
		_, f.Switch = tag.Lookup("switch")
		_, f.Repeats = tag.Lookup("repeats")
		if f.Name == "sidecar" {
			f.Values = presetNames()
		}
		if f.Placeholder = tag.Get("placeholder"); f.Placeholder == "" {
			f.Placeholder = strings.Join(f.Values, "|")
		}
		if f.Name != "" { // else the command
			all = append(all, f)
		}
	}
	return all
})

// flagCalled returns the flag of that name, or a zero Flag.
func flagCalled(name string) Flag {
	for _, f := range Flags() {
		if f.Name == name {
			return f
		}
	}
	return Flag{}
}
