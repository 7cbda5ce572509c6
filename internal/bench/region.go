package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// earlySource executes about two million instructions in a constructor and ends with main. enterSource enters a function
// as often as its argument says.
const (
	earlySource = `
static struct early {
	early() { for (volatile long i = 0; i < 400000; i = i + 1) {} }
} e;
int main() { return 0; }
`
	enterSource = `
#include <stdlib.h>
__attribute__((noinline)) long f(long n) { __asm__ volatile("" ::: "memory"); return n + 1; }
int main(int argc, char **argv) {
	long n = 0;
	for (long i = atol(argv[1]); i > 0; i--) n = f(n);
	return n < 0;
}
`
	entries = 20_000
)

// regions measures the way to a function: to main by a breakpoint, by a debug register and by single steps; and what an
// entry with its return costs.
func (b *bench) regions(ctx context.Context, w io.Writer, farcall string, o options) error {
	early, enter := filepath.Join(b.dir, "early"), filepath.Join(b.dir, "enter")
	for program, s := range map[string]struct{ file, source, compiler string }{
		early: {"early.cc", earlySource, "g++"}, enter: {"enter.c", enterSource, "gcc"},
	} {
		file := filepath.Join(b.dir, s.file)
		if err := os.WriteFile(file, []byte(s.source), 0o644); err != nil {
			return err
		}
		if out, err := exec.CommandContext(ctx, s.compiler, "-O1", "-o", program, file).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", s.compiler, err, out)
		}
	}
	trace := func(options ...string) []string {
		return append(append([]string{farcall, "trace", "-o", os.DevNull}, options...), "--")
	}
	rows := []struct {
		name string
		args []string
		once bool
	}{
		{"native", nil, false}, {"`--in main`", trace("--in", "main"), false},
		{"`--in main --hw`", trace("--in", "main", "--hw"), false}, {"`--in main --step`", trace("--in", "main", "--step"), true},
	}
	walls := make([][]time.Duration, len(rows))
	bare := make([][]time.Duration, len(rows)) // of a program that has nothing before main
	for round := range o.rounds {
		for i, r := range rows {
			if r.once && round > 0 {
				continue
			}
			for program, to := range map[string]*[]time.Duration{early: &walls[i], enter: &bare[i]} {
				d, err := timed(ctx, append(append([]string(nil), r.args...), program, "0"))
				if err != nil {
					return err
				}
				*to = append(*to, d)
			}
		}
	}
	fmt.Fprint(w, "\n### To main, 2 million instructions before it\n\n| | ms | without those |\n|---|---:|---:|\n")
	for i, r := range rows {
		fmt.Fprintf(w, "| %s | %s | %s |\n", r.name, ms(median(walls[i])), ms(median(bare[i])))
	}
	fmt.Fprint(w, "\n### An entry with its return\n\n")
	for _, how := range [][]string{{"--in", "f"}, {"--in", "f", "--hw"}} {
		var each []time.Duration
		for range o.rounds {
			none, err := timed(ctx, append(trace(how...), enter, "0"))
			if err != nil {
				return err
			}
			all, err := timed(ctx, append(trace(how...), enter, fmt.Sprint(entries)))
			if err != nil {
				return err
			}
			each = append(each, (all-none)/entries)
		}
		fmt.Fprintf(w, "- %v: %.1f us\n", how, float64(median(each).Nanoseconds())/1000)
	}
	return nil
}

// timed runs a command and says how long it took.
func timed(ctx context.Context, argv []string) (time.Duration, error) {
	start := time.Now()
	if out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%v: %w\n%s", argv, err, out)
	}
	return time.Since(start), nil
}
