// Package faults holds the tests that do everything bad to the real binary that
// an endpoint, a kernel or a manifest can: each fault is a row of a table, and
// docs/reliability.md shows what was seen.
package faults
