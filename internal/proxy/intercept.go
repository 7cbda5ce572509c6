package proxy

import (
	"farcall/filter"
	"farcall/internal/seccomp"
	"farcall/syscalls"
	"farcall/syscalls/linux"

	"golang.org/x/sys/unix"
)

// kept are the calls with a descriptor that need not be seen, as they do the same to a stand-in as to what it stands for, or nothing:
// they are about the descriptor and not what is open there, or wait for a file that is always ready, as files are.
var kept = map[string]bool{
	"close": true, "dup": true, "dup2": true, "dup3": true, "close_range": true,
	"poll": true, "ppoll": true, "select": true, "pselect6": true, "epoll_ctl": true, "epoll_wait": true, "epoll_pwait": true,
	"epoll_pwait2": true, "epoll_create": true, "epoll_create1": true,
	"signalfd": true, "signalfd4": true, "timerfd_settime": true, "timerfd_gettime": true, "inotify_rm_watch": true,
	"pidfd_send_signal": true, "pidfd_getfd": true, "process_madvise": true, "process_mrelease": true, "setns": true, "waitid": true,
	"shutdown":     true, // of a unix socket, which is told to the server
	"mq_timedsend": true, "mq_timedreceive": true, "mq_notify": true, "mq_getsetattr": true,
	"landlock_add_rule": true, "landlock_restrict_self": true, "bpf": true, "perf_event_open": true,
}

// intercepted tells whether a native call has to be seen: whether it can name a file, or, with net, is about a socket that may be the server's.
func intercepted(d *syscalls.Call, net bool) bool {
	if network[d.Name] != nil {
		return net || filesNetwork[d.Name]
	}
	if kept[d.Name] {
		return false
	}
	if spot[d.Name] != nil {
		return true
	}
	for _, c := range append([]*syscalls.Call{d}, d.Variants...) {
		if r := rolesOf(c, nativeABI); len(r.paths) > 0 || len(r.fds) > 0 {
			return true
		}
	}
	return false
}

// mapAnonymous is MAP_ANONYMOUS in mmap's fourth argument: there is no file then.
const mapAnonymous = unix.MAP_ANONYMOUS

// rules are the filter's rules for the calls that are seen.
func rules(action seccomp.Action, net bool) []seccomp.Rule {
	var out []seccomp.Rule
	for nr := range nativeABI.Names() {
		d := linux.Describe(nativeABI, nr)
		if d == nil || !intercepted(d, net) {
			continue
		}
		if d.Name == "socket" {
			for _, family := range []uint64{unix.AF_INET, unix.AF_INET6} {
				out = append(out, seccomp.Rule{Number: uint32(nr), Action: action, When: []seccomp.Condition{seccomp.Equal(0, 0xffffffff, family)}})
			}
			continue
		}
		if d.Name == "mmap" {
			out = append(out, seccomp.Rule{Number: uint32(nr), Action: seccomp.Allow, When: []seccomp.Condition{seccomp.AnyBit(3, mapAnonymous)}})
		}
		out = append(out, seccomp.Rule{Number: uint32(nr), Action: action})
	}
	return out
}

// spec is the whole filter. Calls of other ABIs fail: nobody would see them.
func spec(action seccomp.Action, net bool) seccomp.Spec {
	enosys := seccomp.Errno(unix.ENOSYS)
	s := seccomp.Spec{Calls: map[syscalls.ABI]seccomp.Calls{nativeABI: {Rules: rules(action, net)}}, Other: enosys}
	if nativeABI == syscalls.AMD64 {
		s.Calls[syscalls.X32] = seccomp.Calls{Default: enosys}
	}
	return s
}

// callSet is the same for a tracer.
func callSet(net bool) *filter.CallSet {
	set := new(filter.CallSet)
	for abi := syscalls.ABI(0); abi < syscalls.NumABI; abi++ {
		for nr := range abi.Names() {
			if d := linux.Describe(abi, nr); abi != nativeABI || d == nil || intercepted(d, net) {
				set.Add(abi, nr)
			}
		}
	}
	return set
}
