package compare

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func readLines(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func parseLines(t *testing.T, lines []string) *Trace {
	t.Helper()
	trace, err := Parse(strings.NewReader(strings.Join(lines, "\n") + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

// findings counts what is reported between two texts.
func findings(t *testing.T, a, b []string) int {
	t.Helper()
	r := Compare(parseLines(t, a), parseLines(t, b), Options{ExactAddresses: true})
	return len(r.Differences) + len(r.Broken)
}

var (
	linePID    = regexp.MustCompile(`^\d+ +`)
	number     = regexp.MustCompile(`\b(?:0x[0-9a-f]+|\d+)\b`)
	flag       = regexp.MustCompile(`\|[A-Z_0-9]+`)
	calledName = regexp.MustCompile(`^(\d+ +)([a-z_0-9]+)\(`)
	errorName  = regexp.MustCompile(`= -1 E[A-Z]+`)
	quoted     = regexp.MustCompile(`"[^"\\]+`)
	gap        = regexp.MustCompile(`\) += `)
)

// TestMutationsAreFound changes a real trace in every place in every one of several ways. Each change must be reported,
// except those to what Rules take out on purpose.
func TestMutationsAreFound(t *testing.T) {
	lines := readLines(t, "testdata/pipeline.trace")
	if n := findings(t, lines, lines); n != 0 {
		t.Fatalf("a trace differs from itself in %d places", n)
	}
	replaceAt := func(line string, m []int, text string) string { return line[:m[0]] + text + line[m[1]:] }
	each := func(re *regexp.Regexp, change func(match string) string) func(string) []string {
		return func(line string) (out []string) {
			skip := len(linePID.FindString(line))
			for _, m := range re.FindAllStringIndex(line[skip:], -1) {
				m = []int{m[0] + skip, m[1] + skip}
				out = append(out, replaceAt(line, m, change(line[m[0]:m[1]])))
			}
			return out
		}
	}
	mutations := []struct {
		name   string
		mutate func(line string) []string // every way to mutate the line
		spare  *regexp.Regexp             // lines in which a rule takes the mutation out
	}{
		{"number", each(number, func(s string) string {
			n, err := strconv.ParseUint(s, 0, 64)
			if err != nil || strings.HasPrefix(s, "0x") {
				return s[:len(s)-1] + string("10"[s[len(s)-1]&1^1]) // another last digit
			}
			return strconv.FormatUint(n+1, 10)
		}), regexp.MustCompile(`si_[us]time=|getrandom|getppid|getpgrp|sysinfo|^\d+ +execve\(.*0x`)},
		{"flag dropped", each(flag, func(string) string { return "" }), nil},
		{"flag changed", each(flag, func(s string) string { return s + "X" }), nil},
		{"call renamed", func(line string) []string {
			if m := calledName.FindStringSubmatchIndex(line); m != nil && !strings.Contains(line, "unfinished") {
				return []string{line[:m[4]] + "x" + line[m[4]:]}
			}
			return nil
		}, nil},
		{"error changed", each(errorName, func(string) string { return "= -1 EXXX" }), nil},
		{"string changed", each(quoted, func(s string) string { return s[:len(s)-1] + "~" }), regexp.MustCompile(`getrandom`)},
		{"gap changed", each(gap, func(s string) string { return ")  " + s[1:] }), nil},
		{"tail lost", func(line string) []string { return []string{line[:len(line)-1]} }, regexp.MustCompile(`getppid|getpgrp`)},
	}
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			tried, spared, turn := 0, 0, 0
			for i, line := range lines {
				for _, mutant := range m.mutate(line) {
					if turn++; mutant == line || turn%stride != 1 {
						continue
					}
					tried++
					changed := append(append(append([]string{}, lines[:i]...), mutant), lines[i+1:]...)
					if findings(t, changed, lines) > 0 {
						continue
					}
					if spared++; m.spare == nil || !m.spare.MatchString(line) {
						t.Errorf("not found: line %d\n  %s\n  %s", i+1, line, mutant)
					}
				}
			}
			if tried == 0 {
				t.Error("no line to mutate")
			}
			t.Logf("%d mutants, %d taken out by rules", tried, spared)
		})
	}
}

func TestLostAndSwappedLinesAreFound(t *testing.T) {
	lines := readLines(t, "testdata/pipeline.trace")
	for i := 0; i < len(lines); i += stride {
		without := append(append([]string{}, lines[:i]...), lines[i+1:]...)
		if findings(t, without, lines) == 0 {
			t.Errorf("line %d dropped, not found: %s", i+1, lines[i])
		}
		if findings(t, lines, without) == 0 {
			t.Errorf("line %d added, not found: %s", i+1, lines[i])
		}
	}
	swaps := 0
	for i := 0; i < len(lines)-1; i += stride / 7 {
		a, b := lines[i], lines[i+1]
		if linePID.FindString(a) != linePID.FindString(b) || a == b || strings.Contains(a+b, "---") {
			continue // the order of different threads, and the place of a signal from elsewhere, are chance
		}
		swaps++
		swapped := append([]string{}, lines...)
		swapped[i], swapped[i+1] = b, a
		if findings(t, swapped, lines) == 0 {
			t.Errorf("lines %d and %d swapped, not found: %s", i+1, i+2, a)
		}
	}
	if swaps == 0 {
		t.Error("no lines to swap")
	}
}
