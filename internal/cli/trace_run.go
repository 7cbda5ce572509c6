package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"farcall"
	"farcall/decode"
	"farcall/filter"
	"farcall/internal/cmdline"
	"farcall/internal/doctor"
	"farcall/internal/linux"
	"farcall/internal/message"
	"farcall/rule"
	"farcall/syscalls"
	descriptions "farcall/syscalls/linux"

	"golang.org/x/sys/unix"
)

// runTrace traces as the options say and returns the exit status. A program that was killed takes farcall
// with it: by the same signal.
func runTrace(_ context.Context, opts *cmdline.Options, std Streams, messages *message.Printer) int {
	status, err := traceAs(takeDaemonRole(), opts, std, messages)
	if err != nil {
		messages.Error(err)
		return exitFailure
	}
	return status
}

func traceAs(role daemonRole, opts *cmdline.Options, std Streams, messages *message.Printer) (int, error) {
	if role.middle {
		return 0, startDaemon(opts.Daemon, role)
	}
	if err := prepareTrace(opts); err != nil {
		return 0, err
	}
	r := &traceRun{opts: opts, std: std, messages: messages, role: role}
	if opts.Daemon != cmdline.DaemonNone && role.adopt == 0 {
		return 0, r.becomeProgram()
	}
	return r.run()
}

// A traceRun is one run of "farcall trace".
type traceRun struct {
	opts     *cmdline.Options
	std      Streams
	messages *message.Printer
	role     daemonRole
	tracer   *farcall.Tracer
	out      *traceOutput
	watch    *watcher
	rules    []*rule.Rule
	conditions
	profile *profiling // nil for none

	launchTold bool
}

// prepare reads conditions and rules, and makes the options of the tracer. With -D tracer and program are different processes, and both have
// to come to the same.
func (r *traceRun) prepare() (options farcall.Options, err error) {
	options = r.traceOptions()
	if r.opts.Describe != "" {
		if options.Descriptions, err = readDescriptions(r.opts.Describe); err != nil {
			return options, err
		}
	}
	if r.conditions, err = newConditions(r.opts, &options); err != nil {
		return options, err
	}
	if err := r.readRules(&options); err != nil {
		return options, err
	}
	r.addRules(&options)
	if err := r.narrow(&options); err != nil {
		return options, err
	}
	r.refuse(&options)
	r.kernelRules(&options)
	return options, nil
}

func (r *traceRun) run() (int, error) {
	options, err := r.prepare()
	if err != nil {
		return 0, err
	}
	if r.opts.Explain {
		if err := r.explain(r.std.Err); err != nil || len(r.opts.Command) == 0 {
			return 0, err
		}
	}
	if r.out, err = openTraceOutput(r.opts, r.std, r.messages, r.late()); err != nil {
		return 0, err
	}
	if r.profile, err = openProfile(r.opts); err != nil {
		return 0, err
	}
	r.tracer = farcall.New(options)
	r.watch = newWatcher(r)
	r.debug()
	r.tracer.Observe(r.watch.observe)
	if err := r.useRules(); err != nil {
		return 0, err
	}

	interrupts := r.catchInterrupts()
	err = r.start()
	if err == nil {
		err = r.tracer.Wait()
	}
	interrupted := interrupts.stop()
	r.watch.finish()
	if cerr := r.out.close(); cerr != nil && err == nil {
		err = cerr
	}
	if cerr := r.profile.close(); cerr != nil {
		r.messages.Error(cerr)
	}
	return r.status(r.regionError(err), interrupted)
}

// status turns the end of the trace into farcall's own.
func (r *traceRun) status(err error, interrupted unix.Signal) (int, error) {
	var launch *farcall.LaunchError
	var exit *farcall.ExitError
	switch {
	case r.watch.stopped && errors.As(err, &exit): // by --stop-when, which killed it
		return 0, nil
	case interrupted != 0:
		dieOf(interrupted)
		return 128 + int(interrupted), nil
	case errors.As(err, &launch):
		r.launchFailed()
		return exitFailure, nil
	case errors.As(err, &exit) && exit.Signal != 0:
		dieOf(exit.Signal)
		return 128 + int(exit.Signal), nil
	case errors.As(err, &exit):
		return exit.Code, nil
	}
	return 0, err
}

// unnamedCalls are the numbers without a call, which strace shows whatever the set.
func unnamedCalls() *filter.CallSet { return filter.NamedCalls().Complement() }

// launchFailed says, once, why the program could not be executed.
func (r *traceRun) launchFailed() {
	var launch *farcall.LaunchError
	if !errors.As(r.tracer.LaunchErr(), &launch) || r.launchTold {
		return
	}
	r.launchTold = true
	text := launch.Op + ": " + reason(launch.Err)
	if launch.Op == "execve" {
		text = "exec: " + reason(launch.Err)
	}
	r.out.tell(&message.Error{Text: text, Remedy: doctor.LaunchHint(launch)})
}

// lookedUp is what to say about descriptors and process ids.
func lookedUp(o *cmdline.Options) linux.Show {
	var s linux.Show
	for _, x := range []struct {
		wanted bool
		show   linux.Show
	}{
		{o.DecodeFDs.Has(cmdline.FDPath), linux.Paths}, {o.DecodeFDs.Has(cmdline.FDSocket), linux.Sockets},
		{o.DecodeFDs.Has(cmdline.FDDevice), linux.Devices}, {o.DecodeFDs.Has(cmdline.FDPidfd), linux.PIDFDs},
		{o.DecodePIDs.Has(cmdline.PIDComm), linux.Commands}, {o.DecodePIDs.Has(cmdline.PIDNamespace), linux.Namespaces},
	} {
		if x.wanted {
			s |= x.show
		}
	}
	return s
}

// traceOptions are the options of the tracer.
func (r *traceRun) traceOptions() farcall.Options {
	o := r.opts
	t := farcall.Options{
		Follow: o.Follow, Classic: !o.Seize, KillOnExit: o.KillOnExit, KeepProcessors: o.CPU == cmdline.CPUOff,
		Regions:   o.Regions,
		Usage:     o.Summary != cmdline.SummaryOff && !o.WallClock,
		Undecoded: o.Summary == cmdline.SummaryOnly && len(o.Paths) == 0 && o.TraceFDs == nil,
		Decode:    decode.Options{StringLimit: o.StringLimit},
	}
	t.Regions.Notice = func(pid int, err error) { r.out.say(fmt.Sprintf("process %d: %v", pid, err)) }
	if o.StringLimit == 0 {
		t.Decode.StringLimit = -1
	}
	t.Stacks = r.stackOptions()
	t.Emulate = o.Emulate
	info := linux.NewFDInfo(lookedUp(o))
	t.Resolver = func(t *farcall.Task) decode.Resolver { return info.Task(t.TID) }
	// A filter is inherited by what the program starts and cannot be taken off again: it is of no use
	// where the tracer lets go of the program.
	if o.Seccomp == cmdline.SeccompOff || o.DetachOnExec || o.SyscallLimit > 0 || o.StopWhen != nil && !o.KillOnExit {
		t.Seccomp = farcall.SeccompOff
	}
	abbrevAll, verboseAll := o.Abbrev.IsAll(), o.Verbose.IsAll()
	if !abbrevAll || !verboseAll {
		t.DecodeCall = func(t *farcall.Task, nr uint64, d *decode.Options) {
			d.Verbose = !o.Abbrev.Has(t.ABI, nr)
			d.Shallow = !o.Verbose.Has(t.ABI, nr)
		}
	}
	return t
}

// start starts the program and attaches to processes.
func (r *traceRun) start() error {
	o := r.opts
	if len(o.Attach) > 0 {
		if err := r.attach(); err != nil {
			return err
		}
	}
	if len(o.Command) == 0 {
		return nil
	}
	p, err := r.program()
	if err != nil {
		return err
	}
	if r.role.adopt != 0 {
		return r.adopt(r.role.adopt, p)
	}
	if err := checkTraceme(o); err != nil {
		return err
	}
	if err := r.tracer.Launch(p); err != nil {
		return launchError(err)
	}
	if r.tracer.NoNewPrivs() && !o.AsStrace {
		r.messages.Warn("set-user-ID programs run without their privileges, as the filter of calls needs it (--seccomp-bpf=no avoids it)")
	}
	return nil
}

// program is what is to be started.
func (r *traceRun) program() (*farcall.Program, error) {
	o := r.opts
	path, err := findProgram(o.Command[0], os.Getenv("PATH"))
	if err != nil {
		return nil, err
	}
	p := &farcall.Program{Path: path, Args: append([]string(nil), o.Command...), Env: environment(o.Env)}
	if o.Argv0 != nil {
		p.Args[0] = *o.Argv0
	}
	if o.User != "" {
		if p.Credential, err = credential(o.User); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// attach takes hold of the processes given by -p. It is enough that one of them can be traced.
func (r *traceRun) attach() error {
	attached := 0
	var failed []error
	done := map[int]bool{}
	for _, pid := range r.opts.Attach {
		if done[pid] {
			continue
		}
		done[pid] = true
		if err := r.tracer.Attach(pid); err != nil {
			failed = append(failed, r.attachError(pid, err))
			continue
		}
		attached++
	}
	for i, err := range failed {
		if i == len(failed)-1 && attached == 0 && len(r.opts.Command) == 0 {
			return err
		}
		r.messages.Error(err)
	}
	return nil
}

// attachError gives strace's message for a process that cannot be traced, and what may help.
func (r *traceRun) attachError(pid int, err error) error {
	c := &message.Error{Text: err.Error(), Remedy: doctor.AttachHint(err)}
	var errno unix.Errno
	if errors.As(err, &errno) {
		request := "PTRACE_SEIZE"
		if !r.opts.Seize {
			request = "PTRACE_ATTACH"
		}
		c.Text = "attach: ptrace(" + request + ", " + strconv.Itoa(pid) + "): " + reason(errno)
	}
	return c
}

// environment applies -E to farcall's own environment.
func environment(changes []cmdline.EnvChange) []string {
	env := os.Environ()
	for _, c := range changes {
		kept := env[:0]
		for _, e := range env {
			if !strings.HasPrefix(e, c.Name+"=") {
				kept = append(kept, e)
			}
		}
		env = kept
		if !c.Unset {
			env = append(env, c.Name+"="+c.Value)
		}
	}
	return env
}

// credential looks a user and the groups of the user up.
func credential(name string) (*farcall.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, &message.Error{Text: "Cannot find user '" + name + "'"}
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	c := &farcall.Credential{UID: uint32(uid), GID: uint32(gid)}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil {
			c.Groups = append(c.Groups, uint32(n))
		}
	}
	return c, nil
}

// readDescriptions reads the file of --describe.
func readDescriptions(name string) (*syscalls.Table, error) {
	t, err := descriptions.ParseDescriptions(os.DirFS(filepath.Dir(name)), filepath.Base(name))
	var pe *fs.PathError
	switch {
	case errors.As(err, &pe):
		return nil, message.Fail("--describe: cannot read '%s': %s", name, reason(err))
	case err != nil:
		return nil, &message.Error{Text: "--describe: " + err.Error(), Remedy: "docs/HOWTO-add-a-system-call.md explains the language"}
	}
	return t, nil
}
