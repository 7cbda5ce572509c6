package filter

import (
	"iter"
	"runtime"
	"strconv"
	"strings"

	"farcall/syscalls"
)

// A ParseError says what is wrong with an expression.
type ParseError struct {
	Message string // in strace's words, one line
	Hint    string // what to write instead, or ""
	Usage   bool   // strace points at its usage text for this one
}

func (e *ParseError) Error() string { return e.Message }

// personality is one suffix that limits a name to one ABI, such as open@32.
type personality struct {
	suffix string
	abi    syscalls.ABI
}

// personalities are the ABIs that a tracer on each architecture can meet.
var personalities = map[string][]personality{
	"amd64": {{"64", syscalls.AMD64}, {"32", syscalls.I386}, {"x32", syscalls.X32}},
	"arm64": {{"64", syscalls.ARM64}},
}

// ParseCallSet reads a set of system calls as strace(1) defines it for -e trace=, abbrev=, raw=
// and their like, for the ABIs of the architecture that this program was built for.
//
//	set:  {!} ("all" | "none" | item {"," item})
//	item: {?} (name | number | %class | /regex) ["@64" | "@32" | "@x32"]
//
// Each leading "!" complements the rest. An item must match a call of some ABI unless "?" stands
// before it. Regular expressions are POSIX extended ones without back references and match
// anywhere in the name. Errors are of type *[ParseError].
func ParseCallSet(expr string) (*CallSet, error) { return newParser().set(expr) }

// newParser is the parser for the architecture that this program was built for.
func newParser() *parser {
	arch := personalities[runtime.GOARCH]
	if arch == nil {
		arch = personalities["amd64"]
	}
	return &parser{personalities: arch, classes: described}
}

type parser struct {
	personalities []personality
	classes       classifier
}

func (p *parser) set(expr string) (*CallSet, error) {
	body := strings.TrimLeft(expr, "!")
	negated := (len(expr)-len(body))%2 == 1

	set := new(CallSet)
	switch body {
	case "none":
	case "all":
		set = AllCalls()
	default:
		items := 0
		for item := range strings.SplitSeq(body, ",") {
			if item == "" {
				continue // as in "open,,close"
			}
			items++
			if err := p.item(set, item); err != nil {
				return nil, err
			}
		}
		if items == 0 {
			return nil, &ParseError{Message: invalidCall(expr)}
		}
	}
	if negated {
		set = set.Complement()
	}
	return set, nil
}

// item adds the calls that one element of the list names.
func (p *parser) item(set *CallSet, item string) error {
	word := strings.TrimLeft(item, "?")
	optional := len(word) < len(item)

	arch := p.personalities
	if at := strings.LastIndexByte(word, '@'); at >= 0 {
		arch = p.designated(word[at+1:])
		if arch == nil {
			return &ParseError{
				Message: "incorrect personality designator '" + word[at+1:] + "' in qualification '" + word + "'",
				Hint:    "one of " + p.suffixes() + " can follow the name",
				Usage:   true,
			}
		}
		word = word[:at]
	}

	match, err := p.matcher(word)
	if err != nil {
		return err
	}
	found := false
	for _, pers := range arch {
		found = match(set, pers.abi) || found
	}
	if !found && !optional {
		return &ParseError{Message: invalidCall(item), Hint: p.suggest(word)}
	}
	return nil
}

func invalidCall(item string) string { return "invalid system call '" + item + "'" }

func (p *parser) designated(suffix string) []personality {
	for i, pers := range p.personalities {
		if pers.suffix == suffix {
			return p.personalities[i : i+1]
		}
	}
	return nil
}

func (p *parser) suffixes() string {
	var out []string
	for _, pers := range p.personalities {
		out = append(out, "@"+pers.suffix)
	}
	return strings.Join(out, ", ")
}

// matcher turns one word into a function that adds what it matches in one ABI and tells whether
// there was anything.
func (p *parser) matcher(word string) (func(*CallSet, syscalls.ABI) bool, error) {
	switch {
	case word != "" && word[0] >= '0' && word[0] <= '9':
		return matchNumber(word), nil
	case strings.HasPrefix(word, "/"):
		return matchRegexp(word[1:])
	}
	if class, ok := classOf(word); ok {
		return p.matchClass(class), nil
	}
	return func(set *CallSet, a syscalls.ABI) bool {
		nr, ok := a.Number(word)
		if ok {
			set.Add(a, nr)
		}
		return ok
	}, nil
}

func matchNumber(word string) func(*CallSet, syscalls.ABI) bool {
	nr, err := strconv.ParseUint(word, 10, 31)
	return func(set *CallSet, a syscalls.ABI) bool {
		if err != nil || a.Name(nr) == "" {
			return false
		}
		set.Add(a, nr)
		return true
	}
}

func matchRegexp(pattern string) (func(*CallSet, syscalls.ABI) bool, error) {
	re, err := compileERE(pattern)
	if err != nil {
		return nil, err
	}
	return func(set *CallSet, a syscalls.ABI) bool {
		found := false
		for nr, name := range a.Names() {
			if re.MatchString(name) {
				set.Add(a, nr)
				found = true
			}
		}
		return found
	}, nil
}

func (p *parser) matchClass(class syscalls.Class) func(*CallSet, syscalls.ABI) bool {
	return func(set *CallSet, a syscalls.ABI) bool {
		for nr := range p.classes.calls(class, a) {
			set.Add(a, nr)
		}
		return true // a class may be empty in one ABI
	}
}

// suggest is a hint for a word that names no call: the nearest name or class, if any is near.
func (p *parser) suggest(word string) string {
	if strings.HasPrefix(word, "/") {
		return "no system call's name matches the regular expression"
	}
	if word == "" {
		return "name system calls, or one of all, none, %class, /regex"
	}
	if word[0] == '!' {
		return "'!' negates the whole set and stands only at its beginning"
	}
	if word[0] >= '0' && word[0] <= '9' {
		return "no system call has this number"
	}
	if word[0] != '%' {
		if _, ok := classOf("%" + word); ok {
			return "did you mean '%" + word + "'?"
		}
	}
	best := Nearest(word, func(yield func(string) bool) {
		for _, c := range classNames {
			if !yield(c.name) {
				return
			}
		}
		if word[0] == '%' {
			return
		}
		for _, pers := range p.personalities {
			for _, name := range pers.abi.Names() {
				if !yield(name) {
					return
				}
			}
		}
	})
	if best == "" {
		return ""
	}
	return "did you mean '" + best + "'?"
}

// Nearest is the candidate that the mistyped word was probably meant to be: the first of those
// at the smallest distance, or "" where none is near.
func Nearest(word string, candidates iter.Seq[string]) string {
	best, limit := "", len(word)/3+2
	for name := range candidates {
		if d := editDistance(word, name, limit); d < limit {
			best, limit = name, d
		}
	}
	return best
}

// editDistance is the number of insertions, deletions, substitutions and swaps of neighbours
// that lead from a to b, or limit where it is not below that.
func editDistance(a, b string, limit int) int {
	if abs(len(a)-len(b)) >= limit {
		return limit
	}
	var before, prev, cur = make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return min(prev[len(b)], limit)
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
