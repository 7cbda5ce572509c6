package cmdline

// StackOptions says whether call stacks are shown.
type StackOptions struct {
	Stacks     StackMode // -k
	FrameLimit int       // frames shown of each, 0: no option was given
	Profile    string    // --profile: file to write calls by stack to, "": none
}

// StackMode says what is shown of a call's stack.
type StackMode uint8

// The modes.
const (
	StackOff     StackMode = iota
	StackSymbols           // functions
	StackSource            // source lines, and functions that were inlined, too
)

var stackModes = map[string]StackMode{"": StackSymbols, "symbol": StackSymbols, "symbols": StackSymbols, "source": StackSource}

func (p *parser) stackShort(parsedOption) error {
	p.o.Stacks = min(p.o.Stacks+1, StackSource)
	return nil
}

func (p *parser) stackLong(opt parsedOption) error {
	mode, ok := stackModes[opt.arg]
	if !ok {
		return badArgument(opt, "one of symbol, source")
	}
	p.o.Stacks = mode
	return nil
}

func (p *parser) stackLimit(opt parsedOption) error {
	n, ok := parseUint(opt.arg, maxInt)
	if !ok || n == 0 {
		return badArgument(opt, "a number of frames")
	}
	p.o.FrameLimit = n
	return nil
}

func (p *parser) profile(opt parsedOption) error {
	if opt.arg == "" {
		return badArgument(opt, "the name of a file")
	}
	p.o.Profile = opt.arg
	return nil
}
