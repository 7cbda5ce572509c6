package action

import "farcall"

// Kernel takes out of rules those that a seccomp filter can do alone: that make all of some calls fail with one error. They are for
// farcall.Options.Refuse; the others are for Apply. A rule is not taken if one before it is for the same calls, as that one may
// decide.
func Kernel(rules []Rule) (refuse []farcall.Refusal, rest []Rule) {
	for _, r := range rules {
		if r.constant() && !overlaps(r, rest) {
			refuse = append(refuse, farcall.Refusal{Calls: r.Calls, Errno: r.Actions[0].Errno})
		} else {
			rest = append(rest, r)
		}
	}
	return refuse, rest
}

// constant tells whether a rule needs nothing but the number of the call.
func (r *Rule) constant() bool {
	return r.Calls != nil && r.If == nil && r.When == Occurrence{} && len(r.Actions) == 1 && r.Actions[0].Errno != 0
}

func overlaps(r Rule, rules []Rule) bool {
	for _, o := range rules {
		if o.Calls == nil || !o.Calls.Intersect(r.Calls).IsEmpty() {
			return true
		}
	}
	return false
}
