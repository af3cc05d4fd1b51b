// Package legacy holds the tests of the examples for machines without containers:
// init script and systemd unit. They need root: each test has a machine of its own,
// that is namespaces for network, processes and mounts.
package legacy
