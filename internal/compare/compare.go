package compare

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Options say how two traces are compared. The zero value is right for two runs with randomised addresses.
type Options struct {
	// ExactAddresses compares addresses too: for runs under personality ADDR_NO_RANDOMIZE.
	ExactAddresses bool
	// Now is about when the traces were taken; with it, time stamps of that day are known for such. Zero: none are.
	Now time.Time
}

// Change says how two traces differ at one place.
type Change uint8

// The ways of differing.
const (
	Changed Change = iota // the same call on both sides, different text
	Missing               // in B, not in A
	Extra                 // in A, not in B
)

var changeNames = [...]string{Changed: "changed", Missing: "missing", Extra: "extra"}

func (c Change) String() string { return changeNames[c] }

// Difference is one place where A and B differ.
type Difference struct {
	Change Change
	Name   string // of the call; "signal", "exit" or "note" otherwise
	Thread string // token of the thread
	// A and B are the normalised texts, "" on the side that has nothing.
	A, B         string
	LineA, LineB int // in the files, from 1; 0 on the side that has nothing
	// Fields are the arguments that differ, from 0; ResultField is the result. Only of Changed.
	Fields []int
	// Noise is set where another reference run shows the difference to be chance.
	Noise bool

	at place
	// keyA and keyB are A and B without addresses.
	keyA, keyB string
}

// ResultField stands for a call's result in Difference.Fields.
const ResultField = -1

// place is where in B a difference lies: before or at an index of a track of a thread.
type place struct {
	thread *Thread
	track  int
	index  int
}

// Report is the outcome of a comparison. Counts are of lines: calls, signals, exits and notes.
type Report struct {
	LinesA, LinesB int
	Matched        int // pairs of the same call in the same place of the same thread
	Equal          int // of those, pairs with equal text
	Differences    []Difference
	Noise          int // of the differences
	Broken         []string

	// shapesA and shapesB count the scheduling calls of either side by their shapes.
	shapesA, shapesB map[string]int
}

// Total is the number of places compared: pairs, and lines that one side only has.
func (r *Report) Total() int { return r.Equal + len(r.Differences) }

// Share is the part of equal lines, 0 to 1. With noise set, what is known to be noise is left out of the count.
func (r *Report) Share(withoutNoise bool) float64 {
	total := r.Total()
	if withoutNoise {
		total -= r.Noise
	}
	return share(r.Equal, total)
}

// CallShare is the part of lines that have a partner, equal or not, under the same rule.
func (r *Report) CallShare(withoutNoise bool) float64 {
	matched, total := r.Matched, r.Total()
	if withoutNoise {
		total -= r.Noise
		for i := range r.Differences {
			if d := &r.Differences[i]; d.Noise && d.Change == Changed {
				matched--
			}
		}
	}
	return share(matched, total)
}

func share(part, whole int) float64 {
	if whole == 0 {
		return 0 // two empty traces agree in nothing that anybody wants to know
	}
	return float64(part) / float64(whole)
}

// event is a line ready to be compared.
type event struct {
	line      *Line
	name      string
	text, key string
}

// Tracks of a thread, each aligned for itself.
const (
	trackCalls   = iota // calls, exits, notes and the signals that a call of the thread itself brings about
	trackSignals        // signals from elsewhere: they arrive whenever they arrive
	tracks
)

func compare(a, b *Trace, opts Options) *Report {
	r := &Report{Broken: slices.Concat(a.Broken, b.Broken), shapesA: map[string]int{}, shapesB: map[string]int{}}
	couples := pairThreads(a, b)
	na, nb := newNormaliser(opts), newNormaliser(opts)
	for i, c := range couples {
		if c.a != nil {
			na.pids[c.a.PID] = fmt.Sprintf("<P%d>", i)
		}
		if c.b != nil {
			nb.pids[c.b.PID] = fmt.Sprintf("<P%d>", i)
		}
	}
	na.outsiders(a)
	nb.outsiders(b)
	na.launch, nb.launch = a.launch(), b.launch()
	tempsA, tempsB := na.tempNames(a), nb.tempNames(b)
	na.setTemps(tempsA, tempsB)
	nb.setTemps(tempsB, tempsA)

	for i, c := range couples {
		token := fmt.Sprintf("P%d", i)
		ea, eb := na.events(c.a), nb.events(c.b)
		for track := range tracks {
			r.LinesA += len(ea[track])
			r.LinesB += len(eb[track])
			addShapes(r.shapesA, ea[track])
			addShapes(r.shapesB, eb[track])
			r.compareTrack(ea[track], eb[track], token, place{c.b, track, 0})
		}
	}
	return r
}

func newNormaliser(opts Options) *normaliser {
	n := &normaliser{pids: map[int]string{}, exact: opts.ExactAddresses}
	if !opts.Now.IsZero() {
		n.now = opts.Now.Unix()
	}
	return n
}

// outsiders gives tokens to the pids that the program learns of processes outside of the trace: its parent, which is
// the tracer, its process group and its session.
func (n *normaliser) outsiders(t *Trace) {
	for _, th := range t.Threads {
		for i := range th.Lines {
			l := &th.Lines[i]
			token := map[string]string{"getppid": "<parent>", "getpgrp": "<group>", "getpgid": "<group>", "getsid": "<session>"}[l.Name]
			if pid := leadingInt(l.Result); token != "" && pid > 1 && n.pids[pid] == "" {
				n.pids[pid] = token
			}
		}
	}
}

// launch returns the execve by which the tracer started the program, or nil.
func (t *Trace) launch() *Line {
	if len(t.Threads) > 0 && t.Threads[0].Lines[0].Name == "execve" {
		return &t.Threads[0].Lines[0]
	}
	return nil
}

// events normalises a thread's lines and sorts them into tracks.
func (n *normaliser) events(t *Thread) [tracks][]event {
	var out [tracks][]event
	if t == nil {
		return out
	}
	for i := range t.Lines {
		l := &t.Lines[i]
		e := event{line: l, name: l.Name}
		e.text, e.key = n.normalise(l)
		track := trackCalls
		switch l.Kind {
		case KindSignal:
			e.name = "signal"
			if n.fromElsewhere(e.text, t) {
				track = trackSignals
			}
		case KindExit:
			e.name = "exit"
		case KindNote:
			e.name = "note"
		}
		if last := len(out[track]) - 1; last >= 0 && repeats[e.name] && out[track][last].key == e.key {
			continue
		}
		out[track] = append(out[track], e)
	}
	return out
}

// fromElsewhere reports whether a signal comes from another process, a timer or the death of a child, so that its
// place among the thread's calls is chance.
func (n *normaliser) fromElsewhere(text string, t *Thread) bool {
	if strings.Contains(text, "si_code=CLD_") || strings.Contains(text, "si_code=SI_TIMER") ||
		strings.Contains(text, "si_code=SI_KERNEL") || strings.Contains(text, "stopped by") {
		return true
	}
	return strings.Contains(text, "si_pid=") && !strings.Contains(text, "si_pid="+n.pids[t.PID]+",") &&
		!strings.Contains(text, "si_pid="+n.pids[t.leader().PID]+",")
}

func (t *Thread) leader() *Thread {
	if t.group != nil {
		return t.group
	}
	return t
}

// compareTrack aligns by text first, then, between the lines so found, by name.
func (r *Report) compareTrack(a, b []event, thread string, at place) {
	ids := map[string]int{}
	id := func(s string) int {
		n, ok := ids[s]
		if !ok {
			n = len(ids)
			ids[s] = n
		}
		return n
	}
	keys := func(events []event, of func(*event) string) []int {
		out := make([]int, len(events))
		for i := range events {
			out[i] = id(of(&events[i]))
		}
		return out
	}
	byKey := func(e *event) string { return e.key }
	byName := func(e *event) string { return "name " + e.name }

	i, j := 0, 0
	gap := func(endA, endB int) {
		x, y := i, j
		for _, p := range align(keys(a[i:endA], byName), keys(b[j:endB], byName)) {
			r.oneSided(a[x:i+p.a], b[y:j+p.b], thread, at, y)
			x, y = i+p.a, j+p.b
			r.pair(&a[x], &b[y], thread, at, y)
			x++
			y++
		}
		r.oneSided(a[x:endA], b[y:endB], thread, at, y)
	}
	for _, p := range align(keys(a, byKey), keys(b, byKey)) {
		gap(p.a, p.b)
		r.pair(&a[p.a], &b[p.b], thread, at, p.b)
		i, j = p.a+1, p.b+1
	}
	gap(len(a), len(b))
}

func (r *Report) pair(a, b *event, thread string, at place, index int) {
	r.Matched++
	if a.text == b.text {
		r.Equal++
		return
	}
	at.index = index
	r.Differences = append(r.Differences, Difference{
		Change: Changed, Name: b.name, Thread: thread, A: a.text, B: b.text,
		LineA: a.line.Number, LineB: b.line.Number, Fields: fields(a.text, b.text), at: at,
		keyA: a.key, keyB: b.key,
	})
}

func (r *Report) oneSided(a, b []event, thread string, at place, index int) {
	at.index = index
	for i := range a {
		r.Differences = append(r.Differences, Difference{
			Change: Extra, Name: a[i].name, Thread: thread, A: a[i].text, LineA: a[i].line.Number, at: at, keyA: a[i].key,
		})
	}
	for i := range b {
		r.Differences = append(r.Differences, Difference{
			Change: Missing, Name: b[i].name, Thread: thread, B: b[i].text, LineB: b[i].line.Number, at: at, keyB: b[i].key,
		})
		at.index++
	}
}

// fields lists in what two calls differ; nil for what is not a call, so that then the place alone decides.
func fields(a, b string) []int {
	argsA, resultA, okA := cut(a)
	argsB, resultB, okB := cut(b)
	if !okA || !okB {
		return nil
	}
	var out []int
	for i := range max(len(argsA), len(argsB)) {
		if i >= len(argsA) || i >= len(argsB) || argsA[i] != argsB[i] {
			out = append(out, i)
		}
	}
	if resultA != resultB {
		out = append(out, ResultField)
	}
	return out
}

func cut(text string) (args []string, result string, ok bool) {
	end, ok := closing(text)
	if !ok || !callHead.MatchString(text) {
		return nil, "", false
	}
	return SplitArgs(text[strings.IndexByte(text, '(')+1 : end-1]), text[end:], true
}
