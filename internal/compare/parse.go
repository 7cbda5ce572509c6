package compare

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Kind says what a line of a trace reports.
type Kind uint8

// The kinds of lines.
const (
	KindCall   Kind = iota // a system call, its two halves joined
	KindSignal             // --- SIGxxx {...} ---, and group-stops
	KindExit               // +++ exited with 0 +++, +++ killed by SIGxxx +++, +++ superseded by execve +++
	KindNote               // anything else the tracer says
)

// Line is one event of one thread.
type Line struct {
	Kind   Kind
	Number int    // line of the file, from 1, where the event begins
	Text   string // without pid and time, halves joined, the gap before "= result" reduced to one blank

	// Of a call:
	Name   string   // of the system call
	Args   []string // split at the commas of the outermost level
	Result string   // what stands after "= "; empty if the call never returned and nothing was printed

	// Misaligned is set where "= result" does not stand where strace puts it: in column 40 counted from 0 and from the
	// start of the physical line, or one blank after the closing parenthesis when that is beyond.
	Misaligned bool
}

// Thread is the events of one thread in the order in which they began.
type Thread struct {
	PID   int // as printed; 0 in a trace without pids
	Lines []Line
	// created is the line of the call that made the thread; 0 where the trace does not say.
	created int
	// group is the leader of the thread's process, parent the thread that created it; nil where the trace does not say.
	group, parent *Thread
}

// Trace is a parsed trace file.
type Trace struct {
	Threads []*Thread // in order of their first lines
	Lines   int       // physical lines read
	// Broken counts lines that cannot be understood: a resumed half without a beginning, or an empty line.
	Broken []string
}

var (
	// "1234  " as in files, "[pid  1234] " as on a terminal.
	pidPrefix = regexp.MustCompile(`^(?:\[pid +(\d+)\] |(\d+) +)`)
	// -t, -tt, -ttt, -r.
	timePrefix = regexp.MustCompile(`^(?:\d\d:\d\d:\d\d(?:\.\d+)? |\d{10}(?:\.\d+)? | +\d+\.\d+ )`)
	resumed    = regexp.MustCompile(`^<\.\.\. (\S+) resumed>`)
	pidChanged = regexp.MustCompile(` <pid changed to (\d+) \.\.\.>$`)
	superseded = regexp.MustCompile(`^\+\+\+ superseded by execve in pid (\d+) `)
	lastResult = regexp.MustCompile(`^.*\)( *)= `)
	duration   = regexp.MustCompile(` <\d+\.\d+>$`)
	callHead   = regexp.MustCompile(`^([a-zA-Z_][a-zA-Z_0-9]*)\(`)
)

const (
	unfinished   = " <unfinished ...>"
	unseen       = "???"
	resultColumn = 40
	maxLine      = 64 << 20
)

type parser struct {
	trace   Trace
	current map[int]*Thread
	pending map[int]*half // by pid: a call whose second half is to come
}

type half struct {
	thread *Thread
	index  int // into thread.Lines
}

// Parse reads a trace as written by `strace -o FILE`, with or without -f.
// A line that makes no sense is kept in Trace.Broken; errors are those of r.
func Parse(r io.Reader) (*Trace, error) {
	p := parser{current: map[int]*Thread{}, pending: map[int]*half{}}
	scanner := bufio.NewScanner(r)
	scanner.Buffer(make([]byte, 1<<16), maxLine)
	for scanner.Scan() {
		p.trace.Lines++
		p.line(scanner.Text())
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("parse: line %d: %w", p.trace.Lines+1, err)
	}
	for _, t := range p.trace.Threads {
		for i := range t.Lines {
			t.Lines[i].split()
		}
	}
	p.trace.link()
	return &p.trace, nil
}

func (p *parser) line(raw string) {
	number := p.trace.Lines
	text, pid := raw, 0
	if m := pidPrefix.FindStringSubmatch(text); m != nil {
		pid, _ = strconv.Atoi(m[1] + m[2])
		text = text[len(m[0]):]
	}
	text = timePrefix.ReplaceAllString(text, "")
	if text == "" {
		p.broken(raw)
		return
	}
	offset := len(raw) - len(text)
	text = duration.ReplaceAllString(text, "")

	// "???" stands for a call that strace has not seen begin, as its thread was killed at that moment: all the line says is that.
	if m := resumed.FindStringSubmatch(text); m != nil && (m[1] != unseen || p.pending[pid] != nil) {
		h := p.pending[pid]
		if h == nil {
			p.broken(raw)
			return
		}
		delete(p.pending, pid)
		line := &h.thread.Lines[h.index]
		if !strings.HasPrefix(line.Text, m[1]+"(") && m[1] != "restart_syscall" {
			p.broken(raw)
		}
		text = text[len(m[0]):]
		if g := lastResult.FindStringSubmatchIndex(raw); g != nil {
			line.Misaligned = misaligned(g[2], g[3])
		}
		if rest, ok := strings.CutSuffix(text, unfinished); ok { // interrupted by output a second time
			line.Text += rest
			p.pending[pid] = h
			return
		}
		line.Text += text
		return
	}

	t := p.thread(pid)
	line := Line{Number: number, Text: text}
	switch {
	case strings.HasPrefix(text, "--- "):
		line.Kind = KindSignal
	case strings.HasPrefix(text, "+++ "):
		line.Kind = KindExit
		delete(p.current, pid)
		p.supersede(pid, text)
	case callHead.MatchString(text):
		line.Kind = KindCall
	default:
		line.Kind = KindNote
	}
	if line.Kind == KindCall {
		if p.pending[pid] != nil {
			p.broken(raw) // a thread makes one call at a time
		}
		if rest, ok := strings.CutSuffix(text, unfinished); ok {
			line.Text = rest
			p.pending[pid] = &half{t, len(t.Lines)}
		} else if m := pidChanged.FindStringSubmatch(text); m != nil {
			// execve by a thread that is not the leader: it returns under the leader's pid.
			leader, _ := strconv.Atoi(m[1])
			line.Text = strings.TrimSuffix(text, m[0])
			p.pending[leader] = &half{t, len(t.Lines)}
		} else if end, gap, ok := resultGap(text); ok {
			line.Misaligned = misaligned(offset+end, offset+end+gap)
		}
	}
	t.Lines = append(t.Lines, line)
}

// supersede ends the pending call of a thread that ended. If it ended because another thread of its process called execve,
// that thread lives on under its pid, and so does that thread's execve, which may have been announced under either pid.
func (p *parser) supersede(pid int, text string) {
	m := superseded.FindStringSubmatch(text)
	if m == nil {
		// Whether strace still says that the call was cut off depends on what else it printed in between.
		if h := p.pending[pid]; h != nil {
			h.thread.Lines[h.index].Text += ") = ?"
		}
		delete(p.pending, pid)
		return
	}
	caller, _ := strconv.Atoi(m[1])
	if h := p.pending[caller]; h != nil {
		p.pending[pid] = h
		delete(p.pending, caller)
	}
	if t := p.current[caller]; t != nil {
		p.current[pid] = t
		delete(p.current, caller)
	}
}

func (p *parser) broken(raw string) {
	p.trace.Broken = append(p.trace.Broken, fmt.Sprintf("%d: %s", p.trace.Lines, raw))
}

func (p *parser) thread(pid int) *Thread {
	t := p.current[pid]
	if t == nil {
		t = &Thread{PID: pid}
		p.current[pid] = t
		p.trace.Threads = append(p.trace.Threads, t)
	}
	return t
}

// misaligned: end is the column after the closing parenthesis, column that of the equals sign.
func misaligned(end, column int) bool { return column != max(resultColumn, end+1) }

// resultGap finds, in a whole call, the column after the closing parenthesis and the number of blanks before the "=".
func resultGap(text string) (end, gap int, ok bool) {
	end, ok = closing(text)
	if !ok {
		return 0, 0, false
	}
	for end+gap < len(text) && text[end+gap] == ' ' {
		gap++
	}
	return end, gap, strings.HasPrefix(text[end+gap:], "= ")
}

// closing returns the index after the parenthesis that closes the first one of text. Strings are skipped; so are
// comments, which may hold anything.
func closing(text string) (int, bool) {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = skipString(text, i)
		case '/':
			if strings.HasPrefix(text[i:], "/* ") {
				if n := strings.Index(text[i:], " */"); n >= 0 {
					i += n + 2
				}
			}
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			if depth--; depth == 0 {
				return i + 1, true
			}
		}
	}
	return 0, false
}

// skipString returns the index of the quote that closes the string opened at i, or the last index of text.
func skipString(text string, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(text) - 1
}

var blanksBeforeResult = regexp.MustCompile(`^ *= `)

// split brings a call into its canonical text and takes it apart.
func (l *Line) split() {
	if l.Kind != KindCall {
		return
	}
	// A call that the end of its thread cut off says so inside its parentheses or after the name, depending on whether
	// another thread printed in between.
	l.Text = removeOutsideStrings(l.Text, unfinished)
	l.Name = l.Text[:strings.IndexByte(l.Text, '(')]
	end, ok := closing(l.Text)
	if !ok {
		l.Args = SplitArgs(l.Text[len(l.Name)+1:])
		return
	}
	l.Args = SplitArgs(l.Text[len(l.Name)+1 : end-1])
	tail := l.Text[end:]
	if m := blanksBeforeResult.FindString(tail); m != "" {
		l.Result = tail[len(m):]
		l.Text = l.Text[:end] + " = " + l.Result
	}
}

func removeOutsideStrings(text, what string) string {
	if !strings.Contains(text, what) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '"' {
			end := skipString(text, i)
			b.WriteString(text[i : end+1])
			i = end
			continue
		}
		if strings.HasPrefix(text[i:], what) {
			i += len(what) - 1
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// SplitArgs splits the text between a call's parentheses at the commas of its outermost level.
func SplitArgs(text string) []string {
	var args []string
	depth, start := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = skipString(text, i)
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		case ',':
			if depth == 0 {
				args = append(args, strings.TrimSpace(text[start:i]))
				start = i + 1
			}
		}
	}
	if last := strings.TrimSpace(text[min(start, len(text)):]); last != "" || len(args) > 0 {
		args = append(args, last)
	}
	return args
}

// creates are the calls that make a thread or process.
var creates = map[string]bool{"clone": true, "clone3": true, "fork": true, "vfork": true}

// link finds each thread's parent and process.
func (t *Trace) link() {
	byPID := map[int][]*Thread{}
	for _, th := range t.Threads {
		byPID[th.PID] = append(byPID[th.PID], th)
	}
	for _, th := range t.Threads {
		for _, l := range th.Lines {
			if !creates[l.Name] {
				continue
			}
			pid := leadingInt(l.Result)
			for _, child := range byPID[pid] {
				// A pid can come back: the child is the first of that pid that nobody claimed. The root is nobody's.
				if pid > 0 && child.parent == nil && child != t.Threads[0] && child != th {
					child.parent, child.created = th, l.Number
					if strings.Contains(l.Text, "CLONE_THREAD") {
						child.group = th
					}
					break
				}
			}
		}
	}
	for _, th := range t.Threads { // groups point at creators so far; let them point at leaders
		for n := 0; th.group != nil && th.group.group != nil && n < len(t.Threads); n++ {
			th.group = th.group.group
		}
	}
}

func leadingInt(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	v, err := strconv.Atoi(s[:n])
	if err != nil {
		return -1
	}
	return v
}

// ParseFile parses a trace file and tells when it was last written.
func ParseFile(name string) (*Trace, time.Time, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, time.Time{}, err
	}
	t, err := Parse(f)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("%s: %w", name, err)
	}
	return t, info.ModTime(), nil
}
