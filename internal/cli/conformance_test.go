package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// tracers are what conformance is tested with: the programs, both called "strace", and the fixture.
type tracers struct{ farcall, strace, fixture string }

var buildTracers = sync.OnceValues(func() (tracers, error) {
	dir, err := os.MkdirTemp("", "farcall-conformance-*")
	if err != nil {
		return tracers{}, err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return tracers{}, err
	}
	t := tracers{farcall: filepath.Join(dir, "farcall"), fixture: filepath.Join(dir, "fixture")}
	if t.strace, err = exec.LookPath("strace"); err != nil {
		return t, err
	}
	for _, argv := range [][]string{
		{"go", "build", "-o", t.farcall, "farcall/cmd/farcall"},
		{"gcc", "-O1", "-static", "-pthread", "-w", "-o", t.fixture, "testdata/fixture.c"},
	} {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
		if out, err := cmd.CombinedOutput(); err != nil {
			return t, fmt.Errorf("%s: %w\n%s", argv[0], err, out)
		}
	}
	return t, nil
})

func needTracers(t *testing.T) tracers {
	t.Helper()
	needStrace(t)
	tr, err := buildTracers()
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// An outcome is what a command line does: its standard streams, its status, and the files it makes.
type outcome map[string]string

// runTracer runs a tracer in an empty directory.
func runTracer(t *testing.T, path string, argv []string, pid *int) outcome {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // ends what hangs; a loaded machine may take seconds
	defer cancel()
	cmd := exec.CommandContext(ctx, path)
	cmd.Args = append([]string{"strace"}, argv...)
	if len(argv) > 0 && argv[0] == "trace" { // farcall under its own name
		cmd.Args = append([]string{"farcall"}, argv...)
	}
	cmd.Dir = dir
	cmd.WaitDelay = 10 * time.Second
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC", "FIX_OUTER=1"}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("%s %q: %v\n%s", path, argv, err, stderr.Bytes())
	}
	*pid = cmd.Process.Pid
	ws := cmd.ProcessState.Sys().(syscall.WaitStatus)
	out := outcome{"stdout": stdout.String(), "stderr": stderr.String(), "status": strconv.Itoa(ws.ExitStatus())}
	if ws.Signaled() {
		out["status"] = fmt.Sprintf("%v, core %v", ws.Signal(), ws.CoreDump())
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if len(b) < 1<<20 {
			out["file "+f.Name()] = string(b)
		}
	}
	return out
}

// pidPlaces are where a number is a process id: as the first group.
var pidPlaces = []*regexp.Regexp{
	regexp.MustCompile(`(?m)^(\d+) `),
	regexp.MustCompile(`(?m)^\[pid +(\d+)\]`),
	regexp.MustCompile(`\b(?:Process |with process |PID=|pid |pid changed to |si_pid=|kill\(|wait4\(|tgkill\(\d+, |parent_tid=\[)(\d+)`),
	regexp.MustCompile(`(?m)\b(?:get[tp]?p?id|vfork|fork|clone3?|wait4|set_tid_address)(?:\(.*\)| resumed>.*) += (\d+)`),
}

var (
	randomPattern  = regexp.MustCompile(`getrandom\("[^"]*"`)
	spentByChild   = regexp.MustCompile(`(si_[us]time)=\d+(?: /\*[^*]*\*/)?`)
	addressPattern = regexp.MustCompile(`\b0x(?:7f[0-9a-f]{10}|[1-9a-f][0-9a-f]{6,7})\b`)
	rawPattern     = regexp.MustCompile(`(get[tp]?p?id\(\)|(?:clone|vfork|wait4)\(.*\)) += 0x[0-9a-f]+`)
	ipPattern      = regexp.MustCompile(`\[[0-9a-f]{8,16}\] `)
	clockPattern   = regexp.MustCompile(`\d\d:\d\d:\d\d|\b1[0-9]{9}\b`)
	spentPattern   = regexp.MustCompile(`<(\d+)((?:\.\d+)?)>`)
	digitPattern   = regexp.MustCompile(`\d`)
	fractionClock  = regexp.MustCompile(`(T|E)\.\d+`)
	relative       = regexp.MustCompile(`(\( ?\+)? {4,5}\d(?:\.\d+)?(\))? `)
)

// normalise replaces in every part of an outcome what cannot be the same in two runs.
func (o outcome) normalise(row *conformanceRow, tracer int) outcome {
	known := map[string]string{strconv.Itoa(tracer): "TRACE"}
	name := func(pid string) {
		if known[pid] == "" {
			known[pid] = fmt.Sprintf("P%04d", len(known))
		}
	}
	parts := make([]string, 0, len(o))
	for part := range o {
		parts = append(parts, part)
	}
	slices.SortFunc(parts, func(a, b string) int { return comparePIDFiles(a, b) })
	for _, part := range parts {
		if _, suffix, ok := strings.Cut(part, "."); ok {
			name(suffix)
		}
		var found [][2]int // in order of appearance
		for _, re := range pidPlaces {
			for _, m := range re.FindAllStringSubmatchIndex(o[part], -1) {
				if m[3]-m[2] > 2 {
					found = append(found, [2]int{m[2], m[3]})
				}
			}
		}
		slices.SortFunc(found, func(a, b [2]int) int { return a[0] - b[0] })
		if row.joined { // who comes first is the scheduler's choice; who is older is not
			slices.SortFunc(found, func(a, b [2]int) int {
				m, _ := strconv.Atoi(o[part][a[0]:a[1]])
				n, _ := strconv.Atoi(o[part][b[0]:b[1]])
				return m - n
			})
		}
		for _, f := range found {
			name(o[part][f[0]:f[1]])
		}
	}
	out := outcome{}
	for _, part := range parts {
		text := o[part]
		if part != "status" && part != "stdout" {
			var b strings.Builder
			for line := range strings.Lines(text) {
				b.WriteString(normaliseLine(row, line, known))
			}
			text = b.String()
			said := map[string]bool{}
			text = once.ReplaceAllStringFunc(text, func(m string) string {
				if said[m] {
					return ""
				}
				said[m] = true
				return m
			})
			switch {
			case row.table:
				text = tableForm(text)
			case row.joined:
				text = joinThreads(text)
			}
		}
		if base, suffix, ok := strings.Cut(part, "."); ok {
			part = base + "." + known[suffix]
		}
		out[part] = text
	}
	return out
}

func comparePIDFiles(a, b string) int {
	x, px, _ := strings.Cut(a, ".")
	y, py, _ := strings.Cut(b, ".")
	if x != y {
		return strings.Compare(x, y)
	}
	m, _ := strconv.Atoi(px)
	n, _ := strconv.Atoi(py)
	return m - n
}

var number = regexp.MustCompile(`\d+`)

// once leaves one of several messages that are the same but for the number of attempts.
var once = regexp.MustCompile(`(?m)^strace: (\||/).*: (Broken pipe|No space left on device|Input/output error)\n`)

func normaliseLine(row *conformanceRow, line string, pids map[string]string) string {
	line = randomPattern.ReplaceAllString(line, "getrandom(RANDOM")
	line = rawPattern.ReplaceAllString(line, "$1 = PID")
	short := 0
	line = number.ReplaceAllStringFunc(line, func(n string) string {
		if p := pids[n]; p != "" {
			short += len(p) - len(n)
			return p
		}
		return n
	})
	if short > 0 { // the alignment has made up for what the names have more than the numbers
		line = strings.Replace(line, strings.Repeat(" ", short+1)+"= ", " = ", 1)
	}
	line = addressPattern.ReplaceAllString(line, "ADDR")
	line = ipPattern.ReplaceAllString(line, "[IP] ")
	line = spentByChild.ReplaceAllString(line, "$1=0")
	if row.times {
		line = clockPattern.ReplaceAllStringFunc(line, func(s string) string {
			if strings.Contains(s, ":") {
				return "T"
			}
			return "E"
		})
		line = fractionClock.ReplaceAllStringFunc(line, func(s string) string { return digitPattern.ReplaceAllString(s, "d") })
		line = relative.ReplaceAllStringFunc(line, func(s string) string { return digitPattern.ReplaceAllString(s, "d") })
		line = spentPattern.ReplaceAllStringFunc(line, func(s string) string { return digitPattern.ReplaceAllString(s, "d") })
	}
	return line
}

var threadPrefix = regexp.MustCompile(`^(?:\[pid +(\w+)\] |(P\d{4}|TRACE) +)`)

// joinThreads puts unfinished calls and their ends together, takes prefixes away, and gives each thread's lines after another.
func joinThreads(text string) string {
	text = regexp.MustCompile(`strace: Process (\w+) (attached|detached)\n`).ReplaceAllString(text, "")
	threads, open := map[string][]string{}, map[string]string{}
	var order []string
	for line := range strings.Lines(text) {
		tid := "first"
		if m := threadPrefix.FindStringSubmatch(line); m != nil {
			tid, line = m[1]+m[2], line[len(m[0]):]
		}
		if tid == "P0001" {
			tid = "first"
		}
		if head, ok := strings.CutSuffix(line, " <unfinished ...>\n"); ok {
			open[tid] = head
			continue
		}
		if i := strings.Index(line, " resumed>"); i > 0 && strings.HasPrefix(line, "<... ") {
			line = open[tid] + line[i+len(" resumed>"):]
			delete(open, tid)
		}
		line = regexp.MustCompile(`\) += `).ReplaceAllString(line, ") = ")
		if threads[tid] == nil {
			order = append(order, tid)
		}
		threads[tid] = append(threads[tid], line)
	}
	slices.Sort(order) // which thread reports first is the scheduler's choice
	var b strings.Builder
	for _, tid := range order {
		b.WriteString(tid + ":\n" + strings.Join(threads[tid], ""))
	}
	return b.String()
}

// tableForm replaces the figures of a table that differ from run to run, and sorts its lines.
func tableForm(text string) string {
	text = regexp.MustCompile(`\d+\.\d+`).ReplaceAllStringFunc(text, func(s string) string {
		return strings.Repeat("#", 1) + s[strings.IndexByte(s, '.'):][:1] + strings.Repeat("#", len(s)-strings.IndexByte(s, '.')-1)
	})
	text = regexp.MustCompile(`(?m)(^| )( *)(\d*#\.##) `).ReplaceAllString(text, "$1  #.## ")
	text = regexp.MustCompile(`(#\.#{6}) +\d+ `).ReplaceAllString(text, "$1    N ")
	lines := strings.SplitAfter(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// attempts is how often a row is run before a difference counts: which of two threads reports first depends on the
// scheduler. A difference that is expected needs no second look.
const attempts = 40

func TestOptionsLikeStrace(t *testing.T) {
	tr := needTracers(t)
	for _, row := range append(conformanceRows, injectionRows...) {
		t.Run(strings.ReplaceAll(row.name(), "/", "⁄"), func(t *testing.T) {
			argv := row.argv(tr.fixture)
			var text string
			for range attempts {
				var pid int
				theirs := runTracer(t, tr.strace, argv, &pid).normalise(&row, pid)
				ours := runTracer(t, tr.farcall, argv, &pid).normalise(&row, pid)
				if text = theirs.diff(ours); text == "" || row.differs != "" {
					break
				}
			}
			switch {
			case row.differs == "" && text != "":
				t.Error(text)
			case row.differs != "" && text == "":
				t.Errorf("no longer differs (%s)", row.differs)
			}
		})
	}
}

// diff shows what two outcomes do not have in common, "" if nothing.
func (o outcome) diff(ours outcome) string {
	var b strings.Builder
	for part, want := range o {
		got, ok := ours[part]
		if !ok {
			fmt.Fprintf(&b, "%s is missing; it should be:\n%s", part, want)
		} else if got != want {
			fmt.Fprintf(&b, "%s:\n%s", part, diffLines(want, got))
		}
	}
	for part, got := range ours {
		if _, ok := o[part]; !ok {
			fmt.Fprintf(&b, "%s should not be there:\n%s", part, got)
		}
	}
	return b.String()
}

// diffLines marks strace's lines by - and farcall's by +.
func diffLines(want, got string) string {
	a, b := strings.SplitAfter(want, "\n"), strings.SplitAfter(got, "\n")
	if len(a) > 400 || len(b) > 400 {
		return fmt.Sprintf("-%d lines, +%d lines\n", len(a), len(b))
	}
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for k := len(b) - 1; k >= 0; k-- {
			common[i][k] = max(common[i+1][k], common[i][k+1])
			if a[i] == b[k] {
				common[i][k] = common[i+1][k+1] + 1
			}
		}
	}
	var out strings.Builder
	put := func(mark, line string) { fmt.Fprintf(&out, "%s%s\n", mark, strings.TrimSuffix(line, "\n")) }
	for i, k := 0, 0; i < len(a) || k < len(b); {
		switch {
		case i < len(a) && k < len(b) && a[i] == b[k]:
			i, k = i+1, k+1
		case k == len(b) || i < len(a) && common[i+1][k] >= common[i][k+1]:
			put("-", a[i])
			i++
		default:
			put("+", b[k])
			k++
		}
	}
	return out.String()
}
