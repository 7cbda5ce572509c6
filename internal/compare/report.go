package compare

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Summary is one line: lines compared, shares with and without noise.
func (r *Report) Summary() string {
	return fmt.Sprintf("%6d lines  calls %6.2f%% (%6.2f%% without noise)  text %6.2f%% (%6.2f%% without noise)  differences %d, noise %d",
		r.Total(), 100*r.CallShare(false), 100*r.CallShare(true), 100*r.Share(false), 100*r.Share(true), len(r.Differences), r.Noise)
}

// Write lists the differences, first counted by call, then each, at most limit of them (0: all).
// Noise is counted but not listed.
func (r *Report) Write(w io.Writer, limit int) error {
	var b strings.Builder
	fmt.Fprintln(&b, r.Summary())
	for _, line := range r.Broken {
		fmt.Fprintf(&b, "not understood: line %s\n", line)
	}
	count := map[string]int{}
	for i := range r.Differences {
		if d := &r.Differences[i]; !d.Noise {
			count[d.Name+" "+d.Change.String()]++
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(count), func(x, y string) int {
		return cmp.Or(cmp.Compare(count[y], count[x]), cmp.Compare(x, y))
	}) {
		fmt.Fprintf(&b, "%6d %s\n", count[name], name)
	}
	listed := 0
	for i := range r.Differences {
		d := &r.Differences[i]
		if d.Noise {
			continue
		}
		if listed++; limit > 0 && listed > limit {
			fmt.Fprintf(&b, "... and more\n")
			break
		}
		fmt.Fprintf(&b, "%s %s\n", d.Thread, d.Change)
		if d.A != "" {
			fmt.Fprintf(&b, "  A:%-6d %s\n", d.LineA, d.A)
		}
		if d.B != "" {
			fmt.Fprintf(&b, "  B:%-6d %s\n", d.LineB, d.B)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
