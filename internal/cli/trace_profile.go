package cli

import (
	"os"
	"strings"

	"farcall/event"
	"farcall/internal/profile"
)

// profiling is the profile of a run (--profile).
type profiling struct {
	profile *profile.Profile
	file    *os.File
}

func (p *traceParser) profile(opt parsedOption) error {
	if opt.arg == "" {
		return badArgument(opt, "the name of a file")
	}
	p.o.Profile = opt.arg
	return nil
}

// openProfile makes the file, so that it is not after the run that its name turns out to be wrong.
func openProfile(o *TraceOptions) (*profiling, error) {
	if o.Profile == "" {
		return nil, nil
	}
	f, err := os.Create(o.Profile)
	if err != nil {
		return nil, fail("--profile: cannot write '%s': %s", o.Profile, reason(err))
	}
	program := ""
	if len(o.Command) > 0 {
		program = o.Command[0]
	}
	return &profiling{profile.New(program, strings.Join(o.Command, " ")), f}, nil
}

// add counts a call that is shown.
func (p *profiling) add(ev *event.Event) {
	if p != nil && !ev.Lost {
		p.profile.Add(ev, ev.Region)
	}
}

func (p *profiling) close() error {
	if p == nil {
		return nil
	}
	err := p.profile.Write(p.file)
	if cerr := p.file.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fail("--profile: cannot write '%s': %s", p.file.Name(), reason(err))
	}
	return nil
}
