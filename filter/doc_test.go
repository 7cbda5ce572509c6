package filter

import (
	"os"
	"slices"
	"strings"
	"testing"

	"farcall/syscalls"
)

// TestDocumentedExamples parses and checks each example of the page about conditions, and holds the page to the names of
// the language.
func TestDocumentedExamples(t *testing.T) {
	text, err := os.ReadFile("../docs/filter.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	_, examples, ok := strings.Cut(page, "\n## Examples\n")
	if !ok {
		t.Fatal("there is no section with examples")
	}
	examples, _, _ = strings.Cut(examples, "\n## ")
	n := 0
	for line := range strings.Lines(examples) {
		condition, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "    ")
		if !ok {
			continue
		}
		n++
		e, err := Parse(condition)
		if err == nil {
			_, err = e.Compile(Table{})
		}
		if err == nil && e.Reach(Table{}).Calls.IsEmpty() {
			t.Errorf("%s: nothing can match", condition)
		}
		if err != nil {
			t.Errorf("%s: %v", condition, err)
		}
	}
	if n < 30 {
		t.Errorf("%d examples, want 30", n)
	}

	var words []string
	for i := range fields {
		if f := &fields[i]; f.kind != fieldReg && f.kind != fieldArgs {
			words = append(words, f.name)
		}
	}
	for _, name := range opNames {
		if name != "" {
			words = append(words, name)
		}
	}
	for a := syscalls.ABI(0); a < syscalls.NumABI; a++ {
		words = append(words, a.String())
	}
	for _, u := range units {
		words = append(words, u.name)
	}
	for _, w := range slices.Compact(words) {
		if u := "`" + w; w != "K" && !strings.Contains(page, u+"`") && !strings.Contains(page, u+" ") {
			t.Errorf("the page does not explain %s", w)
		}
	}
}
