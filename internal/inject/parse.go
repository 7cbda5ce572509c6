package inject

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"farcall/action"
	"farcall/filter"
	"farcall/internal/cnumber"
	"farcall/syscalls"

	"golang.org/x/sys/unix"
)

const (
	lastSignal = 64   // _NSIG
	maxErrno   = 4095 // include/linux/err.h, MAX_ERRNO
	maxWhen    = 0xffff
	maxPoke    = 1024 // bytes
)

// A ParseError says what is wrong with an injection, in strace's words, and what would help.
type ParseError struct{ Message, Hint string }

func (e *ParseError) Error() string { return e.Message }

// An injection is one that is being read.
type injection struct {
	Injection
	warnings []string
}

// Parse reads the argument of -e inject=, or of -e fault= where fault is set:
//
//	SET{:TOKEN}
//
// fault= takes error= and when= only and fails with ENOSYS where no error is given.
func Parse(arg string, fault bool, warn func(string)) (Injection, error) {
	kind := "inject"
	if fault {
		kind = "fault"
	}
	bad := func(hint string) error {
		return &ParseError{Message: "invalid " + kind + " argument '" + arg + "'", Hint: hint}
	}
	in := injection{Injection: Injection{Text: arg, When: action.Occurrence{First: 1, Step: 1}}}
	set := ""
	// A leading colon leaves the set empty; further colons in a row count as one.
	if arg != "" && arg[0] != ':' {
		words := strings.FieldsFunc(arg, func(r rune) bool { return r == ':' })
		set = words[0]
		for _, word := range words[1:] {
			if !in.token(word, fault) {
				return Injection{}, bad("in '" + word + "'")
			}
		}
	}
	for _, w := range in.warnings {
		warn(w)
	}
	calls, err := filter.ParseCallSet(set)
	if err != nil {
		return Injection{}, err
	}
	in.Calls = calls
	if !in.acts() {
		if !fault {
			return Injection{}, bad("say what to inject: error=, retval=, signal=, delay_enter=, delay_exit=, poke_enter= or poke_exit=")
		}
		errno := int(unix.ENOSYS)
		in.Error = &errno
	}
	return in.Injection, nil
}

func (in *injection) acts() bool {
	return in.Error != nil || in.Retval != nil || in.Signal != 0 ||
		in.DelayEnter != nil || in.DelayExit != nil || in.PokeEnter != nil || in.PokeExit != nil
}

// injectTokens reads each kind of token; a false result means that it is malformed or a second
// one of its kind.
var injectTokens = map[string]func(in *injection, val string) bool{
	"when":        func(in *injection, val string) bool { return parseOccurrence(&in.When, val) },
	"error":       (*injection).parseError,
	"retval":      (*injection).parseRetval,
	"signal":      (*injection).parseSignal,
	"syscall":     (*injection).parseReplacement,
	"delay_enter": func(in *injection, val string) bool { return parseDelay(&in.DelayEnter, val) },
	"delay_exit":  func(in *injection, val string) bool { return parseDelay(&in.DelayExit, val) },
	"poke_enter":  func(in *injection, val string) bool { return parsePokes(&in.PokeEnter, val) },
	"poke_exit":   func(in *injection, val string) bool { return parsePokes(&in.PokeExit, val) },
}

var faultTokens = map[string]bool{"when": true, "error": true, "syscall": true}

func (in *injection) token(word string, fault bool) bool {
	key, val, ok := strings.Cut(word, "=")
	parse := injectTokens[key]
	return ok && parse != nil && (!fault || faultTokens[key]) && parse(in, val)
}

func (in *injection) parseError(val string) bool {
	if in.Error != nil || in.Retval != nil {
		return false
	}
	n, ok := cnumber.Uint(val, maxErrno)
	if !ok {
		n, ok = syscalls.ErrnoNumber(val)
	}
	if !ok || n == 0 {
		return false
	}
	in.Error = &n
	return true
}

func (in *injection) parseRetval(val string) bool {
	if in.Error != nil || in.Retval != nil {
		return false
	}
	// As strtoull(3): any base, and a negative number wraps around.
	digits, negative := strings.CutPrefix(val, "-")
	if !negative {
		digits = strings.TrimPrefix(digits, "+")
	}
	if strings.ContainsAny(digits, "_bBoO+-") && !strings.HasPrefix(strings.ToLower(digits), "0x") {
		return false // Go's own prefixes
	}
	v, err := strconv.ParseUint(digits, 0, 64)
	if err != nil {
		return false
	}
	if negative {
		v = -v
	}
	in.Retval = &v
	in.warnRetval(v)
	return true
}

// warnRetval says what a program would take the value for.
func (in *injection) warnRetval(v uint64) {
	errno := func(n int64) bool { return n < 0 && n >= -maxErrno }
	warn := func(format string, args ...any) { in.warnings = append(in.warnings, fmt.Sprintf(format, args...)) }
	switch {
	case errno(int64(v)):
		warn("Inadvertent injection of error %d is possible for retval=%d", -int64(v), v)
	case errno(int64(int32(v))):
		warn("Inadvertent injection of error %d is possible in compat personality for retval=%d", -int64(int32(v)), v)
	case v > math.MaxUint32:
		warn("Injected return value %d will be clipped to %d in compat personality", v, uint32(v))
	}
}

func (in *injection) parseSignal(val string) bool {
	n, ok := syscalls.SignalNumber(val)
	if in.Signal != 0 || !ok || n < 1 || n > lastSignal {
		return false
	}
	in.Signal = n
	return true
}

// parseReplacement takes only calls that have no effect and exist in every ABI (as strace does:
// the replacement is chosen before it is known which ABI calls).
func (in *injection) parseReplacement(val string) bool {
	if in.Replacement != "" {
		return false
	}
	pure, err := filter.ParseCallSet("%pure")
	if err != nil {
		return false
	}
	for _, abi := range []syscalls.ABI{syscalls.AMD64, syscalls.I386, syscalls.X32} {
		nr, ok := abi.Number(val)
		if !ok || !pure.Has(abi, nr) {
			return false
		}
	}
	in.Replacement = val
	return true
}

func parseDelay(delay **time.Duration, val string) bool {
	d, ok := cnumber.Duration(val)
	if !ok || *delay != nil {
		return false
	}
	*delay = &d
	return true
}

// parsePokes reads @argN=HEX, separated by commas.
func parsePokes(pokes *[]Poke, val string) bool {
	if *pokes != nil {
		return false
	}
	for word := range strings.SplitSeq(val, ",") {
		if word == "" {
			continue
		}
		word, ok := strings.CutPrefix(word, "@arg")
		if !ok || len(word) < 2 || word[0] < '1' || word[0] > '7' || word[1] != '=' {
			return false
		}
		data, err := hex.DecodeString(word[2:])
		if err != nil || len(data) == 0 || len(data) > maxPoke {
			return false
		}
		arg := int(word[0] - '0')
		for _, p := range *pokes {
			if p.Arg == arg {
				return false
			}
		}
		*pokes = append(*pokes, Poke{Arg: arg, Data: data})
	}
	return *pokes != nil
}

// parseOccurrence reads FIRST[..LAST][+[STEP]].
func parseOccurrence(o *action.Occurrence, val string) bool {
	first, rest, ok := cnumber.Scan(val, maxWhen)
	if !ok || first < 1 {
		return false
	}
	when := action.Occurrence{First: first}
	if tail, bounded := strings.CutPrefix(rest, ".."); bounded {
		// 0xffff is strace's own mark for "no end".
		when.Last, rest, ok = cnumber.Scan(tail, maxWhen-1)
		if !ok || when.Last < first {
			return false
		}
		when.Step = 1
	}
	switch {
	case rest == "+":
		when.Step = 1
	case strings.HasPrefix(rest, "+"):
		when.Step, ok = cnumber.Uint(rest[1:], maxWhen)
		if !ok || when.Step < 1 {
			return false
		}
	case rest != "":
		return false
	}
	*o = when
	return true
}
