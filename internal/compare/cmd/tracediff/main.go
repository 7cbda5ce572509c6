// Command tracediff tells in what two traces of the same command differ.
//
// Usage: tracediff [-n MAX] [-exact] [-call NAME,...] A B [B2 ...]
//
// A is the trace under test, B the reference, each as written by `strace -f -o FILE`. Further references tell noise
// from differences: what differs between B and B2 in the same place and the same way is not listed. -exact compares addresses
// too, for runs under `setarch -R`. The exit status is 1 if there are differences beyond noise, 2 on errors.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"farcall/internal/compare"
)

func main() {
	limit := flag.Int("n", 100, "list at most this many differences; 0: all")
	exact := flag.Bool("exact", false, "compare addresses too")
	calls := flag.String("call", "", "list differences of these calls only, comma-separated (signal, exit and note are names too)")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: tracediff [-n MAX] [-exact] [-call NAME,...] A B [B2 ...]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() < 2 {
		flag.Usage()
		os.Exit(2)
	}
	same, err := run(flag.Args(), *limit, *exact, *calls)
	if err != nil {
		fmt.Fprintln(os.Stderr, "tracediff:", err)
		os.Exit(2)
	}
	if !same {
		os.Exit(1)
	}
}

func run(files []string, limit int, exact bool, calls string) (same bool, err error) {
	opts := compare.Options{ExactAddresses: exact}
	var traces []*compare.Trace
	for _, name := range files {
		trace, when, err := compare.ParseFile(name)
		if err != nil {
			return false, err
		}
		traces, opts.Now = append(traces, trace), when
	}
	report := compare.Compare(traces[0], traces[1], opts, traces[2:]...)
	if calls != "" {
		wanted := strings.Split(calls, ",")
		report.Differences = slices.DeleteFunc(report.Differences, func(d compare.Difference) bool {
			return !slices.Contains(wanted, d.Name)
		})
	}
	if err := report.Write(os.Stdout, limit); err != nil {
		return false, err
	}
	return len(report.Differences) == report.Noise, nil
}
