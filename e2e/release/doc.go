// Package release makes a release twice, by make release in two clones of the newest
// commit, and tests its files. The bytes are the same each time, each file has the right
// program, and Debian, qemu and go install can use them. It needs root on Debian 12.
//
//	make e2e-release
package release
