package event

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"farcall/decode"
	"farcall/syscalls"
)

// A Summary counts calls by name (-c).
type Summary struct {
	rows [syscalls.NumABI]map[uint64]*Count
}

// A Count is what is known of all calls of one name.
type Count struct {
	Name            string
	Number          uint64
	Calls, Errors   int
	Total, Min, Max time.Duration
}

// NewSummary returns an empty summary.
func NewSummary() *Summary { return &Summary{} }

// Add counts a call that has returned, and the time it took in nanoseconds.
func (s *Summary) Add(abi syscalls.ABI, c *decode.Call, spent int64) {
	if abi >= syscalls.NumABI || !named(abi, c.Number) {
		return
	}
	if s.rows[abi] == nil {
		s.rows[abi] = map[uint64]*Count{}
	}
	r := s.rows[abi][c.Number]
	d := time.Duration(spent)
	if r == nil {
		r = &Count{Name: c.Desc.Name, Number: c.Number, Min: d}
		s.rows[abi][c.Number] = r
	}
	r.Calls++
	if c.Failed {
		r.Errors++
	}
	r.Total += d
	r.Min = min(r.Min, d)
	r.Max = max(r.Max, d)
}

// named tells whether there is such a call: only those are counted.
func named(abi syscalls.ABI, nr uint64) bool { return abi.Name(nr) != "" }

// Counts are the rows of one ABI by call number.
func (s *Summary) Counts(abi syscalls.ABI) []Count {
	var all []Count
	for _, r := range s.rows[abi] {
		all = append(all, *r)
	}
	slices.SortFunc(all, func(a, b Count) int {
		switch {
		case a.Number < b.Number:
			return -1
		case a.Number > b.Number:
			return 1
		}
		return 0
	})
	return all
}

// A Column is a column of the table, and a key to sort it by.
type Column uint8

// The columns.
const (
	NoColumn Column = iota
	Percent
	TotalTime
	MinTime
	MaxTime
	AvgTime
	Calls
	Errors
	Name
)

// columns say how each is headed and how wide it is at least.
var columns = [...]struct {
	head  string
	width int
}{
	Percent: {"% time", 6}, TotalTime: {"seconds", 11}, MinTime: {"shortest", 8}, MaxTime: {"longest", 8},
	AvgTime: {"usecs/call", 11}, Calls: {"calls", 9}, Errors: {"errors", 9}, Name: {"syscall", 16},
}

// cell is what a row has in a column; total is the time of all rows.
func (r *Count) cell(c Column, total time.Duration) string {
	switch c {
	case Percent:
		p := 0.0
		if total > 0 {
			p = 100 * float64(r.Total) / float64(total)
		}
		return fmt.Sprintf("%.2f", p)
	case TotalTime:
		return seconds(r.Total)
	case MinTime:
		return seconds(r.Min)
	case MaxTime:
		return seconds(r.Max)
	case AvgTime:
		if r.Calls == 0 {
			return "0"
		}
		return fmt.Sprint(int64(r.Total/time.Microsecond) / int64(r.Calls))
	case Calls:
		return fmt.Sprint(r.Calls)
	case Errors:
		if r.Errors == 0 {
			return ""
		}
		return fmt.Sprint(r.Errors)
	case Name:
		return r.Name
	}
	return ""
}

func seconds(d time.Duration) string {
	us := int64(d / time.Microsecond)
	return fmt.Sprintf("%d.%06d", us/1e6, us%1e6)
}

// Write prints a table for each ABI with calls, with the columns asked for, sorted by a key.
// A table without names gets them as its last column.
func (s *Summary) Write(w io.Writer, cols []Column, by Column) error {
	var out strings.Builder
	if !slices.Contains(cols, Name) {
		cols = append(slices.Clone(cols), Name)
	}
	for abi := range s.rows {
		if s.rows[abi] == nil {
			continue
		}
		if a := syscalls.ABI(abi); a == syscalls.I386 || a == syscalls.X32 {
			fmt.Fprintf(&out, "System call usage summary for %s mode:\n", mode(syscalls.ABI(abi)))
		}
		table(&out, s.Counts(syscalls.ABI(abi)), cols, by)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func mode(abi syscalls.ABI) string {
	switch abi {
	case syscalls.I386:
		return "32 bit"
	case syscalls.X32:
		return "x32"
	}
	return "64 bit"
}

// order compares rows by a column, the larger first; names ascend.
func order(by Column) func(a, b Count) int {
	num := func(get func(*Count) int64) func(a, b Count) int {
		return func(a, b Count) int {
			switch x, y := get(&a), get(&b); {
			case x > y:
				return -1
			case x < y:
				return 1
			}
			return 0
		}
	}
	switch by {
	case Percent, TotalTime:
		return num(func(c *Count) int64 { return int64(c.Total) })
	case MinTime:
		return num(func(c *Count) int64 { return int64(c.Min) })
	case MaxTime:
		return num(func(c *Count) int64 { return int64(c.Max) })
	case AvgTime:
		return num(func(c *Count) int64 { return int64(c.Total) / int64(c.Calls) })
	case Calls:
		return num(func(c *Count) int64 { return int64(c.Calls) })
	case Errors:
		return num(func(c *Count) int64 { return int64(c.Errors) })
	case Name:
		return func(a, b Count) int { return strings.Compare(a.Name, b.Name) }
	}
	return func(_, _ Count) int { return 0 }
}

func table(out *strings.Builder, rows []Count, cols []Column, by Column) {
	total := Count{Name: "total"}
	for i, r := range rows {
		total.Calls += r.Calls
		total.Errors += r.Errors
		total.Total += r.Total
		total.Max = max(total.Max, r.Max)
		if i == 0 || r.Min < total.Min {
			total.Min = r.Min
		}
	}
	slices.SortStableFunc(rows, order(by))
	lines := make([][]string, 0, len(rows))
	for i := range rows {
		lines = append(lines, cells(&rows[i], cols, total.Total))
	}
	last := cells(&total, cols, total.Total)
	for i, c := range cols {
		if c == Percent {
			last[i] = "100.00"
		}
	}
	widths := make([]int, len(cols))
	for i, c := range cols {
		widths[i] = max(columns[c].width, len(last[i]))
		for _, l := range lines {
			widths[i] = max(widths[i], len(l[i]))
		}
		if c == Name && i == len(cols)-1 {
			widths[i] = columns[c].width
		}
	}
	heads := make([]string, len(cols))
	rules := make([]string, len(cols))
	for i, c := range cols {
		heads[i] = columns[c].head
		rules[i] = strings.Repeat("-", widths[i])
	}
	line(out, heads, cols, widths)
	line(out, rules, cols, widths)
	for _, l := range lines {
		line(out, l, cols, widths)
	}
	line(out, rules, cols, widths)
	line(out, last, cols, widths)
}

func cells(r *Count, cols []Column, total time.Duration) []string {
	out := make([]string, len(cols))
	for i, c := range cols {
		out[i] = r.cell(c, total)
	}
	return out
}

// line writes cells, numbers to the right and names to the left.
func line(out *strings.Builder, cells []string, cols []Column, widths []int) {
	for i, c := range cells {
		if i > 0 {
			out.WriteByte(' ')
		}
		pad := strings.Repeat(" ", max(0, widths[i]-len(c)))
		switch {
		case cols[i] != Name:
			out.WriteString(pad + c)
		case i == len(cells)-1:
			out.WriteString(c)
		default:
			out.WriteString(c + pad)
		}
	}
	out.WriteByte('\n')
}
