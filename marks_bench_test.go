package farcall_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"farcall"
)

// BenchmarkMark is the cost of a region that contains nothing, in a program in C: without a tracer, under one that wants other
// regions, and under one that follows it. The program itself takes the time, which is what ns/region says, and what of it was its own processor time.
func BenchmarkMark(b *testing.B) {
	program := markFixture(b, "cost.c", "-O2")
	for _, bb := range []struct {
		name  string
		marks []string // nil for no tracer
	}{
		{"untraced", nil}, {"unwanted", []string{"other"}}, {"traced", []string{"*"}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			out, err := os.Create(filepath.Join(b.TempDir(), "out"))
			if err != nil {
				b.Fatal(err)
			}
			defer out.Close()
			cmd := exec.Command(program, strconv.Itoa(b.N))
			cmd.Stdout = out
			if bb.marks == nil {
				err = cmd.Run()
			} else {
				err = farcall.New(farcall.Options{Regions: farcall.Regions{Marks: bb.marks}}).Run(context.Background(), cmd)
			}
			text, _ := os.ReadFile(out.Name())
			var clock, cpu float64
			if _, serr := fmt.Sscan(string(text), &clock, &cpu); err != nil || serr != nil {
				b.Fatal(err, serr)
			}
			b.ReportMetric(clock, "ns/region")
			b.ReportMetric(cpu, "cpu-ns/region")
		})
	}
}
