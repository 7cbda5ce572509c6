package event

import (
	"io"
	"strconv"
	"time"

	"farcall/decode"
	"farcall/syscalls"
)

// Clock is the form of the time that precedes a line.
type Clock uint8

// The forms.
const (
	NoClock   Clock = iota
	TimeOfDay       // HH:MM:SS
	Epoch           // seconds since the Epoch
)

// A Precision is a number of decimal places of a second: 0, 3, 6 or 9.
type Precision int

// PIDStyle is how a line says which thread it is about.
type PIDStyle uint8

// The styles.
const (
	NoPID      PIDStyle = iota
	BracketPID          // [pid 1234] while more than one thread is traced
	ColumnPID           // 1234 in front of every line
)

// TextOptions are the options of a Text encoder.
type TextOptions struct {
	Style
	PID            PIDStyle
	Clock          Clock
	ClockPrecision Precision
	Relative       bool // time since the line before (-r)
	RelPrecision   Precision
	Durations      bool // time spent in calls (-T)
	DurPrecision   Precision
	IP             bool // instruction pointer (-i)
	Number         bool // call number (-n)
	Columns        int  // where the result stands (-a)
	WholeLines     bool // keep a call back until it has returned, see Drop
	FlushEach      bool // write at every event, as the program may write to the same place
	Color          bool
	VerboseCall    func(*decode.Call) bool               // whole structures for these calls (-v, -e abbrev)
	Raw            func(*decode.Call) bool               // show the registers only (-e raw)
	Dump           func(b []byte, c *decode.Call) []byte // appends what follows a call's line (-e read, write)
}

// Text writes events in the form of strace(1). It is not safe for concurrent use.
type Text struct {
	w       io.Writer
	opts    TextOptions
	buf     []byte
	col     int   // length of the open line
	tid     int   // the thread whose line is open, 0 if none is
	last    int64 // time of the line before, for Relative
	live    int
	cut     map[int]bool   // threads whose entry stands in an earlier line
	held    map[int][]byte // WholeLines: the beginnings of lines, by thread
	numbers map[int]uint64 // Number: of each thread's last call
	err     error
	width   int
}

// NewText returns an encoder that writes to w.
func NewText(w io.Writer, opts TextOptions) *Text {
	t := &Text{w: w, opts: opts, cut: map[int]bool{}, buf: make([]byte, 0, 64<<10)}
	if opts.WholeLines {
		t.held = map[int][]byte{}
	}
	if opts.Number {
		t.numbers = map[int]uint64{}
	}
	return t
}

// SetLive tells how many threads are being traced, which BracketPID wants to know.
func (t *Text) SetLive(n int) { t.live = n }

// SetNumber tells the number of a thread's last call where that is not encoded.
func (t *Text) SetNumber(tid int, nr uint64) {
	if t.numbers != nil {
		t.numbers[tid] = nr
	}
}

// Message writes a line about the event's thread.
func (t *Text) Message(e *Event, text string) {
	note := *e
	note.Kind = numKinds // its call is none yet
	t.leader(&note)
	t.buf = append(t.buf, text...)
	t.end("\n")
	if t.opts.FlushEach {
		t.Flush()
	}
}

// Drop forgets the beginning of a thread's line that WholeLines keeps back: the call is not to be shown.
func (t *Text) Drop(tid int) {
	if held := t.held[tid]; held != nil {
		t.held[tid] = held[:0]
	}
}

// encoders write the lines of the kinds of events that have some.
var encoders = [numKinds]func(*Text, *Event){
	CallEntry: (*Text).entry, CallExit: (*Text).exit, Signal: (*Text).signal, GroupStop: (*Text).groupStop,
	Exited: (*Text).exited, Killed: (*Text).killed, Superseded: (*Text).superseded, Detached: (*Text).detached,
	Exec: (*Text).exec, RegionEntry: (*Text).regionEntry, RegionReturn: (*Text).regionReturn,
}

// Encode writes one event.
func (t *Text) Encode(e *Event) error {
	start := len(t.buf)
	if t.opts.VerboseCall != nil && e.Call != nil && e.Call.Desc != nil {
		t.opts.Verbose = t.opts.VerboseCall(e.Call)
	}
	if e.Kind < numKinds && encoders[e.Kind] != nil {
		encoders[e.Kind](t, e)
	}
	if e.Kind.Last() {
		delete(t.cut, e.TID)
		delete(t.held, e.TID)
		delete(t.numbers, e.TID)
	}
	if t.opts.FlushEach && len(t.buf) > start || len(t.buf) > 48<<10 {
		t.Flush()
	}
	return t.err
}

func (t *Text) entry(e *Event) {
	if !t.opts.WholeLines {
		t.leader(e)
		t.callHead(e)
		return
	}
	shared := t.buf
	t.buf = t.held[e.TID][:0]
	t.leader(e)
	t.callHead(e)
	t.held[e.TID], t.buf = t.buf, shared
	t.tid, t.col, t.width = 0, 0, len(t.buf)
}

func (t *Text) signal(e *Event) {
	t.leader(e)
	t.paint(sgrSignal)
	t.buf = append(t.buf, "--- "...)
	t.buf = appendSigName(t.buf, e.Signo)
	t.buf = append(t.buf, ' ')
	if e.Siginfo != nil {
		t.buf = t.opts.appendValue(t.buf, e.Siginfo, e.ABI)
		t.buf = append(t.buf, ' ')
	}
	t.buf = append(t.buf, "---"...)
	t.endPainted()
	t.stack(e)
}

func (t *Text) groupStop(e *Event) {
	t.leader(e)
	t.paint(sgrSignal)
	t.buf = append(t.buf, "--- stopped by "...)
	t.buf = appendSigName(t.buf, e.Signo)
	t.buf = append(t.buf, " ---"...)
	t.endPainted()
	t.stack(e)
}

func (t *Text) exited(e *Event) {
	t.leader(e)
	t.paint(sgrEnd)
	t.buf = append(t.buf, "+++ exited with "...)
	t.buf = strconv.AppendInt(t.buf, int64(e.Code), 10)
	t.buf = append(t.buf, " +++"...)
	t.endPainted()
	t.stack(e) // of the call that ended it
}

func (t *Text) killed(e *Event) {
	t.leader(e)
	t.paint(sgrError)
	t.buf = append(t.buf, "+++ killed by "...)
	t.buf = appendSigName(t.buf, e.Signo)
	if e.Core {
		t.buf = append(t.buf, " (core dumped)"...)
	}
	t.buf = append(t.buf, " +++"...)
	t.endPainted()
}

// superseded writes the end of a leader; its id is now that of the thread that called execve.
func (t *Text) superseded(e *Event) {
	t.Renamed(e.By, e.TID)
	t.leader(e)
	t.paint(sgrEnd)
	t.buf = append(t.buf, "+++ superseded by execve in pid "...)
	t.buf = strconv.AppendInt(t.buf, int64(e.By), 10)
	t.buf = append(t.buf, " +++"...)
	t.endPainted()
}

// Renamed ends the open line of a thread that gets another id by its execve.
func (t *Text) Renamed(from, to int) {
	if t.tid != from {
		return
	}
	t.buf = append(t.buf, " <pid changed to "...)
	t.buf = strconv.AppendInt(t.buf, int64(to), 10)
	t.end(" ...>\n")
	if t.opts.FlushEach {
		t.Flush()
	}
}

// exec notes that a line which begins with the thread's former id goes on with its present one.
func (t *Text) exec(e *Event) {
	if e.By == e.TID {
		return
	}
	t.Renamed(e.By, e.TID)
	delete(t.cut, e.By)
	t.cut[e.TID] = true
	if t.held != nil {
		delete(t.held, e.By)
		delete(t.held, e.TID)
	}
}

func (t *Text) detached(e *Event) {
	if held := t.held[e.TID]; len(held) > 0 {
		t.begin(e, held)
	}
	if t.tid == e.TID {
		t.end(" <detached ...>\n")
	}
}

// begin writes the beginning of a line that was kept back.
func (t *Text) begin(e *Event, held []byte) {
	t.tid, t.col, t.width = e.TID, 0, len(t.buf)
	if t.opts.Color {
		t.width += len(sgrName) + len(sgrOff)
	}
	t.buf = append(t.buf, held...)
	t.held[e.TID] = held[:0]
}

// Flush writes what is buffered.
func (t *Text) Flush() error {
	if t.tid != 0 {
		t.col += len(t.buf) - t.width
	}
	if len(t.buf) > 0 && t.err == nil {
		_, t.err = t.w.Write(t.buf)
	}
	t.buf, t.width = t.buf[:0], 0
	return t.err
}

// leader begins a line for the event's thread, ending the one that is open.
func (t *Text) leader(e *Event) {
	if t.tid != 0 {
		t.cut[t.tid] = true
		t.end(" <unfinished ...>\n")
	}
	t.tid, t.col, t.width = e.TID, 0, len(t.buf)
	switch {
	case t.opts.PID == ColumnPID:
		n := len(t.buf)
		t.buf = strconv.AppendInt(t.buf, int64(e.TID), 10)
		t.buf = appendFound(t.buf, []byte(e.Comm))
		for len(t.buf) < n+5 {
			t.buf = append(t.buf, ' ')
		}
		t.buf = append(t.buf, ' ')
	case t.opts.PID == BracketPID && t.live > 1:
		t.buf = append(t.buf, "[pid "...)
		t.buf = appendPadded(t.buf, int64(e.TID), 5, ' ')
		t.buf = appendFound(t.buf, []byte(e.Comm))
		t.buf = append(t.buf, "] "...)
	}
	t.clock(e)
	if t.opts.Number {
		t.number(e)
	}
	if t.opts.IP {
		t.pointer(e)
	}
}

// number writes that of the thread's present or last call.
func (t *Text) number(e *Event) {
	n := t.numbers[e.TID]
	if e.Kind == CallEntry || e.Kind == CallExit {
		n = e.Call.Number
		t.numbers[e.TID] = n
	}
	t.buf = append(t.buf, '[')
	t.buf = appendPadded(t.buf, int64(n), 4, ' ')
	t.buf = append(t.buf, "] "...)
}

// pointer writes the instruction pointer, or question marks if the thread is gone.
func (t *Text) pointer(e *Event) {
	const unknown = "????????????????"
	width := 2 * e.ABI.WordSize()
	t.buf = append(t.buf, '[')
	switch {
	case e.IP == 0:
		t.buf = append(t.buf, unknown[:width]...)
	default:
		for shift := 4 * (width - 1); shift >= 0; shift -= 4 {
			t.buf = append(t.buf, "0123456789abcdef"[e.IP>>shift&15])
		}
	}
	t.buf = append(t.buf, "] "...)
}

func appendPadded(b []byte, n int64, width int, pad byte) []byte {
	var d [20]byte
	s := strconv.AppendInt(d[:0], n, 10)
	for i := len(s); i < width; i++ {
		b = append(b, pad)
	}
	return append(b, s...)
}

func (t *Text) clock(e *Event) {
	sec, nsec := e.Time/1e9, e.Time%1e9
	switch t.opts.Clock {
	case TimeOfDay:
		t.buf = time.Unix(sec, nsec).AppendFormat(t.buf, "15:04:05")
	case Epoch:
		t.buf = strconv.AppendInt(t.buf, sec, 10)
	}
	if t.opts.Clock != NoClock {
		t.buf = appendFraction(t.buf, nsec, t.opts.ClockPrecision)
		t.buf = append(t.buf, ' ')
	}
	if t.opts.Relative {
		since := e.Time - t.last
		if t.last == 0 {
			since = 0
		}
		t.last = e.Time
		if t.opts.Clock != NoClock {
			t.buf = append(t.buf, "(+"...)
		}
		t.buf = appendPadded(t.buf, since/1e9, 6, ' ')
		t.buf = appendFraction(t.buf, since%1e9, t.opts.RelPrecision)
		if t.opts.Clock != NoClock {
			t.buf = append(t.buf, ')')
		}
		t.buf = append(t.buf, ' ')
	}
}

// appendFraction writes a point and the first p digits of nsec.
func appendFraction(b []byte, nsec int64, p Precision) []byte {
	if p <= 0 {
		return b
	}
	b = append(b, '.')
	for i, d := Precision(0), int64(100000000); i < p && d > 0; i, d = i+1, d/10 {
		b = append(b, byte('0'+nsec/d%10))
	}
	return b
}

// end closes the open line.
func (t *Text) end(s string) {
	t.buf = append(t.buf, s...)
	t.tid, t.col, t.width = 0, 0, len(t.buf)
}

func (t *Text) callName(c *decode.Call) {
	t.paint(sgrName)
	t.buf = append(t.buf, c.Desc.Name...)
	t.unpaint()
}

// Colours, as SGR parameters (ECMA-48 8.3.117): those of the terminal's own palette that are
// legible on both dark and light.
const (
	sgrName   = "\x1b[36m"
	sgrError  = "\x1b[31m"
	sgrSignal = "\x1b[33m"
	sgrEnd    = "\x1b[2m"
	sgrOff    = "\x1b[0m"
)

// paint begins a colour. It takes no column.
func (t *Text) paint(sgr string) {
	if t.opts.Color {
		t.buf = append(t.buf, sgr...)
		t.width += len(sgr)
	}
}

func (t *Text) unpaint() { t.paint(sgrOff) }

// endPainted closes a line that is coloured to its end.
func (t *Text) endPainted() {
	t.unpaint()
	t.end("\n")
}

// callHead writes the name and the arguments that are known at entry.
func (t *Text) callHead(e *Event) {
	c := e.Call
	t.callName(c)
	t.buf = append(t.buf, '(')
	switch {
	case t.raw(c):
		t.rawArgs(c)
	case c.Resumed != "":
		t.buf = append(t.buf, "<... resuming interrupted "...)
		t.buf = append(t.buf, c.Resumed...)
		t.buf = append(t.buf, " ...>"...)
	default:
		t.args(c, 0, c.Ready)
	}
}

func (t *Text) raw(c *decode.Call) bool { return t.opts.Raw != nil && t.opts.Raw(c) }

func (t *Text) rawArgs(c *decode.Call) {
	for i := range c.Desc.Args {
		if i > 0 {
			t.buf = append(t.buf, ", "...)
		}
		t.buf = appendHex(t.buf, c.Regs[min(c.Desc.Args[i].Register(c.ABI), 5)])
	}
}

// args writes the arguments from to upTo, and a comma behind the last if more may follow.
func (t *Text) args(c *decode.Call, from, upTo int) {
	const late = syscalls.AttrAfter | syscalls.AttrArrow
	// The entry left the comma to us if the argument that it ended before asks for that.
	owed := from > 0 && from < upTo && c.Args[from].Attr&late != 0
	for i := from; i < upTo; i++ {
		a := &c.Args[i]
		if a.State == decode.Absent || a.Attr&syscalls.AttrHidden != 0 {
			continue
		}
		if owed {
			owed = false
			t.separate(a)
		}
		if t.opts.ArgNames || a.Attr&syscalls.AttrNamed != 0 {
			t.buf = append(t.buf, a.Name...)
			t.buf = append(t.buf, '=')
		}
		if a.Attr&syscalls.AttrFlat != 0 && a.Type.Kind == syscalls.KindStruct && a.State == decode.Known {
			t.buf, _, _ = t.opts.appendMembers(t.buf, a.Sub, c.ABI, false)
		} else {
			t.buf = t.opts.appendValue(t.buf, a, c.ABI)
		}
		for k := i + 1; k < len(c.Args); k++ {
			if next := &c.Args[k]; next.State != decode.Absent && next.Attr&syscalls.AttrHidden == 0 {
				if k < upTo || c.Desc.Args[k].Attr&late == 0 {
					t.separate(next)
				}
				break
			}
		}
	}
}

// separate writes what stands before an argument.
func (t *Text) separate(a *decode.Value) {
	if a.Attr&syscalls.AttrArrow != 0 {
		t.buf = append(t.buf, " => "...)
	} else {
		t.buf = append(t.buf, ", "...)
	}
}

// exit writes what became of a call: the rest of its line, or a line of its own.
func (t *Text) exit(e *Event) {
	c := e.Call
	if len(t.held) > 0 {
		if held := t.held[e.TID]; len(held) > 0 {
			t.begin(e, held)
		}
	}
	cut := len(t.cut) > 0 && t.cut[e.TID]
	first := int(c.Desc.Defer)
	switch {
	case cut:
		delete(t.cut, e.TID)
		t.leader(e)
		t.buf = append(t.buf, "<... "...)
		t.callName(c)
		t.buf = append(t.buf, " resumed>"...)
	case t.tid == e.TID:
	default: // the entry was not shown
		t.leader(e)
		ready := c.Ready
		c.Ready = min(first, ready)
		t.callHead(e)
		c.Ready = ready
	}
	switch {
	case e.Lost && t.unfinished(e):
		t.buf = append(t.buf, " <unfinished ...>"...)
	case !e.Lost && !t.raw(c) && c.Resumed == "":
		t.args(c, min(first, c.Ready), c.Ready)
	}
	t.buf = append(t.buf, ") "...)
	for col := t.col + len(t.buf) - t.width; col < t.opts.Columns; col++ {
		t.buf = append(t.buf, ' ')
	}
	t.buf = append(t.buf, "= "...)
	t.result(e)
	if e.Injected != nil && !e.Lost {
		t.injected(e.Injected)
	}
	if t.opts.Durations && !e.Lost {
		t.buf = append(t.buf, " <"...)
		t.buf = strconv.AppendInt(t.buf, e.Duration/1e9, 10)
		t.buf = appendFraction(t.buf, e.Duration%1e9, t.opts.DurPrecision)
		t.buf = append(t.buf, '>')
	}
	if e.Placement != "" {
		t.buf = append(append(append(t.buf, " ["...), e.Placement...), ']')
	}
	t.end("\n")
	if t.opts.Dump != nil && !e.Lost {
		t.buf = t.opts.Dump(t.buf, c)
		t.width = len(t.buf)
	}
	if !e.Lost {
		t.stack(e)
	}
}

// unfinished tells whether the end of a call that will have no result would have shown more of it.
func (t *Text) unfinished(e *Event) bool {
	return e.Call.Resumed == "" && !t.raw(e.Call) && int(e.Call.Desc.Defer) < len(e.Call.Desc.Args)
}

// result writes what stands behind the equals sign.
func (t *Text) result(e *Event) {
	c := e.Call
	switch {
	case e.Lost || c.Desc.Ret.Kind == syscalls.KindPad && !c.Failed:
		t.buf = append(t.buf, '?')
		return
	case c.Failed:
		t.failure(int(-c.Ret), t.raw(c))
		return
	case t.raw(c):
		t.buf = appendHex(t.buf, uint64(c.Ret))
		return
	}
	switch r := c.Desc.Ret; r.Kind {
	case syscalls.KindHex, syscalls.KindPtr:
		t.buf = appendHex(t.buf, c.Result.Num)
	case syscalls.KindUint:
		t.buf = strconv.AppendUint(t.buf, uint64(c.Ret), 10)
	case syscalls.KindInt, syscalls.KindUID, syscalls.KindSignal:
		if c.Ret < 0 && e.Injected != nil && e.Injected.Result { // no error, but what someone wanted to be returned
			t.buf = strconv.AppendUint(t.buf, uint64(c.Ret), 10)
			break
		}
		t.buf = strconv.AppendInt(t.buf, c.Ret, 10)
	case syscalls.KindFD, syscalls.KindPID:
		t.buf = strconv.AppendInt(t.buf, int64(int32(c.Ret)), 10)
		t.buf = appendFound(t.buf, c.Result.Bytes)
		if len(c.Result.Note) > 0 {
			t.buf = append(append(append(t.buf, " /* "...), c.Result.Note...), " */"...)
		}
	default:
		t.buf = t.opts.appendValue(t.buf, &c.Result, c.ABI)
	}
	if c.Aux.State == decode.Absent || c.Aux.Type == nil || len(c.Aux.Sym) > 0 && t.opts.Consts == Raw {
		return
	}
	if c.Aux.Type.Format == syscalls.FormatPolled {
		t.buf = t.opts.appendPolled(t.buf, &c.Aux, c.ABI)
		return
	}
	t.buf = append(t.buf, " ("...)
	t.buf = append(t.buf, c.Desc.AuxText...)
	if c.Aux.Type.Kind == syscalls.KindTime {
		t.buf = AppendClock(t.buf, int64(c.Aux.Num), 0)
	} else if len(c.Aux.Sym) > 0 {
		t.buf = append(t.buf, c.Aux.Sym...)
	} else if len(c.Aux.Note) > 0 {
		t.buf = append(t.buf, c.Aux.Note...)
	} else {
		style := t.opts.Style
		if k := c.Aux.Type.Kind; k == syscalls.KindEnum || k == syscalls.KindSignal || k == syscalls.KindFlags && c.Aux.Type.Set.Name == "open_flags" {
			style.Consts = Abbrev // as strace does, which makes these texts before it knows the style
		}
		t.buf = style.appendValue(t.buf, &c.Aux, c.ABI)
	}
	t.buf = append(t.buf, ')')
}

// failure writes an error number. Those by which the kernel restarts a call are none to the program, unless raw.
func (t *Text) failure(errno int, raw bool) {
	name := syscalls.ErrnoName(errno)
	restart := errno >= 512 && errno <= 516 && errno != 515 && !raw
	switch {
	case restart:
		t.buf = append(t.buf, "? "...)
	default:
		t.paint(sgrError)
		t.buf = append(t.buf, "-1 "...)
	}
	if name == "" {
		t.buf = append(t.buf, "(errno "...)
		t.buf = strconv.AppendInt(t.buf, int64(errno), 10)
		t.buf = append(t.buf, ')')
	} else {
		t.buf = append(t.buf, name...)
		t.buf = append(t.buf, " ("...)
		if raw && errno >= 512 {
			t.buf = strconv.AppendInt(append(t.buf, "Unknown error "...), int64(errno), 10)
		} else {
			t.buf = append(t.buf, syscalls.ErrnoText(errno)...)
		}
		t.buf = append(t.buf, ')')
	}
	if !restart {
		t.unpaint()
	}
}
