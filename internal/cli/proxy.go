package cli

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"farcall"
	"farcall/filter"
	"farcall/internal/cmdline"
	"farcall/internal/message"
	"farcall/internal/proxy"
	"farcall/internal/proxy/cache"
	"farcall/internal/proxy/view"
	"farcall/remote"
	"farcall/remote/certs"
	"farcall/remote/client"

	"github.com/spf13/cobra"
)

const proxyHelp = `Run a program whose files are another host's: its system calls are executed by
a "farcall serve" there. The program itself, and what it is linked to, come from
this host.

Without --view prefix=DIR, every path leads to the other host except /usr, /bin,
/sbin, /lib*, /proc, /dev, /sys, and what the dynamic linker needs of /etc. Globs
change that; the last one that matches decides, and is about all that is below.`

const proxyExamples = `  farcall proxy --to unix:///run/farcall.sock -- ls -l /etc
  farcall proxy --command 'ssh host farcall serve --stdio' -- bash
  farcall proxy --to unix:///run/farcall.sock --view prefix=/r -- cp /r/etc/hosts .
  farcall proxy --which /etc/hosts --local '/etc/host*'`

// proxyOptions are the command's options.
type proxyOptions struct {
	to, command string
	naive       bool
	mechanism   string
	view        string
	rules       ruleFlags
	dir         string
	local       bool
	which       string
	stats       string
	cache       string
	savers      string
	noProfile   bool
	net         string
	tls         string
	onLoss      string
	patience    time.Duration // of onLoss
	debug       bool
	calls       string
	trace       string
	traceFormat string
	explain     bool
	readOnly    bool
	standIns    string
	env         []string
	in, marks   []string
}

// newProxyCommand runs a program on the files of another host.
func newProxyCommand(std Streams) *cobra.Command {
	var o proxyOptions
	cmd := &cobra.Command{
		Use:                   "proxy --to ADDRESS|--command COMMAND [options] [--] PROG [ARG]...",
		Short:                 "Run a program on the files of another host",
		Long:                  proxyHelp,
		Example:               proxyExamples,
		DisableFlagsInUseLine: true,
		RunE:                  func(_ *cobra.Command, args []string) error { return runProxy(std, o, args) },
	}
	f := cmd.Flags()
	f.SetInterspersed(false)
	f.StringVar(&o.to, "to", "", "the server's `ADDRESS`: unix:///PATH, tcp://HOST:PORT, vsock://CID:PORT, ssh://HOST, kubectl://NAMESPACE/POD")
	f.StringVar(&o.command, "command", "", "a shell `COMMAND` that runs a server over its standard input and output")
	f.StringVar(&o.tls, "tls", "", "use TLS over TCP, with the certificates in `DIR` that farcall certs has made")
	f.BoolVar(&o.naive, "naive", false, "forward call by call, by ptrace, and fetch nothing ahead")
	f.StringVar(&o.mechanism, "mechanism", "auto", "how calls are intercepted (`auto|notify|ptrace`)")
	f.StringVar(&o.view, "view", "overlay", "overlay, or prefix=`DIR`: only what is below DIR is the other host's")
	f.Var(ruleFlag{&o.rules, "local"}, "local", "paths that match `GLOB` are this host's")
	f.Var(ruleFlag{&o.rules, "remote"}, "remote", "paths that match `GLOB` are the other host's")
	f.Var(ruleFlag{&o.rules, ""}, "rule", "`GLOB=SIDE`: local, remote, remote-then-local, local-then-remote, hide, readonly")
	f.Var(rulesFile{&o.rules}, "rules", "rules from `FILE`, one GLOB=SIDE a line")
	f.StringVar(&o.dir, "cwd", "", "start in directory `DIR`: /, or with --in and --marks this one")
	f.BoolVar(&o.readOnly, "read-only", false, "change nothing there")
	f.StringVar(&o.standIns, "stand-ins", "auto", "what programs have in place of the other host's files: those of a file system in user space, or memfds, of which reading and writing is intercepted (`auto|fuse|memfd`)")
	f.StringVar(&o.calls, "calls", "", "execute there only calls for which `CONDITION` holds, see farcall help filter")
	f.StringArrayVar(&o.in, "in", nil, "execute calls there only while threads are inside of function `SYMBOL`; by ptrace")
	f.StringSliceVar(&o.marks, "marks", nil, "the same for regions that the program has marked with these `NAMES`; globs; by ptrace")
	f.StringArrayVar(&o.env, "env", nil, "`NAME=VALUE`, or remote: HOME, SHELL, USER and LOGNAME as they are there, or local")
	f.StringVar(&o.trace, "trace", "", "write each call, and where it was executed, to `FILE`")
	f.StringVar(&o.traceFormat, "trace-format", "text", "as lines of strace, or as JSON, one object a line (`text|json`)")
	f.BoolVar(&o.explain, "explain", false, "say of each path where it leads, and which rule says so")
	f.BoolVar(&o.local, "local-identity", false, "uname, getuid and the like tell of this host")
	f.StringVar(&o.which, "which", "", "say where `PATH` leads, and stop")
	f.StringVar(&o.stats, "stats", "", "write counters to `FILE` when the program has ended")
	f.StringVar(&o.net, "net", "local", "connect sockets from this host, or from the other (`local|remote`)")
	f.StringVar(&o.cache, "cache", "lease", "how long what is known is believed: until the server tells of a change, not at all, or for a time (`lease[=TIME]|strict|ttl=TIME`)")
	f.StringVar(&o.savers, "saver", "all", "how round trips are saved: a `LIST` of start, lists, contents, writes, profile, all, none, -NAME")
	f.BoolVar(&o.noProfile, "no-profile", false, "neither use nor keep what the command asked for last time")
	f.StringVar(&o.onLoss, "on-loss", "", "if the connection is lost: calls wait until there is another, by default 60s at most, where the server can be connected to again; or they fail with EIO; or the programs are killed (`wait[=TIME]|eio|kill`)")
	f.BoolVarP(&o.debug, "debug", "d", false, "say what is done with each call")
	return cmd
}

// ruleFlags are the rules in the order in which they were given.
type ruleFlags []view.Rule

// ruleFlag adds a rule for one of the options.
type ruleFlag struct {
	rules *ruleFlags
	name  string // of the side, "" if it follows the glob
}

func (f ruleFlag) String() string { return "" }

func (f ruleFlag) Type() string { return "glob" }

// Set adds a rule.
func (f ruleFlag) Set(s string) error {
	from := "--rule " + s
	if f.name != "" {
		from = "--" + f.name + " " + s
		s += "=" + f.name
	}
	r, err := view.ParseRule(s, from)
	if err == nil {
		*f.rules = append(*f.rules, r)
	}
	return err
}

// rulesFile adds the rules of a file.
type rulesFile struct{ rules *ruleFlags }

func (f rulesFile) String() string { return "" }

func (f rulesFile) Type() string { return "file" }

// Set reads the file.
func (f rulesFile) Set(name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	rules, err := view.ParseRules(string(b), name)
	*f.rules = append(*f.rules, rules...)
	return err
}

// makeView makes the view that the options describe.
func (o *proxyOptions) makeView() (view.View, error) {
	v := view.Overlay()
	if dir, ok := strings.CutPrefix(o.view, "prefix="); ok {
		var err error
		if v, err = view.PrefixView(dir); err != nil {
			return v, message.Fail("%v", err)
		}
	} else if o.view != "overlay" {
		return v, &message.Error{Text: "invalid --view argument: '" + o.view + "'", Remedy: "it is overlay or prefix=DIR"}
	}
	for _, r := range o.rules {
		if err := v.Add(r); err != nil {
			return v, message.Fail("%v", err)
		}
	}
	return v, nil
}

// runProxy is the command.
func runProxy(std Streams, o proxyOptions, args []string) error {
	view, err := o.makeView()
	if err != nil {
		return err
	}
	if o.which != "" {
		return explainPath(std, view, o.which)
	}
	switch {
	case len(args) == 0:
		return message.Misuse("no program given")
	case (o.to != "") == (o.command != ""):
		return message.Misuse("proxy wants --to or --command")
	}
	run := proxy.Run{View: view, Naive: o.naive, Local: o.local, ReadOnly: o.readOnly, Dir: o.dir, Args: args, Regions: farcall.Regions{In: o.in, Marks: o.marks}}
	regions := len(o.in)+len(o.marks) > 0
	if err := o.programOptions(&run, regions); err != nil {
		return err
	}
	switch o.standIns {
	case "auto":
		run.StandIns = proxy.Auto
	case "fuse":
		run.StandIns = proxy.Served
	case "memfd":
	default:
		return &message.Error{Text: "invalid --stand-ins argument: '" + o.standIns + "'", Remedy: "it is auto, fuse or memfd"}
	}
	if run.Caching, err = parseCaching(o.cache); err != nil {
		return err
	}
	if run.Savers, err = cache.ParseSavers(o.savers); err != nil {
		return &message.Error{Text: "invalid --saver argument: " + err.Error()}
	}
	switch o.net {
	case "local":
	case "remote":
		run.Net = true
	default:
		return &message.Error{Text: "invalid --net argument: '" + o.net + "'", Remedy: "it is local or remote"}
	}
	if o.patience, run.Kill, err = o.parseOnLoss(); err != nil {
		return err
	}
	switch {
	case o.mechanism == "ptrace" || (o.naive || regions) && o.mechanism == "auto":
		run.Ptrace = true
	case regions:
		return message.Misuse("--in and --marks need ptrace: where a thread is, only a tracer knows")
	case o.naive:
		return message.Misuse("--naive forwards by ptrace")
	case o.mechanism != "auto" && o.mechanism != "notify":
		return &message.Error{Text: "invalid --mechanism argument: '" + o.mechanism + "'", Remedy: "it is auto, notify or ptrace"}
	}
	if run.Net && run.Ptrace {
		return message.Misuse("--net remote needs user notification: a tracer cannot put sockets into a program")
	}
	if o.standIns == "fuse" && (run.Ptrace || o.trace != "" || o.calls != "") {
		return message.Misuse("--stand-ins fuse has calls that are not seen: --trace, --calls and ptrace need memfds")
	}
	if run.Path = programPath(args[0], view); run.Path == "" {
		return &message.Error{Text: args[0] + ": not found on this host", Remedy: "name a program of the other host by its path"}
	}
	messages := &message.Printer{W: std.Err, Name: "farcall", Help: "farcall help proxy"}
	run.Warn = messages.Warn
	if o.debug {
		run.Debug = func(format string, args ...any) { messages.Warn(fmt.Sprintf(format, args...)) }
	}
	if o.explain {
		run.Explain = explainTo(std.Err)
	}
	if regions {
		run.Regions.Notice = func(_ int, err error) { messages.Warn(err.Error()) }
	}
	run.Connect = func(c client.Options) (*client.Conn, error) { return connect(o, c, std.Err) }
	if !o.noProfile && !o.naive && run.Savers.Has(cache.SaveProfile) && run.Caching.TTL > 0 {
		defer o.profile(&run, messages)()
	}
	var trace *proxyTrace
	if o.trace != "" {
		if trace, err = newProxyTrace(o.trace, o.traceFormat); err != nil {
			return err
		}
		run.Events = trace.tell
	}
	collectLess()
	status, err := run.Run(context.Background())
	if trace != nil {
		if terr := trace.close(); err == nil && terr != nil {
			return terr
		}
	}
	if o.stats != "" && run.Conn != nil {
		if serr := writeStats(o.stats, &run); err == nil {
			err = serr
		}
	}
	var told *message.Error
	if errors.As(err, &told) {
		return told
	}
	var standIns *proxy.StandInsError
	if errors.As(err, &standIns) {
		return &message.Error{Text: standIns.Error(), Remedy: "--stand-ins auto does without where there is none"}
	}
	if err != nil {
		return message.Fail("%v", err)
	}
	if status.Signal != 0 {
		return exitStatus(128 + int(status.Signal))
	}
	return exitStatus(status.Code)
}

// programOptions are the options about the program and which of its calls are executed there.
func (o *proxyOptions) programOptions(run *proxy.Run, regions bool) error {
	if run.Dir == "" {
		run.Dir = "/"
		if regions { // what is outside of them has to be able to use it
			var err error
			if run.Dir, err = os.Getwd(); err != nil {
				return message.Fail("%v", err)
			}
			run.Here = true
		}
	}
	for _, e := range o.env {
		switch {
		case e == "remote", e == "local":
			run.FarEnv = e == "remote"
		case strings.IndexByte(e, '=') > 0:
			run.Env = append(run.Env, e)
		default:
			return &message.Error{Text: "invalid --env argument: '" + e + "'", Remedy: "it is NAME=VALUE, remote or local"}
		}
	}
	if o.calls == "" {
		return nil
	}
	e, err := filter.Parse(o.calls)
	if err == nil {
		run.Calls, err = e.Compile(filter.Table{})
	}
	if err != nil {
		return cmdline.ConditionError("--calls", err)
	}
	if n := run.Calls.Needs(); n&^(filter.NeedArgs|filter.NeedComm|filter.NeedFD) != 0 {
		return message.Misuse("--calls: what the condition asks for is not known before a call is executed")
	}
	return nil
}

// programPath finds a program of this host. One that is named by a path may be the other host's: that is for the run to find out.
func programPath(word string, v view.View) string {
	if strings.Contains(word, "/") {
		return word
	}
	var here []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if !path.IsAbs(dir) {
			continue
		}
		if side, _, _ := v.Place(dir); side == view.Local {
			here = append(here, dir)
		}
	}
	return searchPath(word, strings.Join(here, ":"))
}

// parseCaching reads --cache.
func parseCaching(s string) (c cache.Caching, err error) {
	const elsewhere = time.Second // what cannot be leased
	switch s {
	case "strict":
		return c, nil
	case "lease":
		return cache.Caching{TTL: elsewhere, Lease: true}, nil
	}
	ttl, lease := strings.CutPrefix(s, "lease=")
	if lease {
		c.Lease = true
	} else {
		c.Contents = true
		ttl = strings.TrimPrefix(s, "ttl=")
	}
	if c.TTL, err = time.ParseDuration(ttl); err != nil || c.TTL < 0 {
		return c, &message.Error{Text: "invalid --cache argument: '" + s + "'", Remedy: "it is lease, strict, lease=TIME or ttl=TIME, with a time such as 500ms or 3s"}
	}
	return c, nil
}

// profile has the run use the command's profile, and returns what keeps what it becomes.
func (o *proxyOptions) profile(run *proxy.Run, messages *message.Printer) (keep func()) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return func() {} // there is no place for it
	}
	server := o.to
	if server == "" {
		server = o.command
	}
	key := cache.ProfileKey(server, run.Args, run.Dir)
	file := cache.ProfileFile(filepath.Join(dir, "farcall"), key)
	if run.Profile, err = cache.ReadProfile(file, key); err != nil {
		messages.Warn("what was learned last time is not used: " + err.Error())
	}
	return func() {
		if run.Conn == nil || run.Conn.Counts().RoundTrips == 0 && len(run.Profile.Uses) == 0 {
			return
		}
		if err := run.Profile.Write(file); err != nil && o.debug {
			messages.Warn("what was learned is not kept: " + err.Error())
		}
	}
}

// connect begins the session.
func connect(o proxyOptions, begin client.Options, stderr io.Writer) (*client.Conn, error) {
	if o.command != "" {
		c, err := remote.DialCommand(o.command, stderr)
		if err != nil {
			return nil, message.Fail("%v", err)
		}
		conn, err := client.Start(c, begin)
		if err != nil {
			return nil, &message.Error{Text: o.command + ": " + err.Error(), Remedy: "the command has to run 'farcall serve --stdio'"}
		}
		return conn, nil
	}
	a, err := remote.ParseAddress(o.to)
	if err != nil {
		return nil, message.Fail("%v", err)
	}
	var secure *tls.Config
	if o.tls != "" {
		if a.Network != "tcp" {
			return nil, message.Misuse("--tls is for tcp://")
		}
		if secure, err = certs.Client(o.tls, a.Host()); err != nil {
			return nil, message.Fail("%v", err)
		}
	}
	dial := func(ctx context.Context) (io.ReadWriteCloser, error) { return remote.Dial(ctx, a, secure, stderr) }
	c, err := dial(context.Background())
	if err != nil {
		return nil, &message.Error{Text: err.Error(), Remedy: "is 'farcall serve --listen " + o.to + "' running?"}
	}
	if o.patience > 0 && !a.StartsServer() {
		messages := &message.Printer{W: stderr, Name: "farcall"}
		begin.Lasting = client.Lasting{Redial: dial, Patience: o.patience, Connected: func(again bool) {
			if again {
				messages.Warn("connected again")
				return
			}
			messages.Warn(fmt.Sprintf("connection to the server lost, trying again for %v", o.patience))
		}}
	}
	conn, err := client.Start(c, begin)
	if err != nil {
		return nil, message.Fail("%s: %v", o.to, err)
	}
	return conn, nil
}

// explainPath says where a path leads.
func explainPath(std Streams, v view.View, name string) error {
	if !path.IsAbs(name) {
		return message.Fail("%s: not an absolute path", name)
	}
	side, far, rule := v.Place(name)
	fmt.Fprintf(std.Out, "%s: %v", name, side)
	if side != view.Local && side != view.Hide && far != name {
		fmt.Fprintf(std.Out, ", as %s", far)
	}
	fmt.Fprintf(std.Out, " (%s)\n", ruleText(rule))
	return nil
}

// writeStats writes the counters as one JSON object.
func writeStats(file string, run *proxy.Run) error {
	c := run.Conn.Counts()
	b, err := json.MarshalIndent(struct {
		Calls      proxy.Counts `json:"calls"`
		RoundTrips int64        `json:"round_trips"`
		OneWay     int64        `json:"one_way"`
		Sent       int64        `json:"bytes_sent"`
		Received   int64        `json:"bytes_received"`
	}{run.Counts, c.RoundTrips, c.OneWay, c.Sent, c.Received}, "", "  ")
	if err == nil {
		err = os.WriteFile(file, append(b, '\n'), 0o666)
	}
	if err != nil {
		return message.Fail("%v", err)
	}
	return nil
}
