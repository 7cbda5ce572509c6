package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os/user"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"farcall/internal/message"
	"farcall/internal/seccomp"
	"farcall/remote/server"
	"farcall/syscalls"

	"golang.org/x/sys/unix"
)

// An account is whom a server runs as.
type account struct {
	name     string
	uid, gid int
	groups   []int
}

// findAccount looks a user up. It has to be done before the root directory changes.
func findAccount(name string) (*account, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, message.Fail("%v", err)
	}
	a := &account{name: name}
	ids, err := u.GroupIds()
	if err == nil {
		a.uid, err = strconv.Atoi(u.Uid)
	}
	if err == nil {
		a.gid, err = strconv.Atoi(u.Gid)
	}
	for _, id := range ids {
		n, cerr := strconv.Atoi(id)
		err = errors.Join(err, cerr)
		a.groups = append(a.groups, n)
	}
	if err != nil {
		return nil, message.Fail("user %s: %v", name, err)
	}
	return a, nil
}

// become makes the process the account's, for good: without capabilities, now or by what it might execute.
func (a *account) become() error {
	fails := func(what string, err error) error {
		e := &message.Error{Text: fmt.Sprintf("become %s: %s: %v", a.name, what, err)}
		if errors.Is(err, unix.EPERM) {
			e.Remedy = "only root can become another user"
		}
		return e
	}
	for c := uintptr(0); ; c++ { // the bounding set, until there is no such capability
		_, _, e := syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, c, 0)
		if e == unix.EINVAL && c > unix.CAP_AUDIT_READ || e == unix.ENOTSUP { // built with cgo: changing the user and NO_NEW_PRIVS have to do
			break
		}
		if e != 0 {
			return fails("drop capabilities", e)
		}
	}
	if err := syscall.Setgroups(a.groups); err != nil {
		return fails("setgroups", err)
	}
	if err := syscall.Setresgid(a.gid, a.gid, a.gid); err != nil {
		return fails("setresgid", err)
	}
	if err := syscall.Setresuid(a.uid, a.uid, a.uid); err != nil {
		return fails("setresuid", err)
	}
	if a.uid == 0 { // root keeps what it is not told to give up
		return fails("setresuid", errors.New("it is root"))
	}
	return nil
}

// confine takes from the process what it will not need.
func confine(root string, a *account, writes bool, messages *message.Printer) error {
	if root != "" {
		if err := changeRoot(root); err != nil {
			return err
		}
	}
	if a != nil {
		if err := a.become(); err != nil {
			return err
		}
	}
	if !writes {
		// Without Landlock there is one lock less, as documented.
		if err := server.GiveUpWriting(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			messages.Warn("warning: " + err.Error())
		}
	}
	if err := filterServer(); err != nil {
		messages.Warn("warning: " + err.Error())
	}
	return nil
}

func changeRoot(dir string) error {
	err := server.ChangeRoot(dir)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return &message.Error{Text: err.Error(), Remedy: "changing the root directory needs root (CAP_SYS_CHROOT); in a user namespace: unshare -r farcall serve ..."}
	case err != nil:
		return message.Fail("%v", err)
	}
	return nil
}

// serverCalls are the system calls that a server makes once it serves: those of the Go runtime, of connections, and those that are carried for clients.
var serverCalls = strings.Fields(`
	read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 close dup dup3 fcntl lseek pipe2 eventfd2
	mmap munmap mprotect madvise mincore brk mremap futex membarrier rseq set_robust_list
	rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait sigaltstack tgkill tkill
	gettid getpid getppid getuid geteuid getgid getegid getgroups getresuid getresgid uname umask
	sched_yield sched_getaffinity getrandom restart_syscall exit exit_group getrlimit setrlimit prlimit64 getrusage sysinfo
	nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday timer_create timer_settime timer_delete setitimer
	epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 poll ppoll select pselect6
	inotify_init1 inotify_add_watch inotify_rm_watch
	socket socketpair bind listen accept accept4 connect shutdown getsockname getpeername getsockopt setsockopt
	sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg
	open openat openat2 stat lstat fstat newfstatat statx statfs fstatfs getdents64 readlink readlinkat
	access faccessat faccessat2 mkdirat mknodat unlinkat renameat renameat2 linkat symlinkat
	fchmod fchmodat fchmodat2 fchown fchownat utimensat truncate ftruncate fallocate copy_file_range sendfile splice tee
	fadvise64 readahead fsync fdatasync syncfs sync_file_range msync flock memfd_create
	getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr
	listxattrat getxattrat setxattrat removexattrat file_getattr
`)

// serverFilter allows these, and makes all others fail with EPERM: above all those that execute programs, trace, mount, load code into the kernel or change
// who the process is.
func serverFilter() seccomp.Spec {
	eperm := seccomp.Errno(unix.EPERM)
	calls := seccomp.Calls{Default: eperm}
	rule := func(name string, action seccomp.Action, when ...seccomp.Condition) {
		if nr, ok := nativeABI.Number(name); ok { // not every architecture has all
			calls.Rules = append(calls.Rules, seccomp.Rule{Number: uint32(nr), Action: action, When: when})
		}
	}
	for _, name := range serverCalls {
		rule(name, seccomp.Allow)
	}
	const cmd = 0xffffffff // an int
	rule("ioctl", eperm, seccomp.Equal(1, cmd, unix.TIOCSTI))
	rule("ioctl", seccomp.Allow, seccomp.Condition{Arg: 1, Mask: cmd, Min: 0x5400, Max: 0x54ff}) // terminals, and bytes that wait in sockets
	rule("clone", seccomp.Allow, seccomp.AnyBit(0, unix.CLONE_THREAD))
	rule("clone3", seccomp.Errno(unix.ENOSYS)) // its flags are in memory: clone is used instead
	rule("prctl", seccomp.Allow, seccomp.Equal(0, cmd, unix.PR_SET_VMA))
	return seccomp.Spec{Calls: map[syscalls.ABI]seccomp.Calls{nativeABI: calls}, Other: eperm}
}

// filterServer installs the filter in all threads, for good.
func filterServer() error {
	p, err := seccomp.Compile(serverFilter())
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := seccomp.NoNewPrivs(); err != nil {
		return err
	}
	_, err = p.Install(unix.SECCOMP_FILTER_FLAG_TSYNC)
	return err
}
