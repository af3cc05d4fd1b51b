// Package scuttle runs envoy-wait as a drop-in for scuttle, case by case. Each case has the outcome of scuttle, too. Where
// "make rivals" has built bin/rivals/scuttle, the cases run with it. docs/migrating.md has words for each difference.
package scuttle
