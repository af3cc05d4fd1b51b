//go:build linux

package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// denied is what the default profile of containers denies to a process without
// capabilities, github.com/moby/profiles/seccomp: EPERM for these, ENOSYS for
// what a program is to take for an old kernel's lack.
var denied = []uint32{
	unix.SYS_ACCT, unix.SYS_ADD_KEY, unix.SYS_ADJTIMEX, unix.SYS_BPF, unix.SYS_CHROOT, unix.SYS_CLOCK_ADJTIME, unix.SYS_CLOCK_SETTIME,
	unix.SYS_DELETE_MODULE, unix.SYS_FANOTIFY_INIT, unix.SYS_FINIT_MODULE, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSOPEN,
	unix.SYS_FSPICK, unix.SYS_GET_MEMPOLICY, unix.SYS_INIT_MODULE, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
	unix.SYS_IO_URING_SETUP, unix.SYS_KCMP, unix.SYS_KEXEC_LOAD, unix.SYS_KEYCTL, unix.SYS_LOOKUP_DCOOKIE, unix.SYS_MBIND,
	unix.SYS_MIGRATE_PAGES, unix.SYS_MOUNT, unix.SYS_MOUNT_SETATTR, unix.SYS_MOVE_MOUNT, unix.SYS_MOVE_PAGES, unix.SYS_NFSSERVCTL,
	unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_OPEN_TREE, unix.SYS_PERF_EVENT_OPEN, unix.SYS_PIVOT_ROOT, unix.SYS_QUOTACTL, unix.SYS_REBOOT,
	unix.SYS_REQUEST_KEY, unix.SYS_SET_MEMPOLICY, unix.SYS_SETDOMAINNAME, unix.SYS_SETHOSTNAME, unix.SYS_SETNS, unix.SYS_SETTIMEOFDAY,
	unix.SYS_SWAPOFF, unix.SYS_SWAPON, unix.SYS_SYSLOG, unix.SYS_UMOUNT2, unix.SYS_UNSHARE, unix.SYS_USERFAULTFD, unix.SYS_VHANGUP,
}

// newer is where the numbers end that the profile knows: all above are ENOSYS.
const newer = 462 // mseal

// denyByDefault sets the filter for this process and what it becomes.
func denyByDefault() error {
	const (
		number  = 0  // offsets in struct seccomp_data
		arg0    = 16 // its lower half, on a little-endian machine
		isEqual = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		load    = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		ret     = unix.BPF_RET | unix.BPF_K
		eperm   = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
		enosys  = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
		newNS   = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER |
			unix.CLONE_NEWPID | unix.CLONE_NEWNET
	)
	filter := []unix.SockFilter{{Code: load, K: number}}
	on := func(code uint16, k uint32, action ...unix.SockFilter) {
		filter = append(filter, unix.SockFilter{Code: code, K: k, Jf: uint8(len(action))})
		filter = append(filter, action...)
	}
	for _, call := range denied {
		on(isEqual, call, unix.SockFilter{Code: ret, K: eperm})
	}
	on(isEqual, unix.SYS_CLONE3, unix.SockFilter{Code: ret, K: enosys})
	on(unix.BPF_JMP|unix.BPF_JGT|unix.BPF_K, newer, unix.SockFilter{Code: ret, K: enosys})
	// Threads are allowed, namespaces are not; nor are sockets of odd families.
	on(isEqual, unix.SYS_CLONE,
		unix.SockFilter{Code: load, K: arg0},
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: newNS, Jf: 1},
		unix.SockFilter{Code: ret, K: eperm},
		unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ALLOW})
	on(isEqual, unix.SYS_SOCKET,
		unix.SockFilter{Code: load, K: arg0},
		unix.SockFilter{Code: isEqual, K: unix.AF_ALG, Jt: 1},
		unix.SockFilter{Code: isEqual, K: unix.AF_VSOCK, Jf: 1},
		unix.SockFilter{Code: ret, K: eperm},
		unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ALLOW})
	filter = append(filter, unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ALLOW})

	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	// All threads: Go may run what follows on any of them.
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	return nil
}
