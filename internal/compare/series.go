package compare

import (
	"regexp"
	"slices"
	"strings"
)

// Series is several traces of one command, by the tracer that is examined and by the reference. One trace by the reference
// is the base with which all others are compared, so that differences of several runs lie at places of the same trace.
//
// A race in the command, or between it and its tracer, has another outcome now and then. That is told from a fault of the tracer
// in two ways. The reference differs from itself too: what it does at the same place in the same way is noise. And a fault is
// there each time: what not all runs have in common is not lasting.
type Series struct {
	base *Trace
	opts Options
	// known is how further references differ from the base.
	known map[place][]*Difference
	// varying are the scheduling calls that references make more or less often than the base.
	varying map[loop]bool
	// counts are how often each reference made the scheduling calls of each shape.
	counts  []map[string]int
	reports []*Report
}

// NewSeries returns a series with base b.
func NewSeries(b *Trace, opts Options) *Series {
	return &Series{base: b, opts: opts, known: map[place][]*Difference{}, varying: map[loop]bool{}}
}

// Compare compares trace a with the reference b. Further reference traces of the same command tell which differences are noise.
func Compare(a, b *Trace, opts Options, more ...*Trace) *Report {
	s := NewSeries(b, opts)
	for _, other := range more {
		s.Reference(other)
	}
	return s.Add(a)
}

// Reference adds a further trace by the reference.
func (s *Series) Reference(t *Trace) {
	r := compare(t, s.base, s.opts)
	for i := range r.Differences {
		d := &r.Differences[i]
		s.known[d.at] = append(s.known[d.at], d)
		if scheduling[d.Name] {
			s.varying[d.loop()] = true
		}
	}
	s.counts = append(s.counts, r.shapesA)
	for _, r := range s.reports {
		s.mark(r)
	}
}

// Add compares a trace by the tracer that is examined with the base. References that come later can change the report.
func (s *Series) Add(a *Trace) *Report {
	r := compare(a, s.base, s.opts)
	s.reports = append(s.reports, r)
	s.mark(r)
	return r
}

// Reports returns what Add returned, in order.
func (s *Series) Reports() []*Report { return s.reports }

// Lasting returns the differences that are no noise and that every added trace has, as the first one has them: at the same
// place in the same way, or, of a scheduling call, which has no place of its own, by a line that is odd anywhere.
func (s *Series) Lasting() []Difference {
	var out []Difference
	if len(s.reports) == 0 {
		return nil
	}
	for _, d := range s.reports[0].Differences {
		inAll := !d.Noise
		for _, r := range s.reports[1:] {
			inAll = inAll && slices.ContainsFunc(r.Differences, func(other Difference) bool { return d.at == other.at && d.sameWay(&other) })
		}
		odd := func(key string) bool {
			return key != "" && !slices.ContainsFunc(s.reports, func(r *Report) bool { return !s.odd(key, r) })
		}
		if inAll || scheduling[d.Name] && (odd(d.keyA) || odd(d.keyB)) {
			out = append(out, d)
		}
	}
	return out
}

// mark sets Noise in a report.
func (s *Series) mark(r *Report) {
	r.Noise = 0
	for i := range r.Differences {
		d := &r.Differences[i]
		d.Noise = d.Change == Changed && inTime(d.keyA) == inTime(d.keyB) ||
			(slices.ContainsFunc(s.known[d.at], d.sameWay) || s.varying[d.loop()]) && s.usual(d, r)
		if d.Noise {
			r.Noise++
		}
	}
}

// usual reports whether all that is odd about a difference is where it is. Which thread waits and which one wakes it, which
// one gets a signal, and how often, varies between references, wherever that is: loops have no fixed place for an
// additional turn. How such a call is printed does not, and how often it is made in all does within limits. Other calls have their place.
func (s *Series) usual(d *Difference, r *Report) bool {
	return !scheduling[d.Name] || s.usualCount(d.keyA, r) && s.usualCount(d.keyB, r)
}

// usualCount reports whether a scheduling call like the one with this key is in the trace about as often as references have
// it: at most twice as often as the one that has it most often, at least half as often as the one that has it least.
func (s *Series) usualCount(key string, r *Report) bool {
	if key == "" {
		return true // the side that has nothing
	}
	const few = 2 // more or fewer, where twice and half are still less
	n, least, most := s.counted(key, r)
	return !s.odd(key, r) && n <= max(2*most, most+few) && n >= min(least/2, least-few)
}

// odd reports whether a scheduling call like the one with this key is in the trace and in no reference, or in all
// references and not in the trace.
func (s *Series) odd(key string, r *Report) bool {
	n, least, most := s.counted(key, r)
	return most == 0 || n == 0 && least > 0
}

// counted tells how often a scheduling call like the one with this key is in the trace, and in references at least and at
// most.
func (s *Series) counted(key string, r *Report) (n, least, most int) {
	shape := shapeOf(key)
	least, most = r.shapesB[shape], r.shapesB[shape]
	for _, c := range s.counts {
		least, most = min(least, c[shape]), max(most, c[shape])
	}
	return r.shapesA[shape], least, most
}

// scheduling lists what threads do as often as scheduling makes them: waits, wake-ups, retries, and what Go's runtime
// does to preempt a thread (getpid, tgkill, a handler's return).
var scheduling = map[string]bool{
	"futex": true, "nanosleep": true, "clock_nanosleep": true, "sched_yield": true, "epoll_wait": true, "epoll_pwait": true,
	"restart_syscall": true, "rt_sigreturn": true, "getpid": true, "tgkill": true, "signal": true,
}

// repeats lists the calls that a thread makes again and again while it waits for others. Of several that are alike and
// stand together only one is compared: how many they are says how long the wait was.
var repeats = map[string]bool{"nanosleep": true, "sched_yield": true, "epoll_pwait": true}

// loop is a scheduling call of a process: which of its threads makes it is up to the scheduler as well.
type loop struct {
	process *Thread // of the base
	name    string
}

func (d *Difference) loop() loop {
	if d.at.thread == nil {
		return loop{nil, d.Name}
	}
	return loop{d.at.thread.leader(), d.Name}
}

// sameWay reports whether another difference at the same place excuses d: the same kind of change to the same call and, of
// a changed call, at most the arguments that differ there.
func (d *Difference) sameWay(other *Difference) bool {
	if d.Change != other.Change || d.Name != other.Name {
		return false
	}
	for _, f := range d.Fields {
		if !slices.Contains(other.Fields, f) {
			return false
		}
	}
	return true
}

var numbers = regexp.MustCompile(`\b\d+\b|<P\d+>`)

// shapeOf is a line without its numbers: timeouts that are left, counts of who was woken, and pids, whose tokens count
// threads.
func shapeOf(key string) string { return numbers.ReplaceAllString(inTime(key), "N") }

// inTime makes the wait for a word that had changed before one that was waited for. Which of the two it is is up to the
// scheduler, and can stay so through many runs.
func inTime(key string) string {
	before, late := strings.CutSuffix(key, " = -1 EAGAIN (Resource temporarily unavailable)")
	if !late || !strings.HasPrefix(key, "futex(") || !strings.Contains(key, "_WAIT") {
		return key
	}
	return before + " = 0"
}

func addShapes(shapes map[string]int, events []event) {
	for i := range events {
		if scheduling[events[i].name] {
			shapes[shapeOf(events[i].key)]++
		}
	}
}
