package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"farcall/decode"
	"farcall/event"
	"farcall/internal/cmdline"
	"farcall/internal/message"

	"golang.org/x/sys/unix"
)

// A traceOutput is where the trace goes: one file for all threads, or one for each.
type traceOutput struct {
	opts     *cmdline.Options
	messages *message.Printer
	whole    bool    // lines are kept back until it is known whether they are shown
	shared   *stream // nil with -ff
	streams  map[int]*stream
	command  *exec.Cmd // of -o '|command'
	pipe     io.Closer
	dumper   dumper

	mu    sync.Mutex // the encoders, between the tracer's thread and the flusher
	timer *time.Timer
	dirty bool
	err   error
}

// A stream is an encoder with its file.
type stream struct {
	enc  event.Encoder
	text *event.Text // enc, if it writes text
	file io.WriteCloser
}

// flushAfter is how long a finished line may stay in memory when it goes to a file.
const flushAfter = 100 * time.Millisecond

// openTraceOutput opens what the trace is written to. whole says that it is known only at the end of a call whether it
// is shown.
func openTraceOutput(opts *cmdline.Options, std Streams, messages *message.Printer, whole bool) (*traceOutput, error) {
	o := &traceOutput{opts: opts, messages: messages, whole: whole, streams: map[int]*stream{}}
	o.dumper.read, o.dumper.write = opts.ReadDump, opts.WriteDump
	command, pipes := opts.Pipes()
	switch {
	case pipes:
		cmd := exec.Command("/bin/sh", "-c", command)
		cmd.Stdout, cmd.Stderr = std.Out, std.Err
		w, err := cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			return nil, message.Fail("Can't popen '%s': %s", command, reason(err))
		}
		o.command, o.pipe = cmd, w
		o.shared = o.newStream(w, false, false)
	case opts.Output == "":
		f, _ := std.Err.(*os.File)
		o.shared = o.newStream(keepOpen{std.Err}, true, useColor(opts.Color, f, os.Getenv))
	case opts.OutputSeparately:
	default:
		f, err := openOutput(opts.Output, opts.OutputAppend)
		if err != nil {
			return nil, err
		}
		o.shared = o.newStream(f, false, opts.Color == cmdline.ColorAlways)
	}
	return o, nil
}

// keepOpen is a writer that is not ours to close.
type keepOpen struct{ io.Writer }

// Close implements io.Closer.
func (keepOpen) Close() error { return nil }

// newStream makes the encoder for a writer. live means that somebody watches, or that the program writes to
// the same place: nothing is held back.
func (o *traceOutput) newStream(w io.WriteCloser, live, color bool) *stream {
	s := &stream{file: w}
	if o.opts.Format == cmdline.FormatJSON {
		s.enc = event.NewJSON(w, event.JSONOptions{FlushEach: live})
		return s
	}
	t := o.textOptions()
	t.FlushEach, t.Color = live, color
	s.text = event.NewText(w, t)
	s.enc = s.text
	return s
}

func (o *traceOutput) textOptions() event.TextOptions {
	opts := o.opts
	t := event.TextOptions{
		Style: event.Style{
			Consts: event.ConstStyle(opts.ConstStyle), Hex: hexStyles[opts.HexStrings],
			ArgNames: opts.ArgNames,
		},
		Clock: event.Clock(opts.Timestamps), ClockPrecision: event.Precision(opts.TimePrecision.Digits()),
		Relative: opts.Relative, RelPrecision: event.Precision(opts.RelPrecision.Digits()),
		Durations: opts.CallTimes, DurPrecision: event.Precision(opts.CallPrecision.Digits()),
		IP: opts.InstructionPtr, Number: opts.SyscallNumber, Columns: opts.AlignColumn,
		WholeLines: opts.Status != cmdline.AllStatuses || o.whole,
	}
	if !opts.Abbrev.IsAll() {
		t.VerboseCall = func(c *decode.Call) bool { return !opts.Abbrev.Has(c.ABI, c.Number) }
	}
	switch {
	case opts.ShowsPID():
		t.PID = event.ColumnPID
	case opts.Output == "":
		t.PID = event.BracketPID
	}
	if !opts.Raw.IsEmpty() {
		t.Raw = func(c *decode.Call) bool { return opts.Raw.Has(c.ABI, c.Number) }
	}
	if opts.ReadDump != nil || opts.WriteDump != nil {
		t.Dump = o.dumper.dump
	}
	return t
}

var hexStyles = [...]event.HexStyle{
	cmdline.HexNone: event.HexNone, cmdline.HexNonASCIIChars: event.HexNonASCIIChars, cmdline.HexNonASCII: event.HexNonASCII, cmdline.HexAll: event.HexAll,
}

// open returns the stream of a thread if there is one.
func (o *traceOutput) open(tid int) *stream {
	if o.shared != nil {
		return o.shared
	}
	return o.streams[tid]
}

// of returns the stream of a thread.
func (o *traceOutput) of(tid int) *stream {
	if o.shared != nil {
		return o.shared
	}
	if s := o.streams[tid]; s != nil {
		return s
	}
	var s *stream
	f, err := openOutput(fmt.Sprintf("%s.%d", o.opts.Output, tid), o.opts.OutputAppend)
	if err != nil {
		if o.err == nil {
			o.err = err
		}
		s = o.newStream(keepOpen{io.Discard}, false, false)
	} else {
		s = o.newStream(f, false, o.opts.Color == cmdline.ColorAlways)
	}
	o.streams[tid] = s
	return s
}

// encode writes an event; live is the number of traced threads.
func (o *traceOutput) encode(ev *event.Event, live int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.of(ev.TID)
	if s.text != nil {
		s.text.SetLive(live)
	}
	if ev.Kind == event.Superseded {
		o.changeID(ev.By, ev.TID)
	}
	if err := s.enc.Encode(ev); err != nil && o.err == nil {
		o.err = err
	}
	if ev.Kind == event.Superseded {
		return // the file and the id belong to the thread that called execve now
	}
	if o.opts.OutputSeparately && ev.Kind.Last() {
		o.closeStream(s)
		delete(o.streams, ev.TID)
	}
	if !o.dirty && o.opts.Output != "" {
		o.dirty = true
		if o.timer == nil {
			o.timer = time.AfterFunc(flushAfter, o.flush)
		} else {
			o.timer.Reset(flushAfter)
		}
	}
}

// drop forgets what was kept back of a thread's call, which is not to be shown.
func (o *traceOutput) drop(tid int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s := o.open(tid); s != nil && s.text != nil {
		s.text.Drop(tid)
	}
}

// number is told of a call that is not shown.
func (o *traceOutput) number(tid int, nr uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s := o.of(tid); s.text != nil {
		s.text.SetNumber(tid, nr)
	}
}

// note puts a message in a line of its own among those of the trace.
func (o *traceOutput) note(ev *event.Event, text string, live int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s := o.of(ev.TID); s.text != nil {
		s.text.SetLive(live)
		s.text.Message(ev, text)
	}
}

// renamed is told that execve has given the id of its leader to a thread.
func (o *traceOutput) renamed(from, to int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.shared != nil && o.shared.text != nil {
		o.shared.text.Renamed(from, to)
	}
	o.changeID(from, to)
}

// changeID completes the file of a thread that goes on in the file of its former leader.
func (o *traceOutput) changeID(from, to int) {
	s := o.streams[from]
	if s == nil {
		return
	}
	if s.text != nil {
		s.text.Renamed(from, to)
	}
	o.closeStream(s)
	delete(o.streams, from)
}

// flush writes out what is buffered, so that nobody who watches the file waits for long, and little
// is lost if farcall is killed.
func (o *traceOutput) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dirty = false
	if o.shared != nil {
		o.keep(o.shared.enc.Flush())
	}
	for _, s := range o.streams {
		o.keep(s.enc.Flush())
	}
}

func (o *traceOutput) keep(err error) {
	if err != nil && o.err == nil {
		o.err = err
	}
}

// say writes a message to standard error behind what the trace has there.
func (o *traceOutput) say(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.shared != nil {
		o.keep(o.shared.enc.Flush())
	}
	o.messages.Warn(text)
}

// tell writes an error to standard error behind what the trace has there.
func (o *traceOutput) tell(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.shared != nil {
		o.keep(o.shared.enc.Flush())
	}
	o.messages.Error(err)
}

// write puts text behind the trace; with one file for each thread it goes to standard error.
func (o *traceOutput) write(f func(io.Writer) error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.shared == nil {
		o.keep(f(o.messages.W))
		return
	}
	o.keep(o.shared.enc.Flush())
	o.keep(f(o.shared.file))
}

func (o *traceOutput) closeStream(s *stream) {
	o.keep(s.enc.Flush())
	o.keep(s.file.Close())
}

// close completes the output and returns the first error there was with it. For strace that is no failure: it
// says it, and the status is the program's.
func (o *traceOutput) close() error {
	o.mu.Lock()
	if o.timer != nil {
		o.timer.Stop()
	}
	if o.shared != nil {
		o.closeStream(o.shared)
	}
	for _, s := range o.streams {
		o.closeStream(s)
	}
	err := o.err
	o.mu.Unlock()
	if o.command != nil {
		_ = o.command.Wait() // its status is not ours
	}
	if err == nil {
		return nil
	}
	var known *message.Error
	switch {
	case errors.As(err, &known):
		return err
	case o.opts.AsStrace && o.opts.Output != "":
		o.messages.Warn(o.opts.Output + ": " + reason(err))
		return nil
	case o.opts.AsStrace, errors.Is(err, unix.EPIPE): // whoever reads it has had enough
		return nil
	}
	name := o.opts.Output
	if name == "" {
		name = "standard error"
	}
	return &message.Error{Text: "cannot write the trace: " + name + ": " + reason(err), Remedy: outputHint(err)}
}
