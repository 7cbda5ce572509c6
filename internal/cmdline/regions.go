package cmdline

import (
	"slices"
	"strings"

	"farcall/internal/message"
	"farcall/symbols"
)

// splitSymbols takes the argument of --in apart at its commas, except for those between brackets, as C++ and Go have them in names.
func splitSymbols(arg string) []string {
	var out []string
	depth, start := 0, 0
	for i, c := range arg {
		switch c {
		case '(', '[', '{', '<':
			depth++
		case ')', ']', '}', '>':
			depth--
		case ',':
			if depth <= 0 {
				out = append(out, arg[start:i])
				start = i + 1
			}
		}
	}
	return append(out, arg[start:])
}

func (p *parser) regionSymbols(opt parsedOption) error {
	for _, s := range splitSymbols(opt.arg) {
		s = strings.TrimSpace(s)
		if _, err := symbols.ParsePattern(s); err != nil {
			return badArgument(opt, "functions, separated by commas; 'farcall symbols PROGRAM' lists them")
		}
		if !slices.Contains(p.o.Regions.In, s) {
			p.o.Regions.In = append(p.o.Regions.In, s)
		}
	}
	return nil
}

// marks reads names of marks, or globs; without any, all are meant.
func (p *parser) marks(opt parsedOption) error {
	if !opt.hasArg {
		p.o.Regions.Marks = append(p.o.Regions.Marks, "*")
		return nil
	}
	for _, name := range strings.Split(opt.arg, ",") {
		if name == "" {
			return badArgument(opt, "names of marks, separated by commas, or globs")
		}
		p.o.Regions.Marks = append(p.o.Regions.Marks, name)
	}
	return nil
}

func (p *parser) untilReturn(opt parsedOption) error {
	n, ok := parseUint(opt.arg, maxInt)
	if !ok || n == 0 {
		return badArgument(opt, "a number of returns, from 1 on")
	}
	p.o.Regions.Returns = n
	return nil
}

// checkRegions refuses what has a meaning only with --in.
func (p *parser) checkRegions() error {
	r := &p.o.Regions
	if len(r.Marks) > 0 && !p.o.Seize {
		return message.Misuse("--marks needs --seize=yes")
	}
	if len(r.In) > 0 && r.Hardware && r.Step {
		return message.Misuse("--hw and --step exclude each other")
	}
	if len(r.In) > 0 || len(r.Marks) > 0 && !r.Hardware && !r.Step {
		return nil
	}
	for _, x := range []struct {
		given bool
		name  string
	}{{r.Threads, "--in-threads"}, {r.Hardware, "--hw"}, {r.Step, "--step"}, {r.Returns > 0, "--until-return"}} {
		if x.given {
			return message.Misuse("%s must be given with --in", x.name)
		}
	}
	return nil
}
