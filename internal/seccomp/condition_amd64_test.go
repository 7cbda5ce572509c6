package seccomp

import (
	"bytes"
	"math/rand/v2"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"farcall/decode"
	"farcall/filter"
	"farcall/syscalls"
	"farcall/syscalls/linux"
)

func parse(t testing.TB, text string) *filter.Expr {
	t.Helper()
	e, err := filter.Parse(text)
	if err == nil {
		err = e.Check(filter.Table{})
	}
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return e
}

// On the real kernel, a condition on an int sees the int, whatever stands above it in the register, in both interfaces.
func TestKernelConditions(t *testing.T) {
	e := parse(t, `args.fd in (101, 102) and not args.fd == 101`)
	p, _ := compile(t, Spec{Calls: map[syscalls.ABI]Calls{
		syscalls.AMD64: {Rules: []Rule{{Number: unix.SYS_CLOSE, Action: Errno(unix.ENODATA), If: e.Registers(filter.Table{}, syscalls.AMD64, unix.SYS_CLOSE).Cond}}},
		syscalls.I386:  {Rules: []Rule{{Number: 6, Action: Errno(unix.EMFILE), If: e.Registers(filter.Table{}, syscalls.I386, 6).Cond}}},
	}})
	cmd := exec.Command(buildCalls(t))
	cmd.Stdin = bytes.NewReader(filterInput(p))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	compareLines(t, string(out), lines(
		"installed",
		"64 getppid", nil,
		"32 getppid", nil,
		"64 64", nil,
		"32 110", nil,
		"64 x32", nil,
		"64 -1", nil,
		"64 close 100", -int(unix.EBADF),
		"64 close 101", -int(unix.EBADF),
		"64 close 102", -int(unix.ENODATA),
		"64 close 103", -int(unix.EBADF),
		"64 close int", -int(unix.ENODATA),
		"32 close 102", -int(unix.EMFILE),
	))
}

// conditions are held against random arguments of calls that they are about, and of others.
var conditions = []string{
	`args.flags has O_CREAT|O_EXCL or args.dfd == AT_FDCWD`, `args.fd < 3`, `args.fd in (0, 2..5, -1)`, `args.count >= 4G or args.count == 0`,
	`not (args.fd == 1 and args.count > 16)`, `args.prot has any PROT_WRITE|PROT_EXEC`, `args.offset < -5`, `args.offset in -2..2`,
	`arg0 == -1 or arg1 > 0xffffffff`, `args.user != -1`, `args.sig in (SIGTERM, SIGKILL) and args.pid <= 0`, `args.cmd == TCGETS`,
	`args.filename glob "/x*" and args.flags & O_ACCMODE != O_RDONLY`, `args.flags has O_CREAT and failed`, `args.mode == 1`, `name in %desc and fd != 2`,
	`args.request in (PTRACE_ATTACH, PTRACE_CONT)`, `args.addr == NULL`, `args.how > 1`, `args.flags == O_RDONLY`,
}

// TestConditionsAgainstClosures compiles what registers decide of conditions, for each call, and has the interpreter decide random
// calls: it never lets a call pass that the whole condition accepts, and agrees with it where it decides alone.
func TestConditionsAgainstClosures(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	stopped, passed := 0, 0
	for _, text := range conditions {
		e := parse(t, text)
		s := Spec{Calls: map[syscalls.ABI]Calls{}}
		reach := e.Reach(filter.Table{})
		for _, abi := range allABIs {
			var rules []Rule
			for nr := range reach.Calls.Calls(abi) {
				rules = append(rules, Rule{Number: uint32(nr), Action: Trace(1), If: reach.When(abi, nr)})
			}
			s.Calls[abi] = Calls{Rules: rules}
		}
		p, in := compile(t, s)
		t.Logf("%s: %d instructions, at most %d for a call", text, p.Len(), p.Depth())
		program, err := e.Compile(filter.Table{})
		if err != nil {
			t.Fatal(err)
		}
		var call decode.Call
		for _, abi := range allABIs {
			for nr, name := range abi.Names() {
				if linux.Multiplexes(abi, name) {
					continue
				}
				args := arguments(random, abi)
				call.Enter(linux.Describe(abi, nr), abi, nr, args, nothing{}, decode.Options{})
				accepted := program.Entry(&filter.Env{Call: &call})
				action := in.run(auditArch[abi], callOf(abi, nr, args))
				exact := e.Registers(filter.Table{}, abi, nr).Exact
				if accepted != filter.False && action != Trace(1) || exact && (accepted == filter.True) != (action == Trace(1)) {
					t.Fatalf("%s: %v %s %#x: %v, the filter says %v", text, abi, name, args, accepted, action)
				}
				if action == Trace(1) {
					stopped++
				} else {
					passed++
				}
			}
		}
	}
	if stopped < 500 || passed < 5000 {
		t.Errorf("%d calls stopped, %d passed", stopped, passed)
	}
}

func callOf(abi syscalls.ABI, nr uint64, args [6]uint64) call {
	return call{abi: abi, number: uint32(nr), args: args}
}

// arguments are small numbers, beside zero, some with garbage above 32 bits.
func arguments(r *rand.Rand, abi syscalls.ABI) (args [6]uint64) {
	for i := range args {
		args[i] = r.Uint64N(8) - 3
		switch r.IntN(4) {
		case 0:
			args[i] = r.Uint64()
		case 1:
			args[i] = args[i]&0xffffffff | r.Uint64()<<32
		case 2:
			args[i] = 1 << r.IntN(64)
		}
		if abi == syscalls.I386 {
			args[i] &= 0xffffffff
		}
	}
	return args
}

// nothing is a memory without any.
type nothing struct{}

func (nothing) Read(uint64, []byte) int { return 0 }
func (nothing) ReadV(r []decode.Range) {
	for i := range r {
		r[i].N = 0
	}
}
