package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"farcall/event"
	"farcall/internal/cmdline"
	"farcall/internal/message"
	"farcall/internal/profile"
)

// profiling is the profile of a run (--profile).
type profiling struct {
	profile *profile.Profile
	file    *os.File
}

// openProfile makes the file, so that it is not after the run that its name turns out to be wrong.
func openProfile(o *cmdline.Options) (*profiling, error) {
	if o.Profile == "" {
		return nil, nil
	}
	f, err := os.Create(o.Profile)
	if err != nil {
		return nil, message.Fail("--profile: cannot write '%s': %s", o.Profile, reason(err))
	}
	return &profiling{profile.New(profiled(o), strings.Join(o.Command, " ")), f}, nil
}

// profiled is the file that the profile is about: that of the program, or of the first process that is attached to; "" if it is not known.
func profiled(o *cmdline.Options) string {
	file := ""
	switch {
	case len(o.Command) > 0:
		file, _ = exec.LookPath(o.Command[0])
	case len(o.Attach) > 0:
		file = "/proc/" + strconv.Itoa(o.Attach[0]) + "/exe"
	}
	file, _ = filepath.EvalSymlinks(file)
	return file
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
		return message.Fail("--profile: cannot write '%s': %s", p.file.Name(), reason(err))
	}
	return nil
}
