package cmdline

import (
	"fmt"
	"strings"
)

// argKind says whether an option takes an argument (getopt_long(3): has_arg).
type argKind uint8

const (
	noArg       argKind = iota
	requiredArg         // -oFILE, -o FILE, --output=FILE, --output FILE
	optionalArg         // long options only: --quiet, --quiet=LIST
)

// An option is one entry of an option table. Options with the same long names differ in meaning
// by id alone: the spellings of one option share it, and an abbreviation that fits only
// spellings of one option is not ambiguous.
type option struct {
	id    optionID
	short byte // 0: none
	long  string
	arg   argKind // of the long name; optionalArg means noArg for the short one
	// later marks long names that strace 6.1 does not have. They never make an abbreviation
	// ambiguous that strace 6.1 resolves.
	later bool
	// concealed marks a name that is not there under the name strace, where it is an abbreviation of others.
	concealed bool
}

// A parsedOption is one option as it stood on the command line.
type parsedOption struct {
	id     optionID
	name   string // as written in full: "-o" or "--output"
	arg    string
	hasArg bool
}

// A getopt reads options as getopt_long(3) does with a leading "+" in its option string: options
// may be clustered, long options abbreviated, and the first argument that is not an option ends
// them.
type getopt struct {
	table   []option
	args    []string // what is left, without the program's name
	cluster string   // what is left of -abc
	strict  bool     // without what is concealed
}

// next returns the next option. more is false at the end of the options; rest then returns the
// command. The messages of errors are those of the C library, without the program's name.
func (g *getopt) next() (opt parsedOption, more bool, err error) {
	if g.cluster != "" {
		opt, err = g.shortOption()
		return opt, err == nil, err
	}
	if len(g.args) == 0 {
		return parsedOption{}, false, nil
	}
	word := g.args[0]
	switch {
	case word == "--":
		g.args = g.args[1:]
		return parsedOption{}, false, nil
	case len(word) < 2 || word[0] != '-':
		return parsedOption{}, false, nil
	}
	g.args = g.args[1:]
	if strings.HasPrefix(word, "--") {
		opt, err = g.longOption(word[2:])
	} else {
		g.cluster = word[1:]
		opt, err = g.shortOption()
	}
	return opt, err == nil, err
}

// rest is the command line after the options.
func (g *getopt) rest() []string { return g.args }

func (g *getopt) shortOption() (parsedOption, error) {
	c := g.cluster[0]
	g.cluster = g.cluster[1:]
	o := g.findShort(c)
	if o == nil {
		return parsedOption{}, fmt.Errorf("invalid option -- '%s'", string([]byte{c}))
	}
	opt := parsedOption{id: o.id, name: "-" + string([]byte{c})}
	if o.arg != requiredArg {
		return opt, nil
	}
	opt.hasArg = true
	switch {
	case g.cluster != "":
		opt.arg, g.cluster = g.cluster, ""
	case len(g.args) > 0:
		opt.arg, g.args = g.args[0], g.args[1:]
	default:
		return parsedOption{}, fmt.Errorf("option requires an argument -- '%c'", c)
	}
	return opt, nil
}

func (g *getopt) findShort(c byte) *option {
	if c == 0 {
		return nil
	}
	for i := range g.table {
		if g.table[i].short == c {
			return &g.table[i]
		}
	}
	return nil
}

func (g *getopt) longOption(word string) (parsedOption, error) {
	name, arg, hasArg := strings.Cut(word, "=")
	o, err := g.findLong(name, word)
	if err != nil {
		return parsedOption{}, err
	}
	opt := parsedOption{id: o.id, name: "--" + o.long, arg: arg, hasArg: hasArg}
	switch {
	case hasArg && o.arg == noArg:
		return parsedOption{}, fmt.Errorf("option '--%s' doesn't allow an argument", o.long)
	case !hasArg && o.arg == requiredArg:
		if len(g.args) == 0 {
			return parsedOption{}, fmt.Errorf("option '--%s' requires an argument", o.long)
		}
		opt.arg, opt.hasArg, g.args = g.args[0], true, g.args[1:]
	}
	return opt, nil
}

// findLong resolves a long option's name or abbreviation; word is the name with its argument,
// for messages.
func (g *getopt) findLong(name, word string) (*option, error) {
	for i := range g.table {
		if o := &g.table[i]; o.long == name && name != "" && !(g.strict && o.concealed) {
			return o, nil
		}
	}
	for _, later := range []bool{false, true} {
		found, ambiguous := g.abbreviated(name, later)
		if len(ambiguous) > 0 {
			return nil, &ambiguityError{word: word, possible: ambiguous}
		}
		if found != nil {
			return found, nil
		}
	}
	return nil, fmt.Errorf("unrecognized option '--%s'", word)
}

// abbreviated finds the option that begins with prefix. The C library compares each with the
// first one found and names only those that differ from that one.
func (g *getopt) abbreviated(prefix string, later bool) (found *option, ambiguous []string) {
	for i := range g.table {
		o := &g.table[i]
		if o.later != later || g.strict && o.concealed || o.long == "" || !strings.HasPrefix(o.long, prefix) {
			continue
		}
		switch {
		case found == nil:
			found = o
		case o.id != found.id || o.arg != found.arg:
			if ambiguous == nil {
				ambiguous = append(ambiguous, found.long)
			}
			ambiguous = append(ambiguous, o.long)
		}
	}
	return found, ambiguous
}

// An ambiguityError reports an abbreviation that fits several options.
type ambiguityError struct {
	word     string
	possible []string
}

func (e *ambiguityError) Error() string {
	return "option '--" + e.word + "' is ambiguous; possibilities: '--" +
		strings.Join(e.possible, "' '--") + "'"
}
