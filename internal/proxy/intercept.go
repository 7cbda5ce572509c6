package proxy

import (
	"farcall/filter"
	"farcall/internal/proxy/network"
	"farcall/internal/seccomp"
	"farcall/syscalls"
	"farcall/syscalls/linux"

	"golang.org/x/sys/unix"
)

// kept are the calls with a descriptor that need not be seen, as they do the same to a stand-in as to what it stands for, or nothing:
// they are about the descriptor and not what is open there, or wait for a file that is always ready, as files are.
var kept = map[string]bool{
	"close": true, "dup": true, "dup2": true, "dup3": true, "close_range": true,
	"poll": true, "ppoll": true, "select": true, "pselect6": true, "epoll_wait": true, "epoll_pwait": true,
	"epoll_pwait2": true, "epoll_create": true, "epoll_create1": true,
	"signalfd": true, "signalfd4": true, "timerfd_settime": true, "timerfd_gettime": true, "inotify_rm_watch": true,
	"pidfd_send_signal": true, "pidfd_getfd": true, "process_madvise": true, "process_mrelease": true, "setns": true, "waitid": true,
	"shutdown":     true, // of a unix socket, which is told to the server
	"mq_timedsend": true, "mq_timedreceive": true, "mq_notify": true, "mq_getsetattr": true,
	"landlock_add_rule": true, "landlock_restrict_self": true, "bpf": true, "perf_event_open": true,
}

// filterOptions are what the calls to be seen depend on.
type filterOptions struct {
	net    bool // sockets may be the server's
	io     bool // reading and writing does not: the kernel does it with whatever is open
	served bool // what is open is served
}

func (p *Proxy) filter() filterOptions {
	served := p.objects.mount != nil
	return filterOptions{p.opts.Net, p.opts.ReadOnly || served, served}
}

// intercepted tells whether a native call has to be seen: whether it can name a file, or, with net, is about a socket that may be the server's.
func intercepted(d *syscalls.Call, o filterOptions) bool {
	if known, seen := network.Knows(d.Name, o.net); known {
		return seen
	}
	if d.Name == "epoll_ctl" {
		return o.served
	}
	if kept[d.Name] || untouched(d.Name, o) {
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

// rules are the filter's rules for the calls that are known.
func rules(action seccomp.Action, o filterOptions) []seccomp.Rule {
	var out []seccomp.Rule
	for nr := range nativeABI.Names() {
		d := linux.Describe(nativeABI, nr)
		if d == nil {
			continue
		}
		if !intercepted(d, o) {
			out = append(out, seccomp.Rule{Number: uint32(nr), Action: seccomp.Allow})
			continue
		}
		if d.Name == "socket" {
			for _, family := range []uint64{unix.AF_INET, unix.AF_INET6} {
				out = append(out, seccomp.Rule{Number: uint32(nr), Action: action, When: []seccomp.Condition{seccomp.Equal(0, 0xffffffff, family)}})
			}
			out = append(out, seccomp.Rule{Number: uint32(nr), Action: seccomp.Allow})
			continue
		}
		if d.Name == "epoll_ctl" {
			out = append(out, seccomp.Rule{Number: uint32(nr), Action: action, When: []seccomp.Condition{seccomp.Equal(1, 0xffffffff, unix.EPOLL_CTL_ADD)}})
			out = append(out, seccomp.Rule{Number: uint32(nr), Action: seccomp.Allow})
			continue
		}
		if d.Name == "mmap" {
			out = append(out, seccomp.Rule{Number: uint32(nr), Action: seccomp.Allow, When: []seccomp.Condition{seccomp.AnyBit(3, mapAnonymous)}})
		}
		out = append(out, seccomp.Rule{Number: uint32(nr), Action: action})
	}
	return out
}

// spec is the whole filter. Calls of other ABIs fail: nobody would see them. So do those that a newer kernel may have: nothing says that they
// are not about files.
func spec(action seccomp.Action, o filterOptions) seccomp.Spec {
	enosys := seccomp.Errno(unix.ENOSYS)
	s := seccomp.Spec{Calls: map[syscalls.ABI]seccomp.Calls{nativeABI: {Default: enosys, Rules: rules(action, o)}}, Other: enosys}
	if nativeABI == syscalls.AMD64 {
		s.Calls[syscalls.X32] = seccomp.Calls{Default: enosys}
	}
	return s
}

// callSet is the same for a tracer.
func callSet(o filterOptions) *filter.CallSet {
	pass := new(filter.CallSet)
	for nr := range nativeABI.Names() {
		if d := linux.Describe(nativeABI, nr); d != nil && !intercepted(d, o) {
			pass.Add(nativeABI, nr)
		}
	}
	return pass.Complement()
}
