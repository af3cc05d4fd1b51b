// Package e2e holds the tests that run the real static binary against real
// processes, sockets, terminals and namespaces. Those that need containers or a
// redirected network are in the directories below it.
package e2e
