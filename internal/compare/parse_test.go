package compare

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func parseText(t testing.TB, text string) *Trace {
	t.Helper()
	trace, err := Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

func TestParseJoinsHalves(t *testing.T) {
	trace := parseText(t, `10  read(3,  <unfinished ...>
11  futex(0x7f0000000000, FUTEX_WAIT, 2, NULL <unfinished ...>
10  <... read resumed>"a, (b", 10)          = 5
11  <... futex resumed>)                    = ?
12  pause( <unfinished ...>)                = ?
11  +++ exited with 0 +++
`)
	want := []string{`read(3, "a, (b", 10) = 5`, `futex(0x7f0000000000, FUTEX_WAIT, 2, NULL) = ?`, `pause() = ?`}
	for i, th := range trace.Threads {
		if got := th.Lines[0].Text; got != want[i] {
			t.Errorf("thread %d: %q, want %q", i, got, want[i])
		}
	}
	read := trace.Threads[0].Lines[0]
	if want := []string{"3", `"a, (b"`, "10"}; !slices.Equal(read.Args, want) || read.Result != "5" || read.Name != "read" {
		t.Errorf("read: name %q args %q result %q", read.Name, read.Args, read.Result)
	}
	if len(trace.Broken) > 0 {
		t.Errorf("broken: %q", trace.Broken)
	}
}

func TestParseFamily(t *testing.T) {
	trace := parseText(t, `10 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f0000000a10) = 11
10 clone3({flags=CLONE_VM|CLONE_THREAD, stack_size=0x7fff80} => {parent_tid=[12]}, 88) = 12
12 clone(child_stack=0x7f0000000000, flags=CLONE_VM|CLONE_THREAD) = 13
13 vfork( <unfinished ...>
11 +++ exited with 0 +++
14 getpid() = 14
13 <... vfork resumed>) = 14
`)
	byPID := map[int]*Thread{}
	for _, th := range trace.Threads {
		byPID[th.PID] = th
	}
	tests := []struct{ pid, parent, group int }{{11, 10, 0}, {12, 10, 10}, {13, 12, 10}, {14, 13, 0}}
	for _, tt := range tests {
		th := byPID[tt.pid]
		if th.parent != byPID[tt.parent] || th.group != byPID[tt.group] {
			t.Errorf("%d: parent %v, group %v", tt.pid, th.parent, th.group)
		}
	}
}

// A pid that the kernel gives out a second time is another thread.
func TestParsePIDReused(t *testing.T) {
	trace := parseText(t, "10 fork() = 11\n11 exit_group(0) = ?\n11 +++ exited with 0 +++\n10 fork() = 11\n11 getpid() = 11\n")
	if len(trace.Threads) != 3 {
		t.Fatalf("%d threads, want 3", len(trace.Threads))
	}
	if a, b := trace.Threads[1], trace.Threads[2]; a.created != 1 || b.created != 4 {
		t.Errorf("created by lines %d and %d, want 1 and 4", a.created, b.created)
	}
}

func TestParseExecByThread(t *testing.T) {
	for name, text := range map[string]string{
		"as written when lines were in between": "",
		"as written when nothing came between": `10 clone(flags=CLONE_THREAD) = 11
11 execve("/bin/true", ["true"], 0x7fff00000000 /* 0 vars */ <pid changed to 10 ...>
10 +++ superseded by execve in pid 11 +++
10 <... execve resumed>) = 0
10 brk(NULL) = 0x55550000
10 +++ exited with 0 +++
`,
	} {
		if text == "" {
			b, err := os.ReadFile("testdata/execthread.trace")
			if err != nil {
				t.Fatal(err)
			}
			text = string(b)
		}
		trace := parseText(t, text)
		if len(trace.Threads) != 2 || len(trace.Broken) > 0 {
			t.Fatalf("%s: %d threads, broken %q", name, len(trace.Threads), trace.Broken)
		}
		caller := trace.Threads[1]
		i := slices.IndexFunc(caller.Lines, func(l Line) bool { return l.Name == "execve" })
		if i < 0 || caller.Lines[i].Result != "0" || caller.Lines[i+1].Name != "brk" {
			t.Errorf("%s: the caller's lines: %+v", name, caller.Lines)
		}
	}
}

func TestParseSaysWhatIsBroken(t *testing.T) {
	for _, text := range []string{
		"10 <... read resumed>) = 0\n",
		"10 \n",
		"10 read(3,  <unfinished ...>\n10 close(3) = 0\n",
		"10 read(3,  <unfinished ...>\n10 <... write resumed>) = 0\n",
	} {
		if len(parseText(t, text).Broken) == 0 {
			t.Errorf("nothing broken in %q", text)
		}
	}
}

func TestParseCallThatNobodySawBegin(t *testing.T) {
	trace := parseText(t, "10 <... ??? resumed>)                = ?\n10 +++ exited with 0 +++\n")
	if lines := trace.Threads[0].Lines; len(trace.Broken) > 0 || len(lines) != 2 || lines[0].Kind != KindNote {
		t.Errorf("lines %+v, broken %q", lines, trace.Broken)
	}
	if trace := parseText(t, "10 read(3,  <unfinished ...>\n10 <... ??? resumed>) = ?\n"); len(trace.Broken) == 0 {
		t.Error("nothing broken where another call was begun")
	}
}

func TestAlignment(t *testing.T) {
	tests := []struct {
		line string
		want bool
	}{
		{"close(3)                                = 0", false},
		{"4424  brk(NULL)                         = 0x563b3bbd4000", false},
		{"close(3)                               = 0", true},
		{"close(3) = 0", true},
		{`openat(AT_FDCWD, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3`, false},
		{`openat(AT_FDCWD, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC)  = 3`, true},
		{"12:00:00 close(3)                       = 0 <0.000012>", false},
	}
	for _, tt := range tests {
		if got := parseText(t, tt.line+"\n").Threads[0].Lines[0].Misaligned; got != tt.want {
			t.Errorf("misaligned %v: %q", got, tt.line)
		}
	}
}

func TestNormalise(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	tests := []struct{ in, want string }{
		{"mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, -1, 0) = 0x7f6112992000", "mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, -1, 0) = <addr>"},
		{"f(0x1000, 0x12345, 0x23456|O_X, O_X|0x34567, 0x45678 /* X_??? */)", "f(0x1000, <addr>, 0x23456|O_X, O_X|0x34567, 0x45678 /* X_??? */) [no result]"},
		{"f(0x12345,0x23456)", "f(<addr>,<addr>) [no result]"},
		{`read(3, "0xdeadbeef", 77) = 77`, `read(3, "<addr>", 77) = 77`},
		{"kill(77, SIGTERM) = 0", "kill(<P0>, SIGTERM) = 0"},
		{`openat(AT_FDCWD, "/proc/77/stat", O_RDONLY) = 77`, `openat(AT_FDCWD, "/proc/<P0>/stat", O_RDONLY) = <P0>`},
		{`write(1, "a\n77\n", 5) = 5`, `write(1, "a\n<P0>\n", 5) = 5`},
		{"kill(770, SIGTERM) = 0", "kill(770, SIGTERM) = 0"},
		{"nanosleep({tv_sec=1, tv_nsec=5}, {tv_sec=0, tv_nsec=7}) = 0", "nanosleep({tv_sec=1, tv_nsec=5}, {tv_sec=<t>, tv_nsec=<t>}) = 0"},
		{"clock_nanosleep(CLOCK_REALTIME, 0, {tv_sec=1, tv_nsec=5}, NULL) = 0", "clock_nanosleep(CLOCK_REALTIME, 0, {tv_sec=1, tv_nsec=5}, NULL) = 0"},
		{"clock_gettime(CLOCK_REALTIME, {tv_sec=1, tv_nsec=5}) = 0", "clock_gettime(CLOCK_REALTIME, {tv_sec=<t>, tv_nsec=<t>}) = 0"},
		{`getrandom("\x01\"", 2, GRND_NONBLOCK) = 2`, "getrandom(<random>, 2, GRND_NONBLOCK) = 2"},
		{"stat(x, {st_mode=S_IFREG|0644, st_size=5, st_mtime=1767322800 /* 2026-01-02T03:00:00+0000 */}) = 0", "stat(x, {st_mode=S_IFREG|0644, st_size=5, st_mtime=<time>}) = 0"},
		{"stat(x, {st_mtime=1500000000 /* 2017 */, st_ino=12}) = 0", "stat(x, {st_mtime=1500000000 /* 2017 */, st_ino=<inode>}) = 0"},
		{"--- SIGCHLD {si_status=0, si_utime=1 /* 0.01 s */, si_stime=0} ---", "--- SIGCHLD {si_status=0, si_utime=<t>, si_stime=<t>} ---"},
		{"connect(3, {sa_family=AF_INET, sin_port=htons(80)}, 16) = 0", "connect(3, {sa_family=AF_INET, sin_port=htons(80)}, 16) = 0"},
		{"accept(3, {sa_family=AF_INET, sin_port=htons(41234)}, [16]) = 4", "accept(3, {sa_family=AF_INET, sin_port=htons(<port>)}, [16]) = 4"},
	}
	for _, tt := range tests {
		n := newNormaliser(Options{Now: now})
		n.pids[77] = "<P0>"
		l := Line{Text: tt.in}
		if strings.HasPrefix(tt.in, "---") {
			l.Kind = KindSignal
		}
		l.split()
		if got, _ := n.normalise(&l); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.in, got, tt.want)
		}
	}
}

func TestTemporaryNames(t *testing.T) {
	a := "openat(AT_FDCWD, \"/tmp/ccAbCdEf.s\", O_RDWR|O_CREAT|O_EXCL, 0600) = 3\nwrite(1, \"as -o x /tmp/ccAb\"..., 99)             = 99\n"
	b := strings.ReplaceAll(strings.ReplaceAll(a, "ccAbCdEf", "ccXyZzYy"), "ccAb\"", "ccXy\"")
	if r := Compare(parseText(t, a), parseText(t, b), Options{}); len(r.Differences) > 0 {
		t.Errorf("temporary names differ: %+v", r.Differences)
	}
	kept := strings.Replace(a, "/tmp/ccAbCdEf.s", "/tmp/index.lock", 1)
	if r := Compare(parseText(t, a), parseText(t, kept), Options{}); len(r.Differences) == 0 {
		t.Error("a name of another kind goes for the same")
	}
	plain := strings.ReplaceAll(a, "|O_EXCL", "")
	if r := Compare(parseText(t, plain), parseText(t, strings.ReplaceAll(plain, "ccAbCdEf", "ccXyZzYy")), Options{}); len(r.Differences) != 1 {
		t.Errorf("a name that is not temporary: %d differences, want 1", len(r.Differences))
	}
}

func TestNoiseMustDifferInTheSameWay(t *testing.T) {
	base := "10 poll([{fd=3}], 1, 100) = 0 (Timeout)\n10 read(3, \"x\", 1) = 1\n10 close(3) = 0\n"
	tests := []struct {
		name, a, again string
		noise          bool
	}{
		{"result differs in both", strings.Replace(base, "0 (Timeout)", "1", 1), strings.Replace(base, "0 (Timeout)", "2", 1), true},
		{"argument here, result there", strings.Replace(base, "100", "101", 1), strings.Replace(base, "0 (Timeout)", "1", 1), false},
		{"missing in both", strings.Replace(base, "10 close(3) = 0\n", "", 1), strings.Replace(base, "10 close(3) = 0\n", "", 1), true},
		{"missing here, changed there", strings.Replace(base, "10 close(3) = 0\n", "", 1), strings.Replace(base, "close(3)", "close(4)", 1), false},
		{"extra in both", base + "10 close(9) = 0\n", base + "10 close(8) = 0\n", true},
		{"extra elsewhere", base + "10 close(9) = 0\n", "10 close(9) = 0\n" + base, false},
		{"only here", strings.Replace(base, "100", "101", 1), base, false},
	}
	for _, tt := range tests {
		r := Compare(parseText(t, tt.a), parseText(t, base), Options{}, parseText(t, tt.again))
		if len(r.Differences) != 1 || r.Differences[0].Noise != tt.noise {
			t.Errorf("%s: %+v", tt.name, r.Differences)
		}
	}
}

func TestThreadsOfOneProcessPairByLikeness(t *testing.T) {
	head := "1 clone(flags=CLONE_THREAD) = 2\n1 clone(flags=CLONE_THREAD) = 3\n"
	reader := strings.Repeat("2 read(3, 0x10, 5) = 5\n", 30)
	writer := strings.Repeat("3 write(4, 0x10, 5) = 5\n", 30)
	swap := strings.NewReplacer("\n2 ", "\n3 ", "\n3 ", "\n2 ")
	a, b := head+reader+writer, head+swap.Replace("\n" + reader + writer)[1:]
	if r := Compare(parseText(t, a), parseText(t, b), Options{}); r.Share(false) < 0.95 {
		t.Errorf("%s", r.Summary())
	}
}

// FuzzParse: whatever the text, nothing panics, and a trace that makes sense does not differ from itself.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"testdata/execthread.trace", "testdata/pipeline.trace"} {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text[:2000])
	}
	f.Add([]byte("1 f(\"\\\n1 <... f resumed>\n1 +++ superseded by execve in pid 1 +++\n1 clone(CLONE_THREAD) = 1\n2 fork() = 1\n1 fork() = 2\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<14 {
			return
		}
		a, err := Parse(bytes.NewReader(text))
		if err != nil {
			return
		}
		b, _ := Parse(bytes.NewReader(text))
		if r := Compare(a, b, Options{}); len(r.Differences) > 0 {
			t.Errorf("differs from itself: %+v", r.Differences)
		}
	})
}
