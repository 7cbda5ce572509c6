package main

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	tests := []struct {
		in   []time.Duration
		want time.Duration
	}{
		{[]time.Duration{5}, 5},
		{[]time.Duration{9, 1, 5}, 5},
		{[]time.Duration{4, 1, 2, 9}, 3},
	}
	for _, tt := range tests {
		if got := median(tt.in); got != tt.want {
			t.Errorf("median(%v) = %v, want %v", tt.in, got, tt.want)
		}
	}
}

func TestTable(t *testing.T) {
	loads := []workload{{key: "dd", name: "dd"}}
	tracers := allTracers("/nonexistent/farcall")
	ofMillis := func(n int) *result {
		return &result{samples: []sample{{wall: time.Duration(n) * time.Millisecond}}}
	}
	results := map[combination]*result{
		{"dd", "native"}: ofMillis(100), {"dd", "farcall"}: ofMillis(300), {"dd", "strace"}: ofMillis(400),
		{"dd", "seccomp"}: {failure: "failed"}, {"dd", "perf"}: {failure: "missing"},
	}
	var b strings.Builder
	printTable(&b, loads, tracers, results)
	want := "| dd | 100 ms | 300 ms (3.00x) | 400 ms (4.00x) | failed | missing | 0.75 |\n"
	if !strings.HasSuffix(b.String(), want) {
		t.Errorf("got\n%swant the last line\n%s", b.String(), want)
	}
	if tracers[1].missing() == "" {
		t.Error("a farcall that does not exist is not missing")
	}
}

// TestRun runs two small workloads under what is installed.
func TestRun(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Fatal("strace is needed: .ci/needs installs it")
	}
	dir := t.TempDir()
	b := bench{dir: dir}
	loads := selected(allWorkloads(100), "dd,git", func(w *workload) string { return w.key })
	for i := range loads {
		if err := loads[i].prepare(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
	}
	tracers := selected(allTracers("/nonexistent/farcall"), "native,strace,farcall", func(t *tracer) string { return t.key })
	for _, m := range modes {
		results, err := b.interleave(context.Background(), 2, loads, tracers, m)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range loads {
			for _, name := range []string{"native", "strace"} {
				if r := results[combination{w.key, name}]; len(r.samples) != 2 {
					t.Errorf("%s, %s: %d samples, %s", w.key, name, len(r.samples), r.failure)
				}
			}
			if r := results[combination{w.key, "farcall"}]; r.failure != "missing" {
				t.Errorf("%s: farcall is not missing: %+v", w.key, r)
			}
		}
	}
}
