package cmdline

import (
	"errors"
	"strings"

	"farcall/filter"
)

// suggestOption is a hint for an option that could not be read.
func suggestOption(err error) string {
	var ambiguous *ambiguityError
	if errors.As(err, &ambiguous) {
		return ""
	}
	_, word, ok := strings.Cut(err.Error(), "unrecognized option '--")
	if !ok {
		return ""
	}
	word, _, _ = strings.Cut(strings.TrimSuffix(word, "'"), "=")
	best := filter.Nearest(word, func(yield func(string) bool) {
		for _, o := range table {
			if o.long != "" && !yield(o.long) {
				return
			}
		}
	})
	if best == "" {
		return ""
	}
	return "did you mean '--" + best + "'?"
}
