package farcall_test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestConformance runs the C programs of testdata/conformance under the machine's strace and under
// farcall, and wants equal lines from the first call of umask on, with which every program begins.
//
// The first line of a program lists the options to compare with, separated by semicolons:
// "// options: ; -v; -X verbose". A line "// differs: TEXT: REASON" excuses lines of strace that contain TEXT.
// "// mask: REGEXP: REASON" makes what matches, numbers of processes for example, the same in both.
// "// arch: i386" makes a 32-bit program without the C library, which few machines have for it. Address space randomisation is off and the environment
// empty, so that addresses are the same.
func TestConformance(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("strace's lines are known for amd64")
	}
	if os.Getuid() != 0 {
		t.Skip("fixtures make calls that need root")
	}
	for _, p := range []string{"strace", "gcc", "setarch"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("no %s", p)
		}
	}
	// Descriptors that whoever started the tests left open would reach the fixtures, whose own then have other numbers.
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		t.Fatalf("close_range: %v", err)
	}
	dir := t.TempDir()
	farcall := filepath.Join(dir, "farcall")
	if out, err := exec.Command("go", "build", "-o", farcall, "./cmd/farcall").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	sources, err := filepath.Glob("testdata/conformance/*.c")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, src := range sources {
		name := strings.TrimSuffix(filepath.Base(src), ".c")
		t.Run(name, func(t *testing.T) { conform(t, farcall, src, filepath.Join(dir, name)) })
	}
}

func conform(t *testing.T, farcall, src, program string) {
	text, err := os.ReadFile(src)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-w", "-O1", "-o", program, src}
	options := []string{""}
	var excused []string
	var masks []*regexp.Regexp
	for _, l := range strings.Split(string(text), "\n") {
		if rest, ok := strings.CutPrefix(l, "// options:"); ok {
			options = strings.Split(rest, ";")
		}
		if rest, ok := strings.CutPrefix(l, "// differs: "); ok {
			what, why, _ := strings.Cut(rest, ": ")
			if why == "" {
				t.Fatalf("%s: %q wants a reason", src, l)
			}
			excused = append(excused, what)
		}
		if rest, ok := strings.CutPrefix(l, "// mask: "); ok {
			i := strings.LastIndex(rest, ": ")
			if i < 0 {
				t.Fatalf("%s: %q wants a reason", src, l)
			}
			masks = append(masks, regexp.MustCompile(rest[:i]))
		}
		if strings.HasPrefix(l, "// arch: i386") {
			args = append([]string{"-m32", "-nostdlib", "-static", "-ffreestanding", "-fno-stack-protector", "-fno-pie", "-no-pie"}, args...)
		}
	}
	if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	for _, o := range options {
		opts := strings.Fields(o)
		var report []string
		var lines, bad int
		// The two runs see the machine one after the other; what differs because a clock went on or a keyring
		// was made in between does not differ three times.
		for range 3 {
			want := traceLines(t, program, append([]string{"strace"}, opts...))
			got := traceLines(t, program, append([]string{farcall, "trace"}, opts...))
			mask(masks, want)
			mask(masks, got)
			lines = len(want)
			if report, bad = compareLines(got, want, excused); bad == 0 {
				break
			}
		}
		for _, r := range report {
			t.Errorf("%q %s", o, r)
		}
		t.Logf("%q: %d lines, %d differ", o, lines, bad)
		if lines < 3 {
			t.Errorf("%q: strace printed only %d lines", o, lines)
		}
	}
}

// compareLines reports the first differences, and counts all.
func compareLines(got, want, excused []string) (report []string, bad int) {
	for i := range max(len(got), len(want)) {
		g, w := "(no line)", "(no line)"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g == w || isExcused(w, excused) {
			continue
		}
		if bad++; bad <= 20 {
			report = append(report, fmt.Sprintf("line %d:\nfarcall %s\nstrace  %s", i+1, g, w))
		}
	}
	return report, bad
}

// padding stands between a call and its result; it depends on the width of what is masked.
var padding = regexp.MustCompile(`\) += `)

func mask(masks []*regexp.Regexp, lines []string) {
	if len(masks) == 0 {
		return
	}
	for i, l := range lines {
		l = padding.ReplaceAllString(l, ") = ")
		for _, m := range masks {
			l = m.ReplaceAllString(l, "N")
		}
		lines[i] = l
	}
}

func isExcused(line string, excused []string) bool {
	for _, e := range excused {
		if strings.Contains(line, e) {
			return true
		}
	}
	return false
}

// traceLines runs a program in an empty directory under a tracer and returns the lines from umask on.
func traceLines(t *testing.T, program string, tracer []string) []string {
	t.Helper()
	work := program + ".work"
	if err := os.RemoveAll(work); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-R"}, tracer...)
	args = append(args, "-o", program+".trace", program)
	cmd := exec.Command("setarch", args...)
	cmd.Dir = work
	cmd.Env = []string{}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	text, err := os.ReadFile(program + ".trace")
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(text, []byte("umask("))
	if i < 0 {
		t.Fatal(fmt.Errorf("%v: no umask in the trace", cmd.Args))
	}
	return strings.Split(strings.TrimSuffix(string(text[i:]), "\n"), "\n")
}
