package cli

import (
	"errors"
	"os"
	"slices"
	"strings"

	"farcall"
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

func (p *traceParser) regionSymbols(opt parsedOption) error {
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
func (p *traceParser) marks(opt parsedOption) error {
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

func (p *traceParser) untilReturn(opt parsedOption) error {
	n, ok := parseUint(opt.arg, maxInt)
	if !ok || n == 0 {
		return badArgument(opt, "a number of returns, from 1 on")
	}
	p.o.Regions.Returns = n
	return nil
}

// checkRegions refuses what has a meaning only with --in.
func (p *traceParser) checkRegions() error {
	r := &p.o.Regions
	if len(r.Marks) > 0 && !p.o.Seize {
		return misuse("--marks needs --seize=yes")
	}
	if len(r.In) > 0 && r.Hardware && r.Step {
		return misuse("--hw and --step exclude each other")
	}
	if len(r.In) > 0 || len(r.Marks) > 0 && !r.Hardware && !r.Step {
		return nil
	}
	for _, x := range []struct {
		given bool
		name  string
	}{{r.Threads, "--in-threads"}, {r.Hardware, "--hw"}, {r.Step, "--step"}, {r.Returns > 0, "--until-return"}} {
		if x.given {
			return misuse("%s must be given with --in", x.name)
		}
	}
	return nil
}

// regionError adds to an error about a region that the program is a script, whose symbols are its interpreter's.
func (r *traceRun) regionError(err error) error {
	var re *farcall.RegionError
	if !errors.As(err, &re) || len(r.opts.Command) == 0 {
		return err
	}
	path, perr := findProgram(r.opts.Command[0], os.Getenv("PATH"))
	if perr != nil {
		return err
	}
	f, perr := os.Open(path)
	if perr != nil {
		return err
	}
	defer f.Close()
	var magic [2]byte
	if _, perr := f.Read(magic[:]); perr != nil || string(magic[:]) != "#!" {
		return err
	}
	return &commandError{text: re.Error(), hint: path + " is a script: its interpreter is the program"}
}
