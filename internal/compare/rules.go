package compare

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Rule is one replacement of what two runs of the same command cannot have in common.
type Rule struct {
	Name   string
	Reason string
	// Calls lists the calls to which the rule applies; nil means every line.
	Calls []string
	// Pattern is what to look for; the group named "v" is replaced by Token, the rest stays. Without such a group the
	// whole match is replaced.
	Pattern *regexp.Regexp
	// Needles are strings of which a line has one if Pattern matches: looking for them is a hundred times faster.
	Needles []string
	Token   string
	// Keep, if set, can spare a match by its group "v".
	Keep func(n *normaliser, v string) bool
	// Address marks the rule that Options.ExactAddresses switches off.
	Address bool
}

// Rules are applied in this order, after pids and temporary names, to each line.
var Rules = []Rule{
	{
		Name:    "address",
		Needles: []string{"0x"},
		Reason:  "address space randomisation; below 0x10000 (mmap_min_addr) nothing is mapped, and what stands beside | or before /* XXX_??? */ is a flag",
		Pattern: regexp.MustCompile(`(?:^|[^|0-9a-zA-Z_])(?P<v>0x[0-9a-f]{5,16})\b(?:[^|]|$)`),
		Token:   "<addr>",
		Keep:    notAnAddress,
		Address: true,
	},
	{
		Name:    "inode",
		Needles: []string{"_ino=", "d_off=", ":["},
		Reason:  "files, pipes and sockets made during the run get fresh inode numbers",
		Pattern: regexp.MustCompile(`(?:\b(?:st_ino|stx_ino|d_ino|d_off)=|(?:pipe|socket|anon_inode|mnt|pid|net):\[)(?P<v>\d+)`),
		Token:   "<inode>",
	},
	{
		Name:    "file time",
		Needles: []string{"time="},
		Reason:  "time stamps of files written within a day of the run",
		Pattern: regexp.MustCompile(`\b(?:st_[amc]time|stx_[abcm]time)=(?P<v>\d{10}(?: /\* [^*]* \*/)?)`),
		Token:   "<time>",
		Keep:    notRecent,
	},
	{
		Name:    "file time, fraction",
		Needles: []string{"time_nsec=", "time={"},
		Reason:  "belongs to the time stamp before it",
		Pattern: regexp.MustCompile(`\b(?:st_[amc]time_nsec=|stx_[abcm]time=\{tv_sec=)(?P<v>[-+]?\d+(?:, tv_nsec=\d+)?)`),
		Token:   "<time>",
	},
	{
		Name:    "clock",
		Needles: []string{"tv_"},
		Reason:  "the kernel's answer is the time of the call, or time used or left",
		Calls:   []string{"clock_gettime", "gettimeofday", "getrusage", "wait4", "waitid", "nanosleep", "clock_nanosleep", "timer_gettime", "timerfd_gettime", "getitimer", "adjtimex", "clock_adjtime", "futex"},
		Pattern: regexp.MustCompile(`\btv_(?:sec|nsec|usec)=(?P<v>\d+)`),
		Token:   "<t>",
		Keep:    requestedTime,
	},
	{
		Name:    "clock, other forms",
		Needles: []string{"time", "left {"},
		Reason:  "as above: seconds since the epoch, clock ticks, the rest of a timeout, time stamps in comments",
		Calls:   []string{"time", "times", "select", "pselect6", "poll", "ppoll", "ppoll_time64", "alarm"},
		Pattern: regexp.MustCompile(`(?:^time\(.*\) = |^times\(.*\) = |tms_[cus]*time=|\bleft \{tv_sec=)(?P<v>\d+(?:, tv_[nu]sec=\d+)?)`),
		Token:   "<t>",
	},
	{
		Name:    "time of day in an argument",
		Needles: []string{"tv_sec="},
		Reason:  "a program passes on the time that it read: within a day of the run",
		Pattern: regexp.MustCompile(`\btv_sec=(?P<v>\d{10}(?: /\* [^*]* \*/)?(?:, tv_[nu]sec=\d+)?)`),
		Token:   "<time>",
		Keep:    notRecent,
	},
	{
		Name:    "processor time of a child",
		Needles: []string{"time="},
		Reason:  "SIGCHLD and waitid tell what the child used",
		Pattern: regexp.MustCompile(`\bsi_[us]time=(?P<v>\d+(?: /\* [^*]* \*/)?)`),
		Token:   "<t>",
	},
	{
		Name:    "resource usage",
		Needles: []string{"ru_"},
		Reason:  "page faults, context switches and peak memory depend on the machine's state",
		Calls:   []string{"getrusage", "wait4", "waitid"},
		Pattern: regexp.MustCompile(`\bru_(?:maxrss|minflt|majflt|nvcsw|nivcsw|inblock|oublock|ixrss|idrss|isrss)=(?P<v>\d+)`),
		Token:   "<n>",
	},
	{
		Name:    "random bytes",
		Needles: []string{"getrandom"},
		Reason:  "random by purpose",
		Calls:   []string{"getrandom"},
		Pattern: regexp.MustCompile(`^getrandom\((?P<v>"(?:[^"\\]|\\.)*"(?:\.\.\.)?)`),
		Token:   "<random>",
	},
	{
		Name:    "free space",
		Needles: []string{"f_"},
		Reason:  "other programs use the same file system",
		Calls:   []string{"statfs", "fstatfs", "statfs64", "fstatfs64"},
		Pattern: regexp.MustCompile(`\bf_(?:bfree|bavail|ffree)=(?P<v>\d+)`),
		Token:   "<n>",
	},
	{
		Name:    "state of the machine",
		Needles: []string{"sysinfo"},
		Reason:  "memory, load and uptime at the time of the call",
		Calls:   []string{"sysinfo"},
		Pattern: regexp.MustCompile(`\b(?:uptime|freeram|sharedram|bufferram|freeswap|procs|loads)=(?P<v>\d+|\[[^]]*\])`),
		Token:   "<n>",
	},
	{
		Name:    "ephemeral port",
		Needles: []string{"htons("},
		Reason:  "the kernel picks the local port of a connection, from ip_local_port_range (32768 and up)",
		Pattern: regexp.MustCompile(`htons\((?P<v>\d{5})\)`),
		Token:   "<port>",
		Keep:    func(_ *normaliser, v string) bool { return v < "32768" },
	},
}

func notAnAddress(n *normaliser, v string) bool {
	rest := n.text[n.at+len(v):]
	if comment, _, ok := strings.Cut(rest, " */"); ok && strings.HasPrefix(comment, " /* ") && strings.HasSuffix(comment, "???") {
		return true // flags without a name; "0x12345 /* 35 vars */" is an address
	}
	value, err := strconv.ParseUint(v[2:], 16, 64)
	return err != nil || value < 0x10000
}

func notRecent(n *normaliser, v string) bool {
	sec := int64(leadingInt(v))
	return n.now == 0 || sec < n.now-86400 || sec > n.now+86400
}

// requestedTime spares a time that the program passes in.
func requestedTime(n *normaliser, _ string) bool {
	switch n.line.Name {
	case "nanosleep":
		return n.arg() == 0
	case "clock_nanosleep":
		return n.arg() == 2 && !strings.Contains(n.text, "TIMER_ABSTIME")
	case "futex":
		// A relative timeout is the program's, an absolute one is computed from the clock.
		return !strings.Contains(n.text, "FUTEX_WAIT_BITSET") && !strings.Contains(n.text, "FUTEX_LOCK_PI")
	}
	return false
}

// apply returns text after the rule.
func (r *Rule) apply(n *normaliser, text string) string {
	if !slices.ContainsFunc(r.Needles, func(needle string) bool { return strings.Contains(text, needle) }) {
		return text
	}
	group := max(0, r.Pattern.SubexpIndex("v"))
	var b strings.Builder
	done := 0
	n.text = text
	for start := 0; start <= len(text); {
		m := r.Pattern.FindStringSubmatchIndex(text[start:])
		if m == nil {
			break
		}
		from, to := start+m[2*group], start+m[2*group+1]
		n.at = from
		if r.Keep == nil || !r.Keep(n, text[from:to]) {
			b.WriteString(text[done:from])
			b.WriteString(r.Token)
			done = to
		}
		start = max(to, start+1) // the context after the value may be the context before the next one
		if strings.HasPrefix(r.Pattern.String(), "^") {
			break
		}
	}
	if done == 0 {
		return text
	}
	b.WriteString(text[done:])
	return b.String()
}
