package cmdline

// RuleOptions are what is to be done to calls.
type RuleOptions struct {
	Rules   []RuleSource
	DryRun  bool // --dry-run
	Explain bool // --explain
	Emulate bool // --emulate
	Silent  bool // farcall run: nothing of calls is shown
}

// A RuleSource is a --rule or a --rules.
type RuleSource struct {
	Text string
	File bool // text is the name of a file
}

func ruleOption(file bool) func(*parser, parsedOption) error {
	return func(p *parser, opt parsedOption) error {
		p.o.Rules = append(p.o.Rules, RuleSource{opt.arg, file})
		return nil
	}
}
