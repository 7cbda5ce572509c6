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

// combination is a cell of a table.
type combination struct{ workload, tracer string }

type bench struct {
	dir string
}

// runLimit ends a run that hangs.
const runLimit = 10 * time.Minute

// interleave runs every combination once a round, beginning with another tracer each round, after one run of each
// workload that fills the caches and does not count.
func (b *bench) interleave(ctx context.Context, rounds int, loads []workload, tracers []tracer, m mode) (map[combination]*result, error) {
	results := map[combination]*result{}
	for round := range rounds {
		for i := range loads {
			w := &loads[i]
			if round == 0 {
				if _, err := b.once(ctx, nil, w.argv, w.dir); err != nil {
					return nil, fmt.Errorf("%s: %w", w.name, err)
				}
			}
			for j := range tracers {
				t := &tracers[(j+round)%len(tracers)]
				key := combination{w.key, t.key}
				r := results[key]
				if r == nil {
					r = &result{failure: t.missing()}
					results[key] = r
				}
				if r.failure != "" {
					continue
				}
				s, err := b.once(ctx, t.args[m.key], w.argv, w.dir)
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				if err != nil {
					r.failure = "failed"
					fmt.Fprintf(os.Stderr, "bench: %s, %s, %s: %v\n", w.name, t.name, m.key, err)
					continue
				}
				r.samples = append(r.samples, s)
			}
		}
	}
	return results, nil
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
	loads := []workload{{key: "true", name: "`true`", argv: []string{"/bin/true"}, dir: b.dir}}
	results, err := b.interleave(ctx, rounds, loads, tracers, modes[0])
	if err != nil {
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
	printStartup(w, tracers, results, versions)
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
