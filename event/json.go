package event

import (
	"encoding/base64"
	"io"
	"strconv"
	"unicode/utf8"

	"farcall/decode"
	"farcall/syscalls"
)

// JSONOptions are the options of a JSON encoder.
type JSONOptions struct {
	FlushEach bool // write at every event
	Entries   bool // write an object when a call begins, too
}

// JSON writes events as JSON, one object a line; docs/event.schema.json describes them. It is not safe for
// concurrent use.
type JSON struct {
	w    io.Writer
	opts JSONOptions
	buf  []byte
	err  error
}

// NewJSON returns an encoder that writes to w.
func NewJSON(w io.Writer, opts JSONOptions) *JSON {
	return &JSON{w: w, opts: opts, buf: make([]byte, 0, 64<<10)}
}

// Flush writes what is buffered.
func (j *JSON) Flush() error {
	if len(j.buf) > 0 && j.err == nil {
		_, j.err = j.w.Write(j.buf)
	}
	j.buf = j.buf[:0]
	return j.err
}

// Encode writes one event.
func (j *JSON) Encode(e *Event) error {
	if e.Kind == CallEntry && !j.opts.Entries {
		return j.err
	}
	b := append(j.buf, `{"type":"`...)
	b = append(b, e.Kind.String()...)
	b = append(b, `","time":`...)
	b = strconv.AppendInt(b, e.Time/1e9, 10)
	b = appendFraction(b, e.Time%1e9, 9)
	b = appendInt(b, "pid", int64(e.PID))
	b = appendInt(b, "tid", int64(e.TID))
	if e.Comm != "" {
		b = append(b, `,"comm":`...)
		b = appendString(b, e.Comm)
	}
	if e.Region != "" {
		b = append(b, `,"region":`...)
		b = appendString(b, e.Region)
		b = appendInt(b, "depth", int64(e.Depth))
	}
	switch e.Kind {
	case CallEntry, CallExit:
		b = j.call(b, e)
	case RegionEntry, RegionReturn:
		b = j.region(b, e)
	case Signal, GroupStop:
		b = appendSignalMember(b, e.Signo)
		if e.Siginfo != nil {
			b = append(b, `,"siginfo":`...)
			b = appendMembers(b, e.Siginfo.Sub, e.ABI)
		}
		b = appendStack(b, e.Stack)
	case Exited:
		b = appendInt(b, "code", int64(e.Code))
	case Killed:
		b = appendSignalMember(b, e.Signo)
		b = appendBool(b, "core", e.Core)
	case Superseded, Exec:
		b = appendInt(b, "by", int64(e.By))
	}
	j.buf = append(b, "}\n"...)
	if j.opts.FlushEach || len(j.buf) > 48<<10 {
		j.Flush()
	}
	return j.err
}

func (j *JSON) call(b []byte, e *Event) []byte {
	c := e.Call
	b = append(b, `,"name":`...)
	b = appendString(b, c.Desc.Name)
	b = appendInt(b, "number", int64(c.Number))
	b = append(b, `,"abi":"`...)
	b = append(b, c.ABI.String()...)
	b = append(b, `","ip":`...)
	b = appendAddress(b, e.IP)
	if c.Resumed != "" {
		b = append(b, `,"resumes":`...)
		b = appendString(b, c.Resumed)
	}
	if e.Placement != "" {
		b = append(b, `,"placement":`...)
		b = appendString(b, e.Placement)
	}
	b = append(b, `,"args":`...)
	b = appendMembers(b, c.Args[:min(c.Ready, len(c.Args))], c.ABI)
	if e.Kind == CallEntry {
		return b
	}
	if e.Lost {
		return appendStack(append(b, `,"unfinished":true`...), e.Stack)
	}
	b = append(b, `,"duration":`...)
	b = strconv.AppendInt(b, e.Duration/1e9, 10)
	b = appendFraction(b, e.Duration%1e9, 9)
	if c.Failed {
		errno := int(-c.Ret)
		b = append(b, `,"result":{"value":-1}`...)
		b = appendInt(b, "errno", int64(errno))
		if name := syscalls.ErrnoName(errno); name != "" {
			b = append(b, `,"error":"`...)
			b = append(b, name...)
			b = append(b, '"')
		}
	} else if c.Desc.Ret.Kind != syscalls.KindPad {
		b = append(b, `,"result":`...)
		r := c.Result
		r.Addr = r.Num // a result that is an address is in the register itself
		b = appendJSON(b, &r, c.ABI)
	}
	if c.Aux.State != decode.Absent && c.Aux.Type != nil {
		b = append(b, `,"meaning":`...)
		b = appendJSON(b, &c.Aux, c.ABI)
	}
	if e.Injected != nil {
		b = appendInjected(b, e.Injected)
	}
	return appendStack(b, e.Stack)
}

func appendSignalMember(b []byte, n int) []byte {
	b = append(b, `,"signal":{"value":`...)
	b = strconv.AppendInt(b, int64(n), 10)
	if name := syscalls.SignalName(n); name != "" {
		b = append(b, `,"symbol":"`...)
		b = append(b, name...)
		b = append(b, '"')
	}
	return append(b, '}')
}

func appendInt(b []byte, key string, n int64) []byte {
	b = append(b, ',', '"')
	b = append(b, key...)
	b = append(b, '"', ':')
	return strconv.AppendInt(b, n, 10)
}

func appendBool(b []byte, key string, v bool) []byte {
	b = append(b, ',', '"')
	b = append(b, key...)
	b = append(b, '"', ':')
	return strconv.AppendBool(b, v)
}

func appendAddress(b []byte, n uint64) []byte {
	b = append(b, `"0x`...)
	b = strconv.AppendUint(b, n, 16)
	return append(b, '"')
}

// appendMembers writes arguments or members as an object, a key for each.
func appendMembers(b []byte, vs []decode.Value, abi syscalls.ABI) []byte {
	b = append(b, '{')
	b, _ = appendPairs(b, vs, abi, false)
	return append(b, '}')
}

func appendPairs(b []byte, vs []decode.Value, abi syscalls.ABI, some bool) ([]byte, bool) {
	for i := range vs {
		v := &vs[i]
		if v.State == decode.Absent || v.Type == nil {
			continue
		}
		if v.Attr&syscalls.AttrFlat != 0 && v.Type.Kind == syscalls.KindStruct && v.State == decode.Known {
			b, some = appendPairs(b, v.Sub, abi, some)
			continue
		}
		if some {
			b = append(b, ',')
		}
		some = true
		b = appendString(b, v.Name)
		b = append(b, ':')
		b = appendJSON(b, v, abi)
	}
	return b, some
}

// appendJSON writes a value as an object that says what is known of it: "address" behind a pointer, "value" for
// the raw number, "symbol" for its name, "string" or "bytes", "fields", "elements".
func appendJSON(b []byte, v *decode.Value, abi syscalls.ABI) []byte {
	t := v.Type
	b = append(b, '{')
	start := len(b)
	key := func(k string) {
		if len(b) > start {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, k...)
		b = append(b, '"', ':')
	}
	if t.Dir != 0 || t.Kind == syscalls.KindPtr {
		key("address")
		b = appendAddress(b, v.Addr)
	}
	if v.State == decode.Known {
		if t.Format == syscalls.FormatPolled { // named parts
			key("fields")
			return append(appendMembers(b, v.Sub, abi), '}')
		}
		switch t.Kind {
		case syscalls.KindStruct:
			key("fields")
			b = appendMembers(b, v.Sub, abi)
		case syscalls.KindArray, syscalls.KindRecords, syscalls.KindFDSet, syscalls.KindStrings, syscalls.KindEnv:
			key("elements")
			b = append(b, '[')
			for i := range v.Sub {
				if i > 0 {
					b = append(b, ',')
				}
				b = appendJSON(b, &v.Sub[i], abi)
			}
			b = append(b, ']')
		case syscalls.KindString, syscalls.KindPath, syscalls.KindBytes, syscalls.KindChars:
			if utf8.Valid(v.Bytes) {
				key("string")
				b = appendQuotedBytes(b, v.Bytes)
			} else {
				key("bytes")
				b = append(b, '"')
				b = base64.StdEncoding.AppendEncode(b, v.Bytes)
				b = append(b, '"')
			}
		case syscalls.KindPtr, syscalls.KindPad:
		case syscalls.KindSigset, syscalls.KindIPv4, syscalls.KindIPv6:
			key("bytes")
			b = append(b, '"')
			b = base64.StdEncoding.AppendEncode(b, v.Bytes)
			b = append(b, '"')
		default:
			key("value")
			b = appendNumber(b, v, abi)
		}
		b = appendSymbol(b, v, abi)
		if len(v.Bytes) > 0 && (t.Kind == syscalls.KindFD || t.Kind == syscalls.KindDirFD || t.Kind == syscalls.KindPID) {
			key("refers")
			b = appendQuotedBytes(b, v.Bytes)
		}
	}
	if v.Size > 0 && v.State == decode.Known {
		key("size")
		b = strconv.AppendInt(b, int64(v.Size), 10)
	}
	if v.More {
		key("truncated")
		b = append(b, "true"...)
	}
	if v.Pre != nil && v.Pre.State == decode.Known {
		key("before")
		b = appendJSON(b, v.Pre, abi)
	}
	if len(v.Note) > 0 {
		key("note")
		b = appendQuotedBytes(b, v.Note)
	}
	return append(b, '}')
}

func appendNumber(b []byte, v *decode.Value, abi syscalls.ABI) []byte {
	switch v.Type.Kind {
	case syscalls.KindInt, syscalls.KindFD, syscalls.KindDirFD, syscalls.KindPID, syscalls.KindSignal, syscalls.KindTime, syscalls.KindDate:
		return strconv.AppendInt(b, intOf(v, abi), 10)
	}
	return strconv.AppendUint(b, v.Num, 10)
}

// symbolStyle writes the names of numbers.
var symbolStyle = Style{}

// appendSymbol writes the "symbol" of values that have a form other than their number.
func appendSymbol(b []byte, v *decode.Value, abi syscalls.ABI) []byte {
	t := v.Type
	bare := decode.Value{Type: t, Num: v.Num, Bytes: v.Bytes}
	switch t.Kind {
	case syscalls.KindFlags, syscalls.KindEnum, syscalls.KindConst, syscalls.KindSignal, syscalls.KindMode,
		syscalls.KindDev, syscalls.KindSigset:
	case syscalls.KindIPv4, syscalls.KindIPv6:
		b = append(b, `,"symbol":"`...)
		b = appendIP(b, v.Bytes)
		return append(b, '"')
	case syscalls.KindPort:
		b = append(b, `,"symbol":"`...)
		b = strconv.AppendUint(b, v.Num>>8&0xff|v.Num&0xff<<8, 10)
		return append(b, '"')
	case syscalls.KindDirFD:
		if int32(v.Num) != -100 {
			return b
		}
		bare.Bytes = nil
	default:
		return b
	}
	b = append(b, `,"symbol":"`...)
	b = symbolStyle.appendContents(b, &bare, abi)
	return append(b, '"')
}

func appendString(b []byte, s string) []byte { return appendQuotedBytes(b, []byte(s)) }

// appendQuotedBytes writes a JSON string; bytes that are not UTF-8 become U+FFFD.
func appendQuotedBytes(b, s []byte) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	for len(s) > 0 {
		c := s[0]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\t':
			b = append(b, '\\', 't')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c < ' ' || c == 0x7f:
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		case c < utf8.RuneSelf:
			b = append(b, c)
		default:
			r, n := utf8.DecodeRune(s)
			b = utf8.AppendRune(b, r)
			s = s[n:]
			continue
		}
		s = s[1:]
	}
	return append(b, '"')
}
