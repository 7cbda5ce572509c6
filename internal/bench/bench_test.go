package main

import (
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
	tracers := allTracers("/nonexistent/farcall")
	ofMillis := func(n int) *result {
		return &result{samples: []sample{{wall: time.Duration(n) * time.Millisecond}}}
	}
	rows := []*row{{workload: &workload{key: "dd", name: "dd"}, rounds: 2, results: map[string]*result{
		"native": ofMillis(100), "farcall": ofMillis(300), "strace": ofMillis(400), "seccomp": {failure: "failed"}, "perf": {failure: "missing"},
	}}, {workload: &workload{key: "git", name: "git"}}}
	var b strings.Builder
	printTable(&b, rows, tracers)
	want := "| dd | 100 ms | 300 ms (3.00x) | 400 ms (4.00x) | failed | missing | 0.75 | 2 |\n| git | | | | | | | 0 |\n"
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
	var rows []*row
	for _, m := range modes {
		for i := range loads {
			rows = append(rows, &row{workload: &loads[i], mode: m})
		}
	}
	if err := b.measure(t.Context(), rows, tracers, 2, 0); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		for _, name := range []string{"native", "strace"} {
			if cell := r.results[name]; r.rounds != 2 || len(cell.samples) != 2 {
				t.Errorf("%s, %s, %s: %d samples in %d rounds, %s", r.name, r.mode.key, name, len(cell.samples), r.rounds, cell.failure)
			}
		}
		if cell := r.results["farcall"]; cell.failure != "missing" {
			t.Errorf("%s: farcall is not missing: %+v", r.name, cell)
		}
	}
}

// TestBudget shows that each row gets one round, and no further one that does not fit.
func TestBudget(t *testing.T) {
	b := bench{dir: t.TempDir()}
	quick := &workload{key: "quick", name: "quick", argv: []string{"/bin/true"}, dir: b.dir}
	rows := []*row{{workload: quick, mode: modes[0]}, {workload: quick, mode: modes[0], rounds: 1, last: time.Hour, results: map[string]*result{}}}
	if err := b.measure(t.Context(), rows, allTracers("")[:1], 3, time.Minute); err != nil {
		t.Fatal(err)
	}
	if rows[0].rounds != 3 || rows[1].rounds != 1 {
		t.Errorf("%d and %d rounds, want 3 of what fits and 1 of what does not", rows[0].rounds, rows[1].rounds)
	}
	rows = []*row{{workload: quick, mode: modes[0]}}
	if err := b.measure(t.Context(), rows, allTracers("")[:1], 3, time.Nanosecond); err != nil || rows[0].rounds != 1 {
		t.Errorf("%d rounds, %v; want 1 where the budget is used up", rows[0].rounds, err)
	}
}
