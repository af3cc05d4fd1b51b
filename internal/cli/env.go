package cli

import (
	"regexp"
	"slices"
	"strings"
)

const variablePrefix = "ENVOY_WAIT_"

// lookup returns "" for a variable that is not set or, as manifests often have
// them, empty.
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

// unknownVariables returns the names with our prefix that have no meaning, except
// those that Kubernetes injects for a Service called envoy-wait.
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

// serviceVariable is what the kubelet injects for a Service envoy-wait, or one
// whose name begins so: kubernetes.io/docs/concepts/services-networking/service.
const serviceVariable = `^ENVOY_WAIT_(.*_)?(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`
