package cmdline

import (
	"strings"

	"farcall/internal/inject"
	"farcall/internal/message"
)

// What -q, -qq and -qqq stand for.
const (
	quietOnce  = "attach,personality"
	quietTwice = "exit,attach,personality"
	quietAll   = "all"
)

// qualifierKeys are the spellings of the keys of -e KEY=VALUE.
var qualifierKeys = map[string]string{
	"trace": "trace", "t": "trace",
	"abbrev": "abbrev", "a": "abbrev",
	"verbose": "verbose", "v": "verbose",
	"raw": "raw", "x": "raw",
	"signal": "signal", "signals": "signal", "s": "signal",
	"status": "status",
	"read":   "read", "reads": "read", "r": "read",
	"write": "write", "writes": "write", "w": "write",
	"fault": "fault", "inject": "inject", "kvm": "kvm", "namespace": "namespace",
	"quiet": "quiet", "silent": "quiet", "silence": "quiet", "q": "quiet",
	"decode-fd": "decode-fds", "decode-fds": "decode-fds",
	"decode-pid": "decode-pids", "decode-pids": "decode-pids",
	"trace-fd": "trace-fds", "trace-fds": "trace-fds", "fd": "trace-fds", "fds": "trace-fds",
	"secontext": "secontext",
}

// qualifyExpr reads the argument of -e. Without a key that is known it is a set of system calls.
func (p *parser) qualifyExpr(expr string) error {
	if key, value, ok := strings.Cut(expr, "="); ok {
		if key, ok := qualifierKeys[key]; ok {
			return p.qualify(key, value)
		}
		err := p.qualify("trace", expr)
		if c, ok := err.(*message.Error); ok && !strings.Contains(key, "/") {
			c.Remedy = "'" + key + "' is none of -e's keys: trace, signal, status, abbrev, verbose, raw, read, write, quiet, decode-fds, decode-pids, trace-fds, inject, fault"
		}
		return err
	}
	return p.qualify("trace", expr)
}

// qualify sets what the key names. A second one of a kind replaces the first.
func (p *parser) qualify(key, value string) (err error) {
	o := p.o
	switch key {
	case "trace":
		o.Calls, err = parseCalls(value)
	case "abbrev":
		o.Abbrev, err = parseCalls(value)
	case "verbose":
		o.Verbose, err = parseCalls(value)
	case "raw":
		o.Raw, err = parseCalls(value)
	case "signal":
		o.Signals, err = parseSignals(value)
	case "status":
		err = parseWordSet(&o.Status, value, "status", statusNames, nil)
	case "read":
		o.ReadDump, err = parseDescriptors(value)
	case "write":
		o.WriteDump, err = parseDescriptors(value)
	case "trace-fds":
		o.TraceFDs, err = parseDescriptors(value)
	case "quiet":
		p.quietSet = true
		err = parseWordSet(&o.Quiet, value, "quiet", quietNames, map[string]int{"exits": 1, "superseded": 4})
	case "decode-fds":
		p.fdsSet = true
		err = parseWordSet(&o.DecodeFDs, value, "decode-fds", fdNames, nil)
	case "decode-pids":
		err = parseWordSet(&o.DecodePIDs, value, "decode-pids", pidNames, nil)
	case "inject", "fault":
		var in inject.Injection
		if in, err = inject.Parse(value, key == "fault", p.warn); err == nil {
			o.Injections = append(o.Injections, in)
		}
		err = callsError(err)
	case "kvm":
		if value != "vcpu" {
			return &message.Error{Text: "invalid -e kvm= argument: '" + value + "'", Remedy: "-e kvm=vcpu is the only one"}
		}
		err = p.unserved("-e kvm")
	case "namespace":
		if value != "new" {
			return &message.Error{Text: "invalid -e namespace= argument: '" + value + "'", Remedy: "-e namespace=new is the only one"}
		}
		err = p.unserved("-e namespace")
	case "secontext":
		name := "farcall"
		if o.AsStrace {
			name = "strace"
		}
		err = message.Fail("SELinux context printing (--secontext option) is not supported by this build of %s", name)
	}
	return err
}

func parseWordSet[S ~uint8](set *S, value, kind string, words names, also map[string]int) error {
	v, err := parseWords(value, kind, words, also)
	*set = S(v)
	return err
}
