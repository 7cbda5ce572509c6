package action

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"farcall"
	"farcall/filter"
	"farcall/syscalls"
	"farcall/syscalls/linux"

	"golang.org/x/sys/unix"
)

// An Env is what actions in text are read for.
type Env struct {
	Calls   *filter.CallSet     // the rule's: names of arguments and fields are looked up in their descriptions; nil: they are not
	Stopped func(pid int)       // is told of a process that "stop" has stopped
	Logged  func(*farcall.Call) // is told of a call for "log"
}

// A ParseError says what is wrong with actions in text.
type ParseError struct {
	Column  int // of the first byte in question, from 0
	Message string
}

func (e *ParseError) Error() string { return fmt.Sprintf("column %d: %s", e.Column+1, e.Message) }

// Parse reads actions, separated by commas:
//
//	skip                         do not execute the call: ENOSYS
//	fail ERRNO                   nor this one
//	return NUMBER
//	result NUMBER|-ERRNO         execute it and then give another result
//	replace CALL(NUMBER, ...)    execute another one
//	set ARG VALUE                VALUE: a number, NAME|NAME of the argument's own, "a string" with Go's escapes, hex:00ff
//	set ARG.FIELD VALUE
//	short NUMBER                 transfer at most so many bytes
//	delay TIME [before|after]    TIME: 200ms, 1s..2s, or exp 5ms with that mean
//	signal NAME [before|after]
//	kill, stop, log
//
// Numbers are decimal, 0x... or 0..., with a minus sign if need be.
//
// Error: *ParseError.
func Parse(text string, env Env) ([]Action, error) {
	p := &parser{text: text, env: env}
	var list []Action
	for {
		p.skipSpace()
		start := p.at
		a, err := p.action()
		if err != nil {
			return nil, err
		}
		list = append(list, a)
		if err := (&Rule{Actions: list}).Check(); err != nil {
			return nil, &ParseError{start, err.Error()}
		}
		if p.skipSpace(); p.at == len(text) {
			break
		}
		if !p.take(',') {
			return nil, p.bad(p.at, "want a comma or the end, have %q", p.text[p.at:])
		}
	}
	return list, nil
}

type parser struct {
	text string
	at   int
	env  Env
}

func (p *parser) bad(at int, format string, args ...any) error {
	return &ParseError{at, fmt.Sprintf(format, args...)}
}

func (p *parser) skipSpace() {
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\t') {
		p.at++
	}
}

func (p *parser) take(c byte) bool {
	p.skipSpace()
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

// word reads up to the next space, comma or bracket.
func (p *parser) word(what string) (string, int, error) {
	p.skipSpace()
	start := p.at
	for p.at < len(p.text) && !strings.ContainsRune(" \t,()", rune(p.text[p.at])) {
		p.at++
	}
	if p.at == start {
		return "", start, p.bad(start, "want %s", what)
	}
	return p.text[start:p.at], start, nil
}

// parsers read what follows the name of an action.
var parsers map[string]func(*parser) (Action, error)

func init() { // the table refers to functions that refer to it
	parsers = map[string]func(*parser) (Action, error){
		"skip":    func(*parser) (Action, error) { return Skip(), nil },
		"kill":    func(*parser) (Action, error) { return Kill(), nil },
		"stop":    func(p *parser) (Action, error) { return Stop(p.env.stopped), nil },
		"log":     func(p *parser) (Action, error) { return Log(p.env.logged), nil },
		"fail":    (*parser).fail,
		"return":  numbered(func(n int64) Action { return Return(n) }),
		"result":  (*parser).result,
		"replace": (*parser).replace,
		"set":     (*parser).set,
		"short":   (*parser).short,
		"delay":   (*parser).delay,
		"signal":  (*parser).signal,
	}
}

const actionNames = "skip, fail, return, result, replace, set, short, delay, signal, kill, stop, log"

func (e *Env) stopped(pid int) {
	if e.Stopped != nil {
		e.Stopped(pid)
	}
}

func (e *Env) logged(c *farcall.Call) {
	if e.Logged != nil {
		e.Logged(c)
	}
}

func (p *parser) action() (Action, error) {
	name, at, err := p.word("an action: " + actionNames)
	if err != nil {
		return Action{}, err
	}
	parse := parsers[name]
	if parse == nil {
		return Action{}, p.bad(at, "%q is no action; there are %s", name, actionNames)
	}
	return parse(p)
}

func numbered(f func(int64) Action) func(*parser) (Action, error) {
	return func(p *parser) (Action, error) {
		n, err := p.number()
		return f(n), err
	}
}

// number reads a number of 64 bits, signed or not.
func (p *parser) number() (int64, error) {
	w, at, err := p.word("a number")
	if err != nil {
		return 0, err
	}
	n, ok := parseNumber(w)
	if !ok {
		return 0, p.bad(at, "%q is no number of 64 bits", w)
	}
	return n, nil
}

func parseNumber(w string) (int64, bool) {
	if strings.ContainsRune(w, '_') {
		return 0, false
	}
	if n, err := strconv.ParseInt(w, 0, 64); err == nil {
		return n, true
	}
	n, err := strconv.ParseUint(w, 0, 64)
	return int64(n), err == nil
}

// errno is an error by name or number.
func errno(w string) (unix.Errno, bool) {
	const highest = 4095 // include/linux/err.h
	n, err := strconv.ParseUint(w, 10, 16)
	if err == nil {
		return unix.Errno(n), n > 0 && n <= highest
	}
	k, ok := syscalls.ErrnoNumber(w)
	return unix.Errno(k), ok && k > 0
}

func (p *parser) fail() (Action, error) {
	w, at, err := p.word("an error, such as ENOENT")
	if err != nil {
		return Action{}, err
	}
	e, ok := errno(w)
	if !ok {
		return Action{}, p.bad(at, "%q is no error", w)
	}
	return Fail(e), nil
}

func (p *parser) result() (Action, error) {
	w, at, err := p.word("a number, or an error such as -EIO")
	if err != nil {
		return Action{}, err
	}
	if name, ok := strings.CutPrefix(w, "-E"); ok {
		if e, ok := errno("E" + name); ok {
			return Result(-int64(e)), nil
		}
	}
	n, ok := parseNumber(w)
	if !ok {
		return Action{}, p.bad(at, "%q is neither a number nor an error such as -EIO", w)
	}
	return Result(n), nil
}

func (p *parser) replace() (Action, error) {
	name, at, err := p.word("the name of a call")
	if err != nil {
		return Action{}, err
	}
	var args []uint64
	if p.take('(') && !p.take(')') {
		for {
			n, err := p.number()
			if err != nil {
				return Action{}, err
			}
			if args = append(args, uint64(n)); len(args) > 6 {
				return Action{}, p.bad(p.at, "a call has six arguments at most")
			}
			if p.take(')') {
				break
			}
			if !p.take(',') {
				return Action{}, p.bad(p.at, "want a comma or a closing bracket")
			}
		}
	}
	a, err := Replace(name, args...)
	if err != nil {
		return Action{}, p.bad(at, "%q is no call", name)
	}
	return a, nil
}

func (p *parser) short() (Action, error) {
	at := p.at
	n, err := p.number()
	if err == nil && n < 0 {
		err = p.bad(at, "a number of bytes is not negative")
	}
	return Short(uint64(n)), err
}

// set reads an argument or field and its new value.
func (p *parser) set() (Action, error) {
	path, at, err := p.word("an argument, or a field of one")
	if err != nil {
		return Action{}, err
	}
	types, err := p.env.types(path)
	if err != nil {
		return Action{}, p.bad(at, "%v", err)
	}
	p.skipSpace()
	at = p.at
	if strings.HasPrefix(p.text[p.at:], `"`) {
		quoted, err := strconv.QuotedPrefix(p.text[p.at:])
		if err != nil {
			return Action{}, p.bad(at, "the string has no end")
		}
		p.at += len(quoted)
		s, err := strconv.Unquote(quoted)
		if err != nil || strings.IndexByte(s, 0) >= 0 {
			return Action{}, p.bad(at, "no string of the kernel's")
		}
		return SetString(path, s), p.pointer(at, path, types)
	}
	w, at, err := p.word("a value")
	if err != nil {
		return Action{}, err
	}
	if digits, ok := strings.CutPrefix(w, "hex:"); ok {
		b, err := hex.DecodeString(digits)
		if err != nil || len(b) == 0 {
			return Action{}, p.bad(at, "%q: want pairs of hexadecimal digits", w)
		}
		return SetBytes(path, b), p.pointer(at, path, types)
	}
	if n, ok := parseNumber(w); ok {
		return Set(path, uint64(n)), nil
	}
	names := strings.Split(w, "|")
	for abi, t := range types {
		if _, err := value(t, abi, names); err != nil {
			return Action{}, p.bad(at, "%s: %v", path, err)
		}
	}
	return SetNames(path, names...), nil
}

// pointer tells whether new contents can be given to an argument.
func (p *parser) pointer(at int, path string, types map[syscalls.ABI]*syscalls.Type) error {
	if strings.ContainsRune(path, '.') {
		return p.bad(at, "%s: strings and bytes can be given to arguments only, not to fields", path)
	}
	for _, t := range types {
		if t.Dir == 0 && t.Kind != syscalls.KindPtr {
			return p.bad(at, "%s is a number, no pointer", path)
		}
	}
	return nil
}

// types finds the argument or field in the calls of the rule: all of them must have it.
func (e *Env) types(path string) (map[syscalls.ABI]*syscalls.Type, error) {
	types := map[syscalls.ABI]*syscalls.Type{}
	if e.Calls == nil {
		return types, nil
	}
	for abi := syscalls.ABI(0); abi < syscalls.NumABI; abi++ {
		for nr := range abi.Names() {
			d := linux.Describe(abi, nr)
			if d == nil || !e.Calls.Has(abi, nr) || len(d.Variants) > 0 {
				continue
			}
			t, err := farcall.FieldType(d, abi, path)
			if err != nil {
				return nil, err
			}
			types[abi] = t
		}
	}
	return types, nil
}

// after reads the word that says on which side of the call something happens.
func (p *parser) after() bool {
	start := p.at
	if w, _, err := p.word("before or after"); err == nil && (w == "after" || w == "before") {
		return w == "after"
	}
	p.at = start
	return false
}

func (p *parser) delay() (Action, error) {
	w, at, err := p.word("a time, such as 200ms")
	if err != nil {
		return Action{}, err
	}
	var d Duration
	if w == "exp" {
		mean, err := p.duration()
		if err != nil {
			return Action{}, err
		}
		d = Exponential(mean)
	} else {
		from, to, ranged := strings.Cut(w, "..")
		p.at = at + len(from)
		low, err := parseDuration(from)
		if err != nil {
			return Action{}, p.bad(at, "%v", err)
		}
		d = Fixed(low)
		if ranged {
			p.at = at + len(w)
			high, err := parseDuration(to)
			if err != nil || high < low {
				return Action{}, p.bad(at, "%q: want two times, the smaller first", w)
			}
			d = Uniform{low, high}
		}
	}
	if p.after() {
		return DelayAfter(d), nil
	}
	return Delay(d), nil
}

func (p *parser) duration() (time.Duration, error) {
	w, at, err := p.word("a time, such as 200ms")
	if err != nil {
		return 0, err
	}
	d, err := parseDuration(w)
	if err != nil {
		return 0, p.bad(at, "%v", err)
	}
	return d, nil
}

func parseDuration(w string) (time.Duration, error) {
	d, err := time.ParseDuration(w)
	if err != nil || d < 0 || d > math.MaxInt64/200 { // room for what Exponential makes of it
		return 0, fmt.Errorf("%q is no time; the units are h, m, s, ms, us, ns", w)
	}
	return d, nil
}

func (p *parser) signal() (Action, error) {
	const last = 64 // _NSIG
	w, at, err := p.word("a signal, such as TERM")
	if err != nil {
		return Action{}, err
	}
	n, ok := syscalls.SignalNumber(w)
	if !ok || n < 1 || n > last {
		return Action{}, p.bad(at, "%q is no signal", w)
	}
	return Signal(unix.Signal(n), nil, p.after()), nil
}
