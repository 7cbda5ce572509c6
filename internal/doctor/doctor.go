// Package doctor tries out what farcall needs of a machine, and finds the cause, and a remedy, for what does not work: as
// reports, and as hints that go with an error.
package doctor

// Options say who asks.
type Options struct {
	Version string                 // of farcall, for the report
	Program func() (string, error) // finds the file of this farcall, which is run with -V under a trace
}

// Examine looks at the machine, and tries to launch, to attach and to read memory, with processes of its own. It takes some
// hundredths of a second where all works. What cannot be found out is part of the report.
func Examine(o Options) *Report {
	return gatherFacts(o.Program).report(o.Version)
}
