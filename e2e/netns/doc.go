// Package netns holds the tests in which the network is redirected as in a Pod of
// a mesh, and those of the examples for machines without containers. They need
// root: each test has network, PID and mount namespaces of its own.
package netns
