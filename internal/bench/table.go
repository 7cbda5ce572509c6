package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// printTable prints medians in milliseconds with their ratio to native, farcall's ratio to strace, and of how many rounds.
func printTable(w io.Writer, rows []*row, tracers []tracer) {
	fmt.Fprint(w, "| |")
	for i := range tracers {
		fmt.Fprintf(w, " %s |", tracers[i].name)
	}
	fmt.Fprint(w, " farcall / strace | rounds |\n|---|")
	fmt.Fprintln(w, strings.Repeat("---:|", len(tracers)+2))
	for _, row := range rows {
		native, hasNative := row.results["native"].median()
		fmt.Fprintf(w, "| %s |", row.name)
		for j := range tracers {
			r := row.results[tracers[j].key]
			m, ok := r.median()
			switch {
			case r == nil:
				fmt.Fprint(w, " |")
			case !ok:
				fmt.Fprintf(w, " %s |", r.failure)
			case tracers[j].key == "native" || !hasNative:
				fmt.Fprintf(w, " %s |", ms(m))
			default:
				fmt.Fprintf(w, " %s (%.2fx) |", ms(m), ratio(m, native))
			}
		}
		f, okF := row.results["farcall"].median()
		s, okS := row.results["strace"].median()
		if okF && okS {
			fmt.Fprintf(w, " %.2f |", ratio(f, s))
		} else {
			fmt.Fprint(w, " |")
		}
		fmt.Fprintf(w, " %d |\n", row.rounds)
	}
}

func printStartup(w io.Writer, tracers []tracer, results map[string]*result, versions map[string]*result) {
	fmt.Fprint(w, "\n### Start-up\n\n| | `true`, minus native | `-V` |\n|---|---:|---:|\n")
	native, hasNative := results["native"].median()
	for i := range tracers {
		t := &tracers[i]
		m, ok := results[t.key].median()
		if t.key == "native" || !ok || !hasNative {
			continue
		}
		version := ""
		if v, ok := versions[t.key].median(); ok {
			version = ms(v)
		}
		fmt.Fprintf(w, "| %s | %s | %s |\n", t.name, ms(m-native), version)
	}
}

func ms(d time.Duration) string {
	v := float64(d) / float64(time.Millisecond)
	if v < 100 {
		return fmt.Sprintf("%.1f ms", v)
	}
	return fmt.Sprintf("%.0f ms", v)
}

func ratio(a, b time.Duration) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// printMachine says where the figures come from.
func printMachine(ctx context.Context, w io.Writer, o options) {
	release := "?"
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		release = unix.ByteSliceToString(name.Release[:])
	}
	fmt.Fprintf(w, "%s, %d processors, Linux %s, %s; medians of interleaved rounds; times are wall clock, in brackets relative to native.\n",
		processor(), runtime.NumCPU(), release, runtime.Version())
	for _, t := range allTracers(o.farcall) {
		if t.version == nil {
			continue
		}
		if why := t.missing(); why != "" {
			fmt.Fprintf(w, "%s: %s.\n", t.name, why)
			continue
		}
		if out, err := exec.CommandContext(ctx, t.version[0], t.version[1:]...).Output(); err == nil {
			fmt.Fprintf(w, "%s: %s.\n", t.name, firstLine(string(out)))
		}
	}
}

func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
