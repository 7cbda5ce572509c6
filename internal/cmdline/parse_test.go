package cmdline

import (
	"strings"
	"testing"
	"time"

	"farcall/filter"
	"farcall/internal/message"
	"farcall/syscalls"

	"github.com/google/go-cmp/cmp"
)

func mustParse(t *testing.T, args string) *Options {
	t.Helper()
	request, err := Parse("farcall", false, strings.Fields(args))
	if err != nil {
		t.Fatalf("%s: %v", args, err)
	}
	if request.Action != ActionTrace {
		t.Fatalf("%s: action %d", args, request.Action)
	}
	return request.Options
}

func calls(t *testing.T, expr string) *filter.CallSet {
	t.Helper()
	set, err := filter.ParseCallSet(expr)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestTraceOptions checks what each option sets, against the options of "true" alone.
func TestTraceOptions(t *testing.T) {
	toFile := func(o *Options) { // what -o does by itself
		o.Output, o.Interruptible, o.Quiet = "x", InterruptNever, QuietAttach|QuietPersonality
	}
	argv0 := "y"
	for _, tt := range []struct {
		args string // before the program "true"
		want func(*Options)
	}{
		{"", func(*Options) {}},
		{"--", func(*Options) {}},
		{"-a 3", func(o *Options) { o.AlignColumn = 3 }},
		{"-A", func(o *Options) { o.OutputAppend = true }},
		{"-b execve", func(o *Options) { o.DetachOnExec = true }},
		{"-c", func(o *Options) { o.Summary = SummaryOnly }},
		{"-C -w", func(o *Options) { o.Summary, o.WallClock = SummaryBoth, true }},
		{"-c -S none -U name,calls", func(o *Options) {
			o.Summary, o.SortBy = SummaryOnly, ColumnNone
			o.SummaryColumns = []SummaryColumn{ColumnName, ColumnCalls}
		}},
		{"-c -O 1.5ms", func(o *Options) {
			o.Summary, o.Overhead = SummaryOnly, Overhead{Time: 1500 * time.Microsecond, Set: true}
		}},
		{"-d", func(o *Options) { o.Debug = true }},
		{"-D", func(o *Options) { o.Daemon, o.Interruptible = DaemonGrandchild, InterruptNeverTSTP }},
		{"-DDD", func(o *Options) { o.Daemon, o.Interruptible = DaemonSession, InterruptNeverTSTP }},
		{"--daemonize=pgrp -I1", func(o *Options) { o.Daemon, o.Interruptible = DaemonPgroup, InterruptAnywhere }},
		{"-E A=b=c -E D", func(o *Options) {
			o.Env = []EnvChange{{Name: "A", Value: "b=c"}, {Name: "D", Unset: true}}
		}},
		{"-f", func(o *Options) { o.Follow = true }},
		{"-ff", func(o *Options) { o.Follow = true }}, // no -o: no files
		{"-F", func(o *Options) { o.Follow = true }},
		{"-ffo x", func(o *Options) { toFile(o); o.Follow, o.OutputSeparately = true, true }},
		{"--follow-forks=output-separately -o x", func(o *Options) { toFile(o); o.Follow, o.OutputSeparately = true, true }},
		{"--output-separately -o x", func(o *Options) { toFile(o); o.OutputSeparately = true }},
		{"-f --output-separately -o x", func(o *Options) { toFile(o); o.Follow = true }}, // as strace: -f alone clears it
		{"-ox", toFile},
		{"-o x -e quiet=none", func(o *Options) { toFile(o); o.Quiet = 0 }},
		{"-o x -I waiting", func(o *Options) { toFile(o); o.Interruptible = InterruptWaiting }},
		{"-p 1,2 -p 3", func(o *Options) { o.Attach = []int{1, 2, 3} }},
		{"-P /a -P b", func(o *Options) { o.Paths = []string{"/a", "b"} }},
		{"-q", func(o *Options) { o.Quiet = QuietAttach | QuietPersonality }},
		{"-qq", func(o *Options) { o.Quiet = QuietAttach | QuietPersonality | QuietExit }},
		{"-qqq", func(o *Options) { o.Quiet = QuietAll }},
		{"--quiet", func(o *Options) { o.Quiet = QuietAttach | QuietPersonality }},
		{"-e q=!exits,superseded", func(o *Options) { o.Quiet = QuietAll &^ QuietExit &^ QuietThreadExecve }},
		{"-r", func(o *Options) { o.Relative = true }},
		{"-r --rel=ns", func(o *Options) { o.Relative, o.RelPrecision = true, Nanoseconds }},
		{"-T --syscall-times=s", func(o *Options) { o.CallTimes, o.CallPrecision = true, Seconds }},
		{"-t", func(o *Options) { o.Timestamps = TimeOfDay }},
		{"-tt", func(o *Options) { o.Timestamps, o.TimePrecision = TimeOfDay, Microseconds }},
		{"-ttt", func(o *Options) { o.Timestamps, o.TimePrecision = TimeUnix, Microseconds }},
		{"--timestamps", func(o *Options) { o.Timestamps = TimeOfDay }},
		{"--timestamps=ms", func(o *Options) { o.Timestamps, o.TimePrecision = TimeOfDay, Milliseconds }},
		{"--timestamps=unix --timestamps=ns", func(o *Options) { o.Timestamps, o.TimePrecision = TimeUnix, Nanoseconds }},
		{"--timestamps=unix,ns --timestamps=none", func(o *Options) { o.TimePrecision = Nanoseconds }},
		{"-s99", func(o *Options) { o.StringLimit = 99 }},
		{"-v", func(o *Options) { o.Abbrev = calls(t, "none") }},
		{"-v -e abbrev=all", func(*Options) {}},
		{"-e raw=open", func(o *Options) { o.Raw = calls(t, "open") }},
		{"-e verbose=!open", func(o *Options) { o.Verbose = calls(t, "!open") }},
		{"-x", func(o *Options) { o.HexStrings = HexNonASCII }},
		{"-xx", func(o *Options) { o.HexStrings = HexAll }},
		{"--strings-in-hex", func(o *Options) { o.HexStrings = HexAll }},
		{"--strings-in-hex=non-ascii-chars", func(o *Options) { o.HexStrings = HexNonASCIIChars }},
		{"-X raw", func(o *Options) { o.ConstStyle = ConstRaw }},
		{"-y", func(o *Options) { o.DecodeFDs = FDPath }},
		{"-yy", func(o *Options) { o.DecodeFDs = AllFDDetails }},
		{"--decode-fds=!path", func(o *Options) { o.DecodeFDs = AllFDDetails &^ FDPath }},
		{"-Y", func(o *Options) { o.DecodePIDs = PIDComm }},
		{"--decode-pids=comm,pidns", func(o *Options) { o.DecodePIDs = AllPIDDetails }},
		{"--pidns-translation", func(o *Options) { o.DecodePIDs = PIDNamespace }},
		{"-z", func(o *Options) { o.Status = StatusSuccessful }},
		{"-Zz -e status=!failed", func(o *Options) { o.Status = AllStatuses &^ StatusFailed }},
		{"-i -n -N", func(o *Options) { o.InstructionPtr, o.SyscallNumber, o.ArgNames = true, true, true }},
		{"--argv0 y", func(o *Options) { o.Argv0 = &argv0 }},
		{"--kill-on-exit --syscall-limit=7 --always-show-pid", func(o *Options) {
			o.KillOnExit, o.SyscallLimit, o.AlwaysShowPID = true, 7, true
		}},
		{"--seccomp-bpf", func(o *Options) { o.Seccomp = SeccompOn }},
		{"--seccomp-bpf=no", func(o *Options) { o.Seccomp = SeccompOff }},
		{"--format json --color --cpu=off --seize=no --describe=f", func(o *Options) {
			o.Format, o.Color, o.CPU, o.Seize, o.Describe = FormatJSON, ColorAlways, CPUOff, false, "f"
		}},
		{"-e open", func(o *Options) { o.Calls = calls(t, "open") }},
		{"-e trace=close -e open", func(o *Options) { o.Calls = calls(t, "open") }},
		{"-e signal=INT,9", func(o *Options) { o.Signals = SignalSet{1<<2 | 1<<9} }},
		{"-e signal=none", func(o *Options) { o.Signals = SignalSet{} }},
		{"-e read=3,1 -e write=!2", func(o *Options) {
			o.ReadDump, o.WriteDump = &NumberSet{members: []int{1, 3}}, &NumberSet{inverted: true, members: []int{2}}
		}},
		{"--trace-fds=0", func(o *Options) { o.TraceFDs = &NumberSet{members: []int{0}} }},
		{"--tips", func(*Options) {}},
	} {
		t.Run(tt.args, func(t *testing.T) {
			want := mustParse(t, "true")
			tt.want(want)
			got := mustParse(t, tt.args+" true")
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(NumberSet{}), cmp.Comparer(func(a, b *filter.CallSet) bool { return *a == *b })); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCommandKeepsItsOptions(t *testing.T) {
	o := mustParse(t, "-f ls -l -- -f")
	if diff := cmp.Diff([]string{"ls", "-l", "--", "-f"}, o.Command); diff != "" {
		t.Error(diff)
	}
}

func TestShowsPID(t *testing.T) {
	for args, want := range map[string]bool{
		"true": false, "-f true": false, "-f -o x true": true, "-ff -o x true": false, "-o x true": false,
		"-o x -p 1,2": true, "-o x -p 1": false, "--always-show-pid true": true,
	} {
		if got := mustParse(t, args).ShowsPID(); got != want {
			t.Errorf("%s: %v", args, got)
		}
	}
}

func TestSetStrings(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{StatusSet(StatusFailed | 0x80).String(), "failed,0x80"},
		{Quiet(0).String(), "none"},
		{(FDPath | FDPidfd).String(), "path,pidfd"},
		{PIDDetails(AllPIDDetails).String(), "comm,pidns"},
		{DaemonMode(9).String(), "DaemonMode(9)"},
		{Interrupt(InterruptNeverTSTP).String(), "never_tstp"},
		{Precision(Nanoseconds).String(), "ns"},
		{(&NumberSet{}).String(), "none"},
		{(&NumberSet{inverted: true}).String(), "all"},
		{(&NumberSet{inverted: true, members: []int{1, 5}}).String(), "!1,5"},
		{(&SignalSet{1<<2 | 1<<33}).String(), "INT,RT_1"},
		{(&SignalSet{1<<9 | 1<<32}).String(), "KILL,RTMIN"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
	signals, err := parseSignals("!KILL")
	if err != nil || signals.String() != "!KILL" || signals.Has(9) || !signals.Has(10) || signals.Has(-1) || signals.Has(256) {
		t.Errorf("!KILL: %s, %v", &signals, err)
	}
}

func TestCompletion(t *testing.T) {
	for _, tt := range []struct {
		args, word string
		want       string // the first of what is proposed
	}{
		{"", "--outp", "--output-append-mode"},
		{"-f", "--colo", "--color"},
		{"", "--color=n", "--color=never"},
		{"-e", "openat2", "openat2"},
		{"-e", "trace=!close,openat2", "trace=!close,openat2"},
		{"-e", "%fil", "%file"},
		{"", "--trace=openat2", "--trace=openat2"},
		{"-e", "signal=", ""},
		{"ls", "-", ""},
		{"--", "-", ""},
		{"", "l", ""},
	} {
		out, _ := Complete(nil, strings.Fields(tt.args), tt.word)
		got := ""
		if len(out) > 0 {
			got = out[0]
		}
		if got != tt.want {
			t.Errorf("%s %s: %q, want %q", tt.args, tt.word, out, tt.want)
		}
	}
}

// FuzzParseTrace: whatever the arguments, there is an answer, messages are of one line unless
// the user's words are not, and finished options are complete.
func FuzzParseTrace(f *testing.F) {
	for _, line := range []string{
		"", "-", "--", "-fQ", "--bogus=3", "-o -fo", "--s true", "--output=", "-p _", "-E true", "-V -Q", "-p 1;2 true", "-- -o",
		"-o |cat -ff true", "-cC true", "-DDDD true", "-tttt true", "--timestamps=format:unix,precision:us true", "-s 0x10 true",
		"-I 7 true", "-X raw -b execve true", "-O 1.5ms -c true", "-U calls,name -S time -c true", "-e trace=/(a true",
		"-e trace=?open@32,%file -e signal=!int -e status=failed -e quiet=all true", "-e inject=read:error=EIO:when=2+ true",
		"--in main,f(a,b) --until-return=2 true", "--marks=a,b* -p 1", "--where ret<0 true", "--rule read\xc2\xa0then\xc2\xa0short true", "-kk --profile=x true",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		request, err := Parse("farcall", false, strings.Split(line, " "))
		if err != nil {
			if _, ok := err.(*message.Error); !ok {
				t.Fatalf("%q: error of type %T: %v", line, err, err)
			}
			if strings.Contains(err.Error(), "\n") && !strings.Contains(line, "\n") {
				t.Fatalf("%q: %q", line, err)
			}
			return
		}
		if request.Action != ActionTrace {
			return
		}
		o := request.Options
		switch {
		case len(o.Command) == 0 && len(o.Attach) == 0:
			t.Fatalf("%q: nothing to trace", line)
		case o.Interruptible == InterruptDefault:
			t.Fatalf("%q: Interruptible is not resolved", line)
		case o.Calls == nil || o.Abbrev == nil || o.Verbose == nil || o.Raw == nil:
			t.Fatalf("%q: a set is missing", line)
		case o.OutputSeparately && o.Output == "" && !strings.Contains(line, "o"):
			t.Fatalf("%q: separate files without a name", line)
		case o.Calls.Has(syscalls.AMD64, 1<<40) && !o.Calls.Unnamed():
			t.Fatalf("%q: %s", line, o.Calls)
		}
	})
}
