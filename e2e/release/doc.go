// Package release makes a release twice, by make release in two clones of the newest
// commit, and tests its files: the same bytes each time, the right program in each,
// and what Debian, qemu and go install make of them. It needs root on Debian 12.
//
//	make e2e-release
package release
