// Package scuttle runs envoy-wait as a drop-in for scuttle, case by case, and says for each case how scuttle ends. Where
// bin/rivals/scuttle is there, as "make rivals" builds it, the same cases run with scuttle too. docs/migrating.md has a
// sentence for each difference.
package scuttle
