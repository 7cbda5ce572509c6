package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// mode is what the tracers are asked for.
type mode struct {
	key, title string
}

var modes = []mode{
	{"full", "Every call, with -f, to a file"},
	{"openat", "Only openat, with -f, to a file"},
}

// outPlaceholder stands for the trace file in a tracer's arguments.
const outPlaceholder = "@out"

// tracer is a column of the tables.
type tracer struct {
	key, name string
	// args by mode; a mode without an entry is not measured.
	args    map[string][]string
	version []string // command that prints the version
}

func allTracers(farcall string) []tracer {
	return []tracer{
		{"native", "native", map[string][]string{"full": {}, "openat": {}}, nil},
		{"farcall", "farcall", map[string][]string{
			"full":   {farcall, "trace", "-f", "-o", outPlaceholder, "--"},
			"openat": {farcall, "trace", "-f", "-e", "trace=openat", "-o", outPlaceholder, "--"},
		}, []string{farcall, "-V"}},
		{"strace", "strace", map[string][]string{
			"full":   {"strace", "-f", "-o", outPlaceholder, "--"},
			"openat": {"strace", "-f", "-e", "trace=openat", "-o", outPlaceholder, "--"},
		}, []string{"strace", "-V"}},
		{"seccomp", "strace --seccomp-bpf", map[string][]string{
			"full":   {"strace", "-f", "--seccomp-bpf", "-o", outPlaceholder, "--"},
			"openat": {"strace", "-f", "--seccomp-bpf", "-e", "trace=openat", "-o", outPlaceholder, "--"},
		}, nil},
		{"perf", "perf trace", map[string][]string{
			"full":   {"perf", "trace", "-o", outPlaceholder, "--"},
			"openat": {"perf", "trace", "-e", "openat", "-o", outPlaceholder, "--"},
		}, []string{"perf", "version"}},
	}
}

// missing says why a tracer cannot run, "" if it can.
func (t *tracer) missing() string {
	args := t.args["full"]
	if len(args) == 0 {
		return ""
	}
	if _, err := exec.LookPath(args[0]); err != nil {
		return "missing"
	}
	return ""
}

// sample is one run.
type sample struct {
	wall   time.Duration
	maxRSS int64 // KiB, of the process and those it waited for
}

// result is all runs of one combination.
type result struct {
	samples []sample
	failure string // why there are none
}

func (r *result) median() (time.Duration, bool) {
	if r == nil || len(r.samples) == 0 {
		return 0, false
	}
	walls := make([]time.Duration, len(r.samples))
	for i, s := range r.samples {
		walls[i] = s.wall
	}
	return median(walls), true
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	n := len(d)
	if n%2 == 1 {
		return d[n/2]
	}
	return (d[n/2-1] + d[n/2]) / 2
}

// row is a workload under one mode: a line of a table.
type row struct {
	*workload
	mode    mode
	rounds  int           // that were made
	last    time.Duration // what the last one took, all tracers together
	results map[string]*result
}

type bench struct {
	dir   string
	start time.Time
}

// runLimit ends a run that hangs.
const runLimit = 10 * time.Minute

// measure makes rounds of the rows, each under every tracer, until each row has as many as asked for. A row gets its next round
// when it has the fewest and the round fits into what is left of the budget, if there is one. The first round of a row is made in any case.
func (b *bench) measure(ctx context.Context, rows []*row, tracers []tracer, rounds int, budget time.Duration) error {
	deadline := time.Now().Add(budget)
	for {
		var next *row
		for _, r := range rows {
			fits := r.rounds == 0 || budget == 0 || time.Now().Add(r.last).Before(deadline)
			if r.rounds < rounds && fits && (next == nil || r.rounds < next.rounds) {
				next = r
			}
		}
		if next == nil {
			return nil
		}
		if err := b.round(ctx, next, tracers); err != nil {
			return err
		}
	}
}

// round runs a workload once under each tracer, beginning with another one each time. Before the first round the workload
// runs once to fill the caches, which does not count.
func (b *bench) round(ctx context.Context, r *row, tracers []tracer) error {
	if r.rounds == 0 {
		r.results = map[string]*result{}
		if _, err := b.once(ctx, nil, r.argv, r.dir); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	start := time.Now()
	for j := range tracers {
		t := &tracers[(j+r.rounds)%len(tracers)]
		cell := r.results[t.key]
		if cell == nil {
			cell = &result{failure: t.missing()}
			r.results[t.key] = cell
		}
		if cell.failure != "" {
			continue
		}
		b.progress("%s, %s, round %d: %s", r.name, r.mode.key, r.rounds+1, t.name)
		s, err := b.once(ctx, t.args[r.mode.key], r.argv, r.dir)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			cell.failure = "failed"
			fmt.Fprintf(os.Stderr, "bench: %s, %s, %s: %v\n", r.name, t.name, r.mode.key, err)
			continue
		}
		cell.samples = append(cell.samples, s)
	}
	r.rounds++
	r.last = time.Since(start)
	return nil
}

// progress says on standard error what begins now; nothing for a bench without a start.
func (b *bench) progress(format string, args ...any) {
	if !b.start.IsZero() {
		at := time.Since(b.start).Truncate(time.Second)
		fmt.Fprintf(os.Stderr, "bench: %2d:%02d %s\n", at/time.Minute, at%time.Minute/time.Second, fmt.Sprintf(format, args...))
	}
}

// once runs a command behind a tracer's arguments.
func (b *bench) once(ctx context.Context, prefix, argv []string, dir string) (sample, error) {
	out := filepath.Join(b.dir, "trace.out")
	defer os.Remove(out)
	var args []string
	for _, a := range prefix {
		args = append(args, strings.ReplaceAll(a, outPlaceholder, out))
	}
	args = append(args, argv...)
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var stderr strings.Builder
	cmd.Stderr = &stderr
	start := time.Now()
	err := cmd.Run()
	s := sample{wall: time.Since(start)}
	if err != nil {
		return s, fmt.Errorf("%w: %s", err, firstLine(stderr.String()))
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		s.maxRSS = usage.Maxrss
	}
	return s, nil
}

// startup measures a program that does next to nothing: the difference from its native run is what a tracer needs to start,
// to trace a few dozen calls and to end, so it bounds the time to the first call from above.
func (b *bench) startup(ctx context.Context, w io.Writer, rounds int, tracers []tracer) error {
	b.progress("start-up, %d rounds", rounds)
	quiet := bench{dir: b.dir}
	load := row{workload: &workload{key: "true", name: "`true`", argv: []string{"/bin/true"}, dir: b.dir}, mode: modes[0]}
	if err := quiet.measure(ctx, []*row{&load}, tracers, rounds, 0); err != nil {
		return err
	}
	versions := map[string]*result{}
	for range rounds {
		for i := range tracers {
			t := &tracers[i]
			if t.version == nil || t.missing() != "" {
				continue
			}
			s, err := b.once(ctx, nil, t.version, b.dir)
			if err != nil {
				fmt.Fprintf(os.Stderr, "bench: %s: %v\n", strings.Join(t.version, " "), err)
				continue
			}
			if versions[t.key] == nil {
				versions[t.key] = &result{}
			}
			versions[t.key].samples = append(versions[t.key].samples, s)
		}
	}
	printStartup(w, tracers, load.results, versions)
	return nil
}

// memory measures the tracer's peak resident size. wait4 reports the greatest of the tracer's and its children's; dd's
// is 2 MiB.
func (b *bench) memory(ctx context.Context, w io.Writer, t *tracer, o options) error {
	fmt.Fprintf(w, "\n### Peak memory of %s\n\n", t.name)
	for _, events := range []int{2 * ddCount / max(o.scale, 1), o.memory} {
		if events <= 0 {
			continue
		}
		b.progress("memory after %d calls", events)
		argv := []string{"dd", "if=/dev/zero", "of=/dev/null", "bs=1", fmt.Sprintf("count=%d", events/2), "status=none"}
		args := slices.Clone(t.args["full"])
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], outPlaceholder, os.DevNull)
		}
		s, err := b.once(ctx, args, argv, b.dir)
		if err != nil {
			return fmt.Errorf("memory: %w", err)
		}
		fmt.Fprintf(w, "After %d calls: %.1f MiB, in %.1f s.\n", events, float64(s.maxRSS)/1024, s.wall.Seconds())
	}
	return nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
