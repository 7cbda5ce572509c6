// Command bench measures what tracing costs: the same programs natively, under farcall, strace, strace --seccomp-bpf and
// perf trace, interleaved in one run, so that a change of the machine's speed meets all of them. It prints Markdown.
//
// Usage: go run ./internal/bench [-rounds N] [-budget TIME] [-only WORKLOAD,...] [-tracers NAME,...] [-farcall PROGRAM] [-scale N] [-memory EVENTS]
//
// strace needs a minute and more for dd alone on a slow machine, so the rounds are as many as the budget of time allows, at least one
// of each workload; the tables say how many. What is measured at the moment is told on standard error, and an interrupt prints what
// there is. Without -farcall it builds ./cmd/farcall. What is not installed has a column that says so.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

type options struct {
	rounds, scale, startups int
	only, tracers           string
	farcall                 string
	memory                  int
	budget                  time.Duration
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "runs of each combination, at most; the median counts")
	flag.DurationVar(&o.budget, "budget", 8*time.Minute, "begin no further round that would end after this time; 0: make all rounds")
	flag.IntVar(&o.scale, "scale", 1, "divide the work of dd and of the forks by this, for a quick look")
	flag.IntVar(&o.startups, "startups", 30, "runs for the start-up times; 0: leave them out")
	flag.StringVar(&o.only, "only", "", "workloads to run, comma-separated (dd, find, git, gcc, forks); all by default")
	flag.StringVar(&o.tracers, "tracers", "", "tracers to run, comma-separated (farcall, strace, seccomp, perf); all by default")
	flag.StringVar(&o.farcall, "farcall", "", "farcall program to measure; built from ./cmd/farcall by default")
	flag.IntVar(&o.memory, "memory", 0, "measure farcall's peak memory after this many events as well, e.g. 10000000")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "farcall-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.farcall == "" {
		o.farcall = build(ctx, dir)
	}
	tracers := selected(allTracers(o.farcall), o.tracers, func(t *tracer) string { return t.key })
	loads := selected(allWorkloads(o.scale), o.only, func(w *workload) string { return w.key })
	for i := range loads {
		if err := loads[i].prepare(ctx, dir); err != nil {
			return fmt.Errorf("prepare %s: %w", loads[i].name, err)
		}
	}

	printMachine(ctx, os.Stdout, o)
	b := bench{dir: dir, start: time.Now()}
	var rows []*row
	for _, mode := range modes {
		for i := range loads {
			rows = append(rows, &row{workload: &loads[i], mode: mode})
		}
	}
	err = b.measure(ctx, rows, tracers, o.rounds, o.budget)
	for i, mode := range modes {
		fmt.Printf("\n### %s\n\n", mode.title)
		printTable(os.Stdout, rows[i*len(loads):(i+1)*len(loads)], tracers)
	}
	if err != nil {
		return err
	}
	if o.startups > 0 {
		if err := b.startup(ctx, os.Stdout, o.startups, tracers); err != nil {
			return err
		}
	}
	if i := slices.IndexFunc(tracers, func(t tracer) bool { return t.key == "farcall" }); i >= 0 && tracers[i].missing() == "" {
		if err := b.regions(ctx, os.Stdout, o.farcall, o); err != nil {
			return err
		}
		return b.memory(ctx, os.Stdout, &tracers[i], o)
	}
	return nil
}

// build compiles farcall and returns its path, or a path that does not exist: then its column says that it is missing.
func build(ctx context.Context, dir string) string {
	program := filepath.Join(dir, "farcall")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", program, "farcall/cmd/farcall")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "bench: build farcall: %v\n%s", err, out)
	}
	return program
}

// selected returns the entries whose key stands in the comma-separated list, all for an empty one.
func selected[T any](all []T, list string, key func(*T) string) []T {
	if list == "" {
		return all
	}
	wanted := strings.Split(list, ",")
	return slices.DeleteFunc(all, func(x T) bool { return !slices.Contains(wanted, key(&x)) })
}
