//go:build amd64

package stack

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"farcall/event"
	"farcall/internal/ptrace"
	"farcall/symbols/unwind"
)

// debugger is a gdb that is told what to do line by line.
type debugger struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string
}

// limit is how long gdb may take for one command.
const limit = 60 * time.Second

// end is what gdb prints behind a command's output.
const end = "---end of command---"

func startDebugger(t *testing.T, program string, args ...string) *debugger {
	t.Helper()
	d := &debugger{t: t, lines: make(chan string, 1000)}
	d.cmd = exec.Command("gdb", append([]string{"-nx", "-q", "--args", program}, args...)...)
	d.cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBUGINFOD_URLS=", "GODEBUG=asyncpreemptoff=1")
	var err error
	if d.in, err = d.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	d.cmd.Stderr = d.cmd.Stdout
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(d.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			d.lines <- strings.TrimPrefix(s.Text(), "(gdb) ")
		}
	}()
	t.Cleanup(func() {
		d.in.Close()
		go func() {
			for range d.lines {
			}
		}()
		stop := time.AfterFunc(limit, func() { _ = d.cmd.Process.Kill() })
		_ = d.cmd.Wait()
		stop.Stop()
	})
	for _, c := range []string{
		"set pagination off", "set confirm off", "set width 0", "set backtrace past-main on", "set breakpoint pending on",
		"set startup-with-shell off", "handle SIGPIPE SIGURG nostop noprint pass", "source testdata/frames.py",
	} {
		d.do(c)
	}
	return d
}

// do has gdb execute a command and returns what it printed.
func (d *debugger) do(command string) []string {
	d.t.Helper()
	fmt.Fprintf(d.in, "%s\necho \\n%s\\n\n", command, end)
	var out []string
	deadline := time.After(limit)
	for {
		select {
		case line, ok := <-d.lines:
			switch {
			case !ok:
				d.t.Fatalf("gdb: %s: gdb has ended:\n%s", command, strings.Join(out, "\n"))
			case strings.HasSuffix(line, end):
				return out
			}
			out = append(out, line)
		case <-deadline:
			d.t.Fatalf("gdb: %s: no answer:\n%s", command, strings.Join(out, "\n"))
		}
	}
}

// gdbFrame is a frame as gdb sees it.
type gdbFrame struct {
	pc   uint64
	kind string
	name string
}

// stop is what gdb says of the thread that it has stopped; false once the program has ended.
func (d *debugger) stop() (pid int, regs ptrace.X86Regs, frames []gdbFrame, ok bool) {
	r := &regs
	fields := map[string]*uint64{
		"rax": &r.Rax, "rdx": &r.Rdx, "rcx": &r.Rcx, "rbx": &r.Rbx, "rsi": &r.Rsi, "rdi": &r.Rdi, "rbp": &r.Rbp, "rsp": &r.Rsp,
		"r8": &r.R8, "r9": &r.R9, "r10": &r.R10, "r11": &r.R11, "r12": &r.R12, "r13": &r.R13, "r14": &r.R14, "r15": &r.R15, "rip": &r.Rip,
	}
	for _, line := range append(d.do("registers"), d.do("frames")...) {
		word := strings.SplitN(line, " ", 4)
		switch {
		case word[0] == "pid" && len(word) == 2:
			pid, _ = strconv.Atoi(word[1])
			ok = pid != 0
		case word[0] == "reg" && len(word) == 3:
			*fields[word[1]], _ = strconv.ParseUint(word[2], 0, 64)
		case word[0] == "frame" && len(word) == 4:
			pc, _ := strconv.ParseUint(word[1], 0, 64)
			frames = append(frames, gdbFrame{pc, word[2], word[3]})
		}
	}
	return pid, regs, frames, ok && len(frames) > 0
}

// plainName takes from a function's name what the two programs write differently: parameters,
// template arguments, the marks that compilers put behind names, versions.
func plainName(s string) string {
	s = strings.TrimSuffix(s, "@plt")
	s = regexp.MustCompile(`(\.(isra|constprop|part|cold|lto_priv|llvm|abi0|abiinternal)(\.\d+)*)+$`).ReplaceAllString(s, "")
	s = regexp.MustCompile(` \[clone .*\]`).ReplaceAllString(s, "")
	var b strings.Builder
	depth := 0
	for i, c := range s {
		switch {
		case c == '(' && (strings.HasPrefix(s[i:], "(*") || strings.HasPrefix(s[i:], "(anonymous")): // Go's pointer receivers
			b.WriteString(s[i:])
			return b.String()
		case c == '(' || c == '<' || c == '[':
			depth++
		case c == ')' || c == '>' || c == ']':
			depth--
		case depth == 0:
			b.WriteRune(c)
		}
	}
	words := strings.Fields(b.String()) // a template's result type comes first
	if len(words) == 0 {
		return s
	}
	return words[len(words)-1]
}

// names are all names that the file has for the function at an address.
func (s *Space) names(pc uint64) map[string]bool {
	out := map[string]bool{}
	a := s.find(pc)
	if a == nil || a.module == nil {
		return out
	}
	addr := pc - a.Bias
	for sym := range a.module.file.Each {
		if addr >= sym.Addr && (addr-sym.Addr < sym.Size || addr == sym.Addr) {
			out[plainName(sym.Demangled())] = true
		}
	}
	return out
}

// code tells whether an address is in memory that can be executed.
func (s *Space) code(pc uint64) bool {
	a := s.find(pc)
	return a != nil && a.Exec
}

// same tells whether a frame is the one that gdb shows at its place. Where gdb has no name, the address tells.
func (s *Space) same(f *event.StackFrame, g gdbFrame) bool {
	if f.IP != g.pc {
		return false
	}
	ours, theirs := plainName(f.Symbol), plainName(g.name)
	return ours == theirs || theirs == "??" || s.names(f.IP - 1)[theirs] || s.names(f.IP)[theirs] || g.kind == "signal"
}

// TestAgainstDebugger compares stacks with those of gdb, at the same stops of the same process: gdb
// stops it at system calls and says what the registers are, and both take the frames from there.
func TestAgainstDebugger(t *testing.T) {
	dir := t.TempDir()
	build := func(name string, args ...string) {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	throws, server := filepath.Join(dir, "throws"), filepath.Join(dir, "server")
	build("g++", "-O2", "-g", "testdata/throws.cc", "-o", throws)
	build("go", "build", "-o", server, "testdata/server/main.go")
	repo := filepath.Join(dir, "repo")
	build("git", "init", "-q", repo)

	total, same := 0, 0
	for _, tt := range []struct {
		name    string
		stops   int
		skip    int // system calls before the first stop, and between two
		between int
		program []string
	}{
		{"git", 13, 60, 7, []string{"git", "-C", repo, "status", "--short"}},
		{"python3", 13, 300, 23, []string{"python3", "-c", "import json, os\nfor i in range(50): os.stat('/'); json.loads('[1]'); open('/dev/null').close()"}},
		{"c++ exceptions", 12, 75, 9, []string{throws}},
		{"go server", 12, 900, 61, []string{server}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path, err := exec.LookPath(tt.program[0])
			if err != nil {
				t.Fatal(err)
			}
			if tt.program[0] == "python3" { // it may be a script that finds the interpreter
				out, err := exec.Command(path, "-c", "import sys; print(sys.executable)").Output()
				if err != nil {
					t.Fatal(err)
				}
				if path, err = filepath.EvalSymlinks(strings.TrimSpace(string(out))); err != nil {
					t.Fatal(err)
				}
			}
			d := startDebugger(t, path, tt.program[1:]...)
			d.do("catch syscall")
			d.do("run > /dev/null")
			var files Files
			walker := Walker{Lines: true}
			frames, equal := 0, 0
			var space *Space
			for n := range tt.stops {
				skip := tt.between
				if n == 0 {
					skip = tt.skip
				}
				d.do(fmt.Sprintf("ignore 1 %d", skip))
				d.do("continue")
				pid, regs, theirs, ok := d.stop()
				if !ok {
					t.Fatalf("the program has ended after %d stops", n)
				}
				if space == nil {
					f, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
					if err != nil {
						t.Fatal(err)
					}
					defer f.Close()
					space = NewSpace(pid, procMemory{f}, &files)
					defer space.Close()
				}
				regs.Cs = 0x33
				var r unwind.Regs
				m := X86(&regs, &r)
				ours := walker.Append(nil, space, m, &r)
				for len(theirs) > 0 && theirs[len(theirs)-1].name == "??" && !space.code(theirs[len(theirs)-1].pc) {
					theirs = theirs[:len(theirs)-1] // gdb went on beyond the outermost frame
				}
				good := 0
				for i := range min(len(ours), len(theirs)) {
					if space.same(&ours[i], theirs[i]) {
						good++
					}
				}
				frames, equal = frames+max(len(ours), len(theirs)), equal+good
				if good < max(len(ours), len(theirs)) {
					t.Logf("stop %d:\n%s", n, sideBySide(space, ours, theirs))
				}
			}
			t.Logf("%d of %d frames are the same", equal, frames)
			total, same = total+frames, same+equal
		})
	}
	share := float64(same) / float64(max(total, 1))
	t.Logf("%d of %d frames are the same: %.1f %%", same, total, 100*share)
	if total < 250 || share < 0.95 {
		t.Errorf("%.1f %% of %d frames are the same, want 95 %%", 100*share, total)
	}
}

func sideBySide(s *Space, ours []event.StackFrame, theirs []gdbFrame) string {
	var b strings.Builder
	for i := range max(len(ours), len(theirs)) {
		left, right, mark := "", "", "≠"
		if i < len(ours) {
			left = fmt.Sprintf("%x %s %s", ours[i].IP, ours[i].Symbol, ours[i].End)
		}
		if i < len(theirs) {
			right = fmt.Sprintf("%x %s %s", theirs[i].pc, theirs[i].kind, theirs[i].name)
		}
		if i < len(ours) && i < len(theirs) && s.same(&ours[i], theirs[i]) {
			mark = " "
		}
		fmt.Fprintf(&b, "%s %-70.70s | %.80s\n", mark, left, right)
	}
	return b.String()
}
