package cmdline

import (
	"slices"
	"strconv"
	"strings"

	"farcall/internal/message"
	"farcall/syscalls"
)

// A NumberSet is a set of non-negative numbers such as file descriptors, or all but those.
type NumberSet struct {
	inverted bool
	members  []int // sorted, no duplicates
}

// Has tells whether n is in the set.
func (s *NumberSet) Has(n int) bool {
	_, found := slices.BinarySearch(s.members, n)
	return found != s.inverted
}

func (s *NumberSet) String() string {
	if len(s.members) == 0 {
		if s.inverted {
			return "all"
		}
		return "none"
	}
	var words []string
	for _, n := range s.members {
		words = append(words, strconv.Itoa(n))
	}
	out := strings.Join(words, ",")
	if s.inverted {
		return "!" + out
	}
	return out
}

// A SignalSet is a set of signals, one bit each. It covers 0 to 255, as strace's does, more than
// any architecture has.
type SignalSet [4]uint64

var allSignals = SignalSet{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}

// Has tells whether a signal is in the set.
func (s *SignalSet) Has(signal int) bool {
	return signal >= 0 && signal < 64*len(s) && s[signal/64]>>(signal%64)&1 != 0
}

func (s *SignalSet) String() string {
	switch *s {
	case allSignals:
		return "all"
	case SignalSet{}:
		return "none"
	}
	var in, out []string
	for n := range 256 {
		if s.Has(n) {
			in = append(in, signalWord(n))
		} else {
			out = append(out, signalWord(n))
		}
	}
	if len(out) < len(in) {
		return "!" + strings.Join(out, ",")
	}
	return strings.Join(in, ",")
}

// signalWord is the signal's name without SIG, or its number where it has none.
func signalWord(n int) string {
	if name := syscalls.SignalName(n); name != "" {
		return name[len("SIG"):]
	}
	return strconv.Itoa(n)
}

// parseMembers reads a list as strace reads all its sets but those of system calls:
//
//	{!} ("all" | "none" | word {"," word})
//
// kind is what the message calls a member, hint what could stand there.
func parseMembers(expr, kind, hint string, number func(string) (int, bool)) (*NumberSet, error) {
	body := strings.TrimLeft(expr, "!")
	set := &NumberSet{inverted: (len(expr)-len(body))%2 == 1}
	switch body {
	case "none":
		return set, nil
	case "all":
		set.inverted = !set.inverted
		return set, nil
	}
	bad := func(word string) error {
		return &message.Error{Text: "invalid " + kind + " '" + word + "'", Remedy: hint}
	}
	words := 0
	for word := range strings.SplitSeq(body, ",") {
		if word == "" {
			continue
		}
		words++
		n, ok := number(word)
		if !ok {
			return nil, bad(word)
		}
		if i, found := slices.BinarySearch(set.members, n); !found {
			set.members = slices.Insert(set.members, i, n)
		}
	}
	if words == 0 {
		return nil, bad(expr)
	}
	return set, nil
}

// bitset is the set as bits, for enumerations of up to eight values.
func (s *NumberSet) bitset(all uint8) uint8 {
	var v uint8
	for _, n := range s.members {
		v |= 1 << n
	}
	if s.inverted {
		v = all &^ v
	}
	return v
}

// parseWords reads a set of the words of an enumeration; also are other spellings of them.
// Upper and lower case do not matter.
func parseWords(expr, kind string, words names, also map[string]int) (uint8, error) {
	hint := "one of " + strings.Join(words, ", ") + ", all, none"
	set, err := parseMembers(expr, kind, hint, func(word string) (int, bool) {
		if i, ok := words.index(word); ok {
			return i, true
		}
		i, ok := also[strings.ToLower(word)]
		return i, ok
	})
	if err != nil {
		return 0, err
	}
	return set.bitset(1<<len(words) - 1), nil
}

// index finds a word, whatever its case.
func (n names) index(word string) (int, bool) {
	i := slices.IndexFunc(n, func(name string) bool { return strings.EqualFold(name, word) })
	return i, i >= 0
}

func parseDescriptors(expr string) (*NumberSet, error) {
	return parseMembers(expr, "descriptor", "a list of descriptor numbers such as 0,3, or all", func(word string) (int, bool) {
		return parseUint(word, maxInt)
	})
}

func parseSignals(expr string) (SignalSet, error) {
	list, err := parseMembers(expr, "signal", "a list of signals such as INT,SIGTERM,9, or all, none", syscalls.SignalNumber)
	if err != nil {
		return SignalSet{}, err
	}
	var set SignalSet
	for _, n := range list.members {
		set[n/64] |= 1 << (n % 64)
	}
	if list.inverted {
		for i := range set {
			set[i] = ^set[i]
		}
	}
	return set, nil
}
