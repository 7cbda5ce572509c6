package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"farcall/internal/cmdline"
	"farcall/internal/message"
)

// compareRow is a command line that farcall, called strace, and the strace of the machine must
// answer alike: the same messages, and the same status where they refuse it.
type compareRow struct {
	args string // separated by spaces; "_" stands for an empty argument, "␣" for a space
	// bare rows stand as they are; the others go on with a harmless program.
	bare bool
	// differs says why the answers are not alike. Such a row fails when they are.
	differs string
}

// tail makes the program of a row harmless and keeps its trace out of the messages.
var tail = []string{"-o", "/dev/null", "true"}

func (r compareRow) argv() []string {
	var out []string
	for _, w := range strings.Fields(r.args) {
		if w == "_" {
			w = ""
		}
		out = append(out, strings.ReplaceAll(w, "␣", " "))
	}
	if !r.bare {
		out = append(out, tail...)
	}
	return out
}

func plain(rows ...string) (out []compareRow) {
	for _, r := range rows {
		out = append(out, compareRow{args: r})
	}
	return out
}

func bare(rows ...string) (out []compareRow) {
	for _, r := range rows {
		out = append(out, compareRow{args: r, bare: true})
	}
	return out
}

func differ(reason string, rows ...string) (out []compareRow) {
	for _, r := range rows {
		out = append(out, compareRow{args: r, differs: reason})
	}
	return out
}

const (
	laterOption   = "an option of strace later than 6.1"
	laterArgument = "an argument that later versions of strace take"
	newerTables   = "farcall's tables know calls of newer kernels"
	notServed     = "accepted, but not served by this version"
	extension     = "farcall takes more"
)

var compareRows = concat(
	// The shape of the command line.
	bare("", "-", "--", "-Q", "-fQ", "-f-", "--bogus", "--bogus=3", "-o", "-fo", "--output", "--summary=3", "--s true",
		"--str true", "--tr=foo true", "--=x", "--output=", "-e", "-p", "-p _", "-E true", "-D -p 1", "-h -Q", "-Q -h",
		"-V -Q", "-V -V", "-fV", "-p abc", "-p 0", "-p -1", "-p 1x", "-p 1;2 true", "-- -o", "-f -- -- true",
		"nosuchprogram", "/nosuch/program", "-o /dev/null nosuchprogram", "_", "-f _", "./nosuch",
		"-o /nosuch/x true", "-o /tmp true", "-A -o /nosuch/x true", "-o |cat -ff true", "-o !cat -ff true",
		"-o |cat -f --output-separately true", "-ff -c -o /dev/null true", "-c --output-separately -o /dev/null true",
		"-A -e trace=none -e signal=none -qqq true", "-f --output-separately -A -e trace=none -qqq true",
		"--output-separately -e trace=none -qqq true", "-ff -e trace=none -qqq true", "--daemonize -p 1",
		"-dddd", "-u", "-u _", "-u nosuch", "-u nosuch -ccC", "-u nosuch -zz true",
	),
	// Conflicts and what has no effect.
	plain("-c -C", "-C -c", "-cC", "-cc", "-CC", "-w", "-cw", "-U calls", "-S calls", "-F", "-fF", "-zZ", "-zz", "-z",
		"-ci", "-Ci", "-cn -r -t -T -y", "-c --timestamps=none", "-c --decode-fds=none", "-D --daemonize",
		"-DDDD", "-t --timestamps=us", "-x --strings-in-hex", "-x --strings-in-hex=none", "-y --decode-fds",
		"-yy -e decode-fds=none", "-f --follow-forks", "-ff --output-separately", "-ff --follow-forks", "-q --quiet=all",
		"-q -e q=none", "-qqqq", "-tttt", "-xxx", "-yyy", "-vvv", "-A", "--output-separately", "-F -F",
		"-k", "-ck", "--stack-traces",
	),
	// Arguments.
	plain("-s -1", "-s abc", "-s +3", "-s 1k", "-s 0x10", "-s ␣3", "-s 3␣", "-s _", "--string-limit=abc",
		"-s 1073741823", "-s 1073741824", "-s 4294967295", "-s 99999999999999999999", "-a x", "-a0", "-a -1", "-a -0",
		"-a 0x10", "--columns=99999999999", "-I 7", "-I 0", "-I 4x", "-I anywhere", "-I ALWAYS", "-I never_tstp", "-I +2",
		"-I default", "-X foo", "-X RAW", "-X raw", "-b foo", "-b execve", "-b _", "-b execveat",
		"-O x", "-O 1x", "-O -1", "-O 1s", "-O 1.5ms", "-O 1e3", "-O 1e", "-O .5", "-O nan", "-O inf", "-O 0x1", "-O 1MS",
		"-O 1ms2", "-O _", "-O .", "-O 1e400", "-c -S foo", "-c -S CALLS", "-c -S _", "-c -S none", "-c -S nothing", "-c -S time",
		"-c -S shortest", "-c -S longest", "-c -S count", "-c -S error", "-c -S syscall", "-c -U foo", "-c -U _",
		"-c -U calls,calls", "-c -U calls,name,calls,errors", "-c -U calls,", "-c -U ,calls", "-c -U name",
		"-c -U time,percent", "-c -U time,time-percent", "-c -U nothing", "-c -U count,error,syscall-name",
		"-E =x", "-E x=", "-E _", "-E x -E x=y", "-P /nosuch", "-u root",
		"-r=x", "--rel=MS", "--rel=", "--rel=x", "--relative-timestamps=ns", "--syscall-ti=x", "--syscall-times=s",
		"--abs=x", "--abs=time,us", "--timestamps=", "--timestamps=,", "--timestamps=FORMAT:UNIX,PRECISION:US",
		"--timestamps=format:us", "--timestamps=precision:unix", "--timestamps=none", "--timestamps=format:",
		"--strings=foo", "--strings=ALL", "--strings=", "--strings-in-hex=non-ascii-chars", "--strings-in-hex=none",
		"--dae=foo", "--daemonize=", "--daemonize=none", "--tips=foo", "--tips=id:3,format:none", "--tips=none",
		"--tips=id:none", "--tips=format:3", "--tips=random,none", "-n=3", "-f=3", "--failing-only", "--pidns-t",
	),
	// Sets other than of calls.
	plain("-e signal=foo", "-e signal=", "-e signal=!", "-e signal=none", "-e signal=!all", "-e signal=!int,kill",
		"-e signal=300", "-e signal=256", "-e signal=255", "-e signal=0", "-e signal=-1", "-e signal=1x",
		"-e signal=sigkill", "-e signal=SIGRT_3", "-e signal=SIGRT_32", "-e signal=SIGRT_33", "-e signal=SIGRT_0",
		"-e signal=rtmin",
		"-e signal=SIGSTKFLT", "-e signal=SIGLOST", "-e signal=SIG", "-e signal=SIGSIGINT", "-e signal=all,int",
		"-e s=int", "--signal=foo", "--signals=int", "--sig=none",
		"-e status=foo", "-e status=successful,", "-e status=FAILED", "-e status=!failed,detached", "-e status=_",
		"-e quiet=x", "-e q=attach", "-e quiet=ATTACH,exits", "-e silence=superseded", "--quiet=foo", "--quiet=",
		"--quiet=,", "--silent=none", "-e quiet", "-e decode-fds=foo", "-e decode-fd=path", "-e decode-fds=pidfd,dev,socket",
		"--decode-fds=", "--decode-pids=foo", "--decode-pids=comm,pidns", "-e decode-pid=all", "-YY", "--decode-pids",
		"-e read=-1", "-e read=x", "-e reads=0,1", "-e r=all", "-e write=99999999", "-e write=2147483648", "-e w=!1",
		"-e write=", "--read=x", "--write=,",
	),
	// Sets of calls.
	plain("-e trace=foo", "-e foo", "-e foo=bar", "-e _", "-e trace=", "-e trace", "-e t=open", "-e t:open", "-e trace=,",
		"-e trace=open,,close", "-e trace=!", "-e trace=!!", "-e trace=!!!open", "-e trace=open,!close", "-e trace=none",
		"-e trace=!all", "-e trace=none,open", "-e trace=all,open", "-e trace=%all", "-e trace=?nosuch", "-e trace=??",
		"-e trace=?", "-e trace=?nosuch,nosuch", "-e trace=open@32", "-e trace=open@x32", "-e trace=@32",
		"-e trace=open@foo", "-e trace=?open@foo", "-e trace=open@64@32", "-e trace=all@32", "-e trace=%file@32",
		"-e trace=none@32", "-e trace=/open@32", "-e trace=waitpid@64", "-e trace=waitpid@32", "-e trace=?waitpid@64",
		"-e trace=99999", "-e trace=-1", "-e trace=+1", "-e trace=0x1", "-e trace=1x", "-e trace=1", "-e trace=1@x32",
		"-e trace=512", "-e trace=512@64", "-e trace=512@x32", "-e trace=335", "-e trace=4294967296", "-e trace=00001",
		"-e trace=%foo", "-e trace=creds", "-e trace=clock", "-e trace=file", "-e trace=net", "-e trace=network",
		"-e trace=%network", "-e trace=%net", "-e trace=pure", "-e trace=stat", "-e trace=%%stat", "-e trace=%%statfs",
		"-e trace=%statfs,%fstatfs", "-e trace=%file,%desc,%memory,%process,%creds,%signal,%ipc,%stat,%lstat,%fstat,%pure,%clock",
		"-e trace=umount", "-e trace=pread", "-e trace=newselect", "-e trace=_newselect", "-e trace=sys_open",
		"-e trace=OPEN", "-e trace=open␣", "-e !open", "-e ?foo", "-e /open", "-e %file", "-e abbrev=foo", "-e a=none", "-e v=none",
		"-e raw=open", "-e x=foo", "--trace=foo", "--trace=!open", "--abbrev=foo", "--verbose=%foo", "--raw=,",
		"-e trace=nosuch -e trace=open", "-e trace=open -e trace=nosuch",
	),
	// Regular expressions.
	plain("-e trace=/(", "-e trace=/)", "-e trace=/(a))", "-e trace=/((a)", "-e trace=/*", "-e trace=/(*", "-e trace=/a|*",
		"-e trace=/^*", "-e trace=/+", "-e trace=/a**", "-e trace=/o+?", "-e trace=/[z-a]", "-e trace=/[", "-e trace=/[^",
		"-e trace=/[]", "-e trace=/[a", "-e trace=/[[:foo:]]", "-e trace=/[[:alpha:", "-e trace=/[[:alpha:]]", "-e trace=/a{",
		"-e trace=/a{1", "-e trace=/a{x", "-e trace=/{", "-e trace=/a{2,1}", "-e trace=/a{1}", "-e trace=/a{70000}",
		`-e trace=/\`, `-e trace=/a\`, `-e trace=/\(`, `-e trace=/\w+`, `-e trace=/\<open\>`, `-e trace=/\bopen\b`,
		`-e trace=/[\w]`, "-e trace=/", "-e trace=/()", "-e trace=/|", "-e trace=/(|a)", "-e trace=/(?:o)", "-e trace=/^",
		"-e trace=/nosuchcall", "-e trace=/^open(at)?$", "-e trace=/^o.*t$@32", `-e trace=/\.`, "-e trace=?/nosuchcall",
		`-e trace=/op*en\>`,
	),
	// Injection: mistakes are told apart, and doubtful values warned of.
	plain("-e inject=open", "-e inject=foo:error=1", "-e inject=open:error=EFOO", "-e inject=open:when=0:error=1",
		"-e inject=open:delay_enter=1x", "-e inject=:error=1", "-e inject=", "-e fault=", "-e fault=:", "-e fault=open:foo=1",
		"-e fault=open:retval=1", "-e fault=foo", "-e inject=open:error=0", "-e inject=open:error=4096",

		"-e inject=open:signal=65", "-e inject=open:signal=0", "-e inject=open:syscall=getpid", "-e inject=open:syscall=open",
		"-e inject=open:poke_exit=@arg8=00", "-e inject=open:poke_exit=@arg1=0", "-e inject=open:poke_exit=",
		"-e inject=open:delay_exit=", "-e inject=open:error=1:retval=2", "-e inject=open:error=1:error=2",
		"-e inject=open:when=1..65535:error=1", "-e inject=open:when=5..3:error=1", "-e inject=open:when=1+0:error=1",
		"-e inject=open:when=1.2:error=1", "-e inject=open:retval=x", "-e inject=open:retval=", "-e inject=open:retval=08",
		"-e inject=open:retval=0b1", "-e inject=open:retval=1_0", "-e inject=open:retval=99999999999999999999",
		"-e inject=open:when=1", "-e fault=open:when=x", "-e inject=open:", "--kvm=foo", "-e kvm=", "-e kvm=foo", "--secontext", "-e secontext=foo",
	),
	plain("-e inject=open:error=1", "-e inject=open:error=eperm:when=3..5+2", "-e inject=open:error=ERESTARTSYS",
		"-e inject=open:retval=-1", "-e inject=open:retval=0x10", "-e inject=open:signal=KILL:delay_enter=1.5ms",
		"-e inject=open:poke_enter=@arg1=00ff,@arg2=00", "-e fault=mq_open", "-e inject=mq_open::error=1",
		"-e inject=open:retval=-4096", "-e inject=open:retval=0xfffff001", "-e inject=open:retval=0x1fffff001",
		"-e inject=open:retval=0x100000000"),
	differ(notServed, "-e kvm=vcpu", "--kvm=vcpu"),
	differ(laterArgument, "--stack-traces=symbol", "--stack-traces=x", "-e decode-fds=signalfd"),
	differ(laterOption, "--argv0=x", "--kill-on-exit", "--syscall-limit=3", "--syscall-limit=0", "--always-show-pid", "-N",
		"--arg-names", "--trace-fds=3", "--trace-fds=x", "-e fd=3", "--namespace"),
	differ("farcall knows the second names of signals and errors, from signal(7) and errno(3)", "-e signal=SIGRTMAX",
		"-e signal=SIGIOT", "-e signal=SIGPOLL", "-e signal=SIGCLD", "-e inject=open:error=EWOULDBLOCK",
		"-e inject=open:error=ENOTSUP", "-e inject=open:error=EDEADLOCK"),
	differ(extension, "--format=json", "--profile=/dev/null", "--format=xml", "--color=never", "--seize=no", "--cpu=off", "--describe=/dev/null",
		"--seccomp-bpf=no", "--follow-forks=output-separately"),
	differ("filtering by seccomp needs neither -f nor a process of its own", "--seccomp-bpf", "--seccomp-bpf -f -b execve"),
	differ(newerTables, "-e trace=460"),
	differ("back references are beyond Go's regular expressions", `-e trace=/(o)\1`, `-e trace=/(o)(p)\2`),
	differ("farcall looks for the program first, and leaves the old trace as it was when there is none",
		"-o /nosuch/x nosuchprogram --"),
)

func concat(lists ...[]compareRow) (out []compareRow) {
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

// answer is what a command line is answered with before anything is traced.
type answer struct {
	refused  bool
	messages string
}

// straceAnswer asks the machine's strace.
func straceAnswer(t *testing.T, argv []string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "strace")
	cmd.Args = append([]string{"strace"}, argv...)
	cmd.WaitDelay = 5 * time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("strace %q: %v", argv, err)
	}
	a := answer{refused: err != nil}
	for line := range strings.Lines(stderr.String()) {
		if strings.HasPrefix(line, "strace: ") || strings.HasPrefix(line, "Try '") {
			a.messages += line
		}
	}
	return a
}

// ownAnswer is traceMain up to the point where tracing would begin.
func ownAnswer(argv []string) answer {
	var b strings.Builder
	m := &message.Printer{W: &b, Name: "strace", Help: "strace -h", AsStrace: true}
	request, err := cmdline.Parse("strace", true, argv)
	for _, w := range request.Warnings {
		m.Warn(w)
	}
	if err == nil && request.Action == cmdline.ActionTrace {
		err = prepareTrace(request.Options)
	}
	if err != nil {
		m.Error(err)
	}
	return answer{refused: err != nil, messages: b.String()}
}

func needStrace(t *testing.T) {
	t.Helper()
	out, err := exec.Command("strace", "-V").Output()
	if err != nil || !bytes.HasPrefix(out, []byte("strace -- version "+straceVersion+"\n")) {
		t.Skipf("needs strace %s", straceVersion)
	}
	if os.Getuid() != 0 {
		t.Skip("some messages differ for users other than root")
	}
}

func TestMessagesLikeStrace(t *testing.T) {
	needStrace(t)
	for _, row := range compareRows {
		t.Run(row.args, func(t *testing.T) {
			theirs, ours := straceAnswer(t, row.argv()), ownAnswer(row.argv())
			switch {
			case row.differs == "" && ours != theirs:
				t.Errorf("strace: %+v\nfarcall: %+v", theirs, ours)
			case row.differs != "" && ours == theirs:
				t.Errorf("no longer differs (%s): %+v", row.differs, ours)
			}
		})
	}
}

// TestAbbreviationsLikeStrace tries every beginning of every long option of strace's.
func TestAbbreviationsLikeStrace(t *testing.T) {
	if testing.Short() {
		t.Skip("runs strace several hundred times")
	}
	needStrace(t)
	tried := map[string]bool{}
	for _, name := range cmdline.LongOptions() {
		if name == "tips" { // they are shown, and are never the same
			continue
		}
		for n := 1; n <= len(name); n++ {
			word := "--" + name[:n]
			if tried[word] {
				continue
			}
			tried[word] = true
			argv := []string{word}
			if theirs, ours := straceAnswer(t, argv), ownAnswer(argv); ours != theirs {
				t.Errorf("%s\nstrace: %+v\nfarcall: %+v", word, theirs, ours)
			}
		}
	}
	t.Logf("%d abbreviations", len(tried))
}

// TestStatusOfMain runs whole command lines that trace nothing.
func TestStatusOfMain(t *testing.T) {
	for _, tt := range []struct {
		args           string
		status         int
		stdout, stderr string // how they begin; "": nothing at all
	}{
		{args: "farcall", status: 1, stderr: "farcall: no command given\nTry 'farcall help'"},
		{args: "farcall -V", stdout: "farcall " + Version},
		{args: "farcall --version", stdout: "farcall " + Version},
		{args: "farcall version", stdout: "farcall " + Version},
		{args: "farcall trace -V", stdout: "farcall " + Version},
		{args: "farcall trace -f --version", stdout: "farcall " + Version},
		{args: "strace -V", stdout: "strace -- version 6.1\n"},
		{args: "/x/strace -V", stdout: "strace -- version 6.1\n"},
		{args: "farcall help", stdout: "farcall stands between"},
		{args: "farcall -h", stdout: "farcall stands between"},
		{args: "farcall trace -h", stdout: "Usage: farcall trace "},
		{args: "farcall help trace", stdout: "Usage: farcall trace "},
		{args: "strace -h", stdout: "Usage: strace "},
		{args: "farcall help nope", status: 1, stderr: "farcall: unknown command 'nope'\n"},
		{args: "farcall tarce ls", status: 1, stderr: "farcall: unknown command 'tarce'\nfarcall: hint: did you mean 'farcall trace'?\nTry 'farcall help'"},
		{args: "farcall true -x", status: 1, stderr: "farcall: unknown command 'true'\nfarcall: hint: to trace that program: farcall trace true -x\n"},
		{args: "farcall --nope", status: 1, stderr: "farcall: unknown flag: --nope\nTry 'farcall help'"},
		{args: "./farcall trace", status: 1, stderr: "./farcall: must have PROG [ARGS] or -p PID\nTry 'farcall trace -h' for more"},
		{args: "x trace -e opne ls", status: 1, stderr: "x: invalid system call 'opne'\nx: hint: did you mean 'open'?\n"},
		{args: "strace -e opne ls", status: 1, stderr: "strace: invalid system call 'opne'\n"},
		{args: "x trace --sumary ls", status: 1, stderr: "x: unrecognized option '--sumary'\nx: hint: did you mean '--summary'?\nTry 'farcall trace -h' for more"},
		{args: "strace --tips=none"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			var stdout, stderr strings.Builder
			status := Main(strings.Fields(tt.args), strings.NewReader(""), &stdout, &stderr)
			if status != tt.status {
				t.Errorf("status %d, want %d", status, tt.status)
			}
			for _, s := range []struct{ name, got, want string }{{"stdout", stdout.String(), tt.stdout}, {"stderr", stderr.String(), tt.stderr}} {
				if !strings.HasPrefix(s.got, s.want) || s.want == "" && s.got != "" {
					t.Errorf("%s is %q, want %q", s.name, s.got, s.want)
				}
			}
		})
	}
}

// TestOwnProcess: the tracer cannot be its own tracee.
func TestOwnProcess(t *testing.T) {
	_, err := cmdline.Parse("strace", true, []string{"-p", fmt.Sprint(os.Getpid())})
	if err == nil {
		t.Fatal("accepted")
	}
	needStrace(t)
	out, _ := exec.Command("sh", "-c", "exec strace -p $$").CombinedOutput()
	if got := "strace: " + err.Error() + "\n"; got != string(out) {
		t.Errorf("%q, strace says %q", got, out)
	}
}
