package rule

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"farcall/action"
	"farcall/filter"
	"farcall/syscalls"
)

// Explain writes what rules do, in the order in which they are applied: for which calls, at which the program is stopped for them, and which
// other rules are for the same calls. kernel says of each rule whether the seccomp filter serves it alone.
func Explain(w io.Writer, rules []*Rule, kernel func(*Rule) bool) error {
	var b strings.Builder
	for i, r := range rules {
		fmt.Fprintf(&b, "rule %d: %s\n", i+1, r.Text)
		fmt.Fprintf(&b, "  calls:  %s\n", callNames(r.Calls))
		fmt.Fprintf(&b, "  served: %s\n", r.service(kernel(r)))
		for k, o := range rules {
			if k == i || r.Calls.Intersect(o.Calls).IsEmpty() {
				continue
			}
			order, first := "after", o
			if i < k {
				order, first = "before", r
			}
			fmt.Fprintf(&b, "  also:   rule %d, for %s; this one is applied %s it", k+1, callNames(r.Calls.Intersect(o.Calls)), order)
			if a := answer(first); a != "" && answer(r) != "" && answer(o) != "" {
				fmt.Fprintf(&b, ", and where both match, %q decides", a)
			}
			b.WriteString("\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// answer is the action of a rule that answers the call, "" if there is none.
func answer(r *Rule) string {
	i := slices.IndexFunc(r.Actions, func(a action.Action) bool { return a.Answers })
	if i < 0 {
		return ""
	}
	return r.Actions[i].Text
}

// service says how a rule is served.
func (r *Rule) service(kernel bool) string {
	if kernel {
		return "by the seccomp filter alone, at no cost"
	}
	registers := r.If != nil
	if registers {
		registers = false
		reach := r.Reach()
		for abi := syscalls.ABI(0); abi < syscalls.NumABI; abi++ {
			for nr := range r.Calls.Calls(abi) {
				if !reach.Calls.Has(abi, nr) {
					registers = true
				} else if c := reach.When(abi, nr); c != nil && c.Op != filter.CondTrue {
					registers = true
				}
			}
		}
	}
	text := "the program stops at these calls"
	if registers {
		text = "the kernel decides part of the condition, by numbers and registers; the program stops where that holds"
	}
	if r.late() {
		text += "; the rest of the condition is decided when the call has ended"
	}
	return text
}

// maxNames is how many names of calls are listed.
const maxNames = 12

// callNames lists a set, by the names on the machine's main ABIs.
func callNames(s *filter.CallSet) string {
	if s.IsAll() {
		return "any"
	}
	seen := map[string]bool{}
	var names []string
	for _, abi := range []syscalls.ABI{syscalls.AMD64, syscalls.ARM64, syscalls.I386, syscalls.X32} {
		for nr := range s.Calls(abi) {
			if name := abi.Name(nr); name != "" && !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	if len(names) > maxNames {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNames], ", "), len(names)-maxNames)
	}
	return strings.Join(names, ", ")
}
