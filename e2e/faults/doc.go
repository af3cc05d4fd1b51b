// Package faults runs the real binary with each fault of an endpoint, a kernel or a
// manifest. Each fault is a row of a table in docs/proof.md.
package faults
