// Package decode turns the registers and the memory of a program at a system call into a tree
// of Values, driven by the call's description, and lists the memory that the call reads and
// writes. It touches no process: memory comes through the interface Memory.
package decode

import (
	"encoding/binary"

	"farcall/syscalls"
)

// Options say how much is read.
type Options struct {
	StringLimit int  // bytes of a string or buffer, elements of an array; 0 means 32, negative none
	Verbose     bool // whole structures and arrays
	Shallow     bool // structures and arrays by address only
	Resolve     Resolver
	Net         Network
}

// A Remarker is a Resolver that has something to say behind a process or thread id.
type Remarker interface {
	Remark(dst []byte, pid int32) []byte
}

// A Network finds out what numbers that stand for parts of the network refer to.
type Network interface {
	// Netlink is the protocol family of a netlink socket, -1 if the descriptor is none.
	Netlink(fd int32) int
	// Interface appends the name of a network interface, nothing if there is none.
	Interface(dst []byte, index uint32) []byte
}

// A Resolver finds out what a number of the program refers to. The result is kept by the
// caller until the next Enter.
type Resolver interface {
	// FD appends the description of a file descriptor, such as its path, nothing if unknown.
	FD(dst []byte, fd int32) []byte
	// PID appends the description of a process or thread id.
	PID(dst []byte, pid int32) []byte
}

const (
	maxPath    = 4096 // PATH_MAX, linux/limits.h
	maxDepth   = 8    // of structures within structures
	maxElems   = 1 << 16
	maxValues  = 1 << 15 // of one stage, whatever the program's memory says
	maxStrings = 1 << 21 // bytes of one string, and of all strings that are read for Regions
	maxSunPath = 108     // linux/un.h
	maxBuffer  = 1 << 24
)

// A Call is one system call of a thread: first what it asked, then what came of it. The
// zero value is ready; it is meant to be used again for the thread's next call, and its
// Values are valid until then.
type Call struct {
	Desc    *syscalls.Call // the variant that the arguments chose
	Number  uint64
	ABI     syscalls.ABI
	Regs    [6]uint64
	Resumed string  // restart_syscall(2): the name of the call that goes on, to be set before Enter
	SP      uint64  // the stack pointer, to be set before Enter; few calls look at it
	Args    []Value // the first Ready of them are decoded
	Ready   int
	Early   int  // how many of them were decoded before the call
	Done    bool // the result is known
	Failed  bool
	Ret     int64 // the result, or the negated error number when Failed
	Result  Value
	Aux     Value // what the result means, Absent if there is nothing to say

	opts      Options
	mem       Memory
	layout    int
	argBuf    [8]Value
	pre       [8]*Value
	vals      []Value
	types     []syscalls.Type // made for this call
	bytes     []byte
	cache     [8]cached
	cached    int
	ranges    [8]Range
	frames    [maxDepth + 1]frame
	depth     int
	was       *Value // what stood before the call in the place that is being decoded
	before    bool   // expressions see what the program passed, not what the kernel made of it
	spare     int    // values that may still be decoded in this stage
	spareText int    // bytes of strings that may still be read in this stage
	budget    int    // bytes left for the buffers of an array with a total, -1: no total
	visit     func(Region)
	visited   int    // regions of this walk
	slot      uint64 // where the value that is being decoded stands: a register's index or an address
}

// arg is the value of an argument, cut to its type's width and sign-extended if signed.
func (c *Call) arg(i int) uint64 {
	f := &c.Desc.Args[i]
	r := f.Register(c.ABI)
	if r == syscalls.RegSP {
		return c.SP
	}
	if r >= len(c.Regs) {
		return 0
	}
	n := c.Regs[r]
	if f.Type.Dir != 0 {
		return c.pointer(n)
	}
	w := f.Type.Extent(c.layout)
	if w == 8 && c.ABI == syscalls.I386 {
		n = n & 0xffffffff
		if r+1 < len(c.Regs) {
			n |= c.Regs[r+1] << 32
		}
		return n
	}
	switch f.Type.Kind {
	case syscalls.KindInt, syscalls.KindFD, syscalls.KindDirFD, syscalls.KindPID, syscalls.KindSignal, syscalls.KindErrno:
		return uint64(signExtend(n, f.Type, c.layout))
	}
	return truncate(n, w)
}

func (c *Call) pointer(n uint64) uint64 {
	if c.ABI == syscalls.I386 || c.ABI == syscalls.X32 {
		return n & 0xffffffff
	}
	return n
}

func (c *Call) ret() uint64 {
	if !c.Done || c.Failed {
		return 0
	}
	return uint64(c.Ret)
}

func (c *Call) limit() int {
	switch n := c.opts.StringLimit; {
	case n > 0:
		return n
	case n < 0:
		return 0
	}
	return 32
}

// elems is how many of n elements of an array are read.
func (c *Call) elems(n uint64) (show int, more bool) {
	limit := maxElems
	if !c.opts.Verbose && c.visit == nil {
		limit = c.limit()
	}
	limit = max(0, min(limit, c.spare))
	if n > uint64(limit) {
		return limit, true
	}
	return int(n), false
}

// Enter begins a call: desc is the call as the table has it, of which the variant is chosen
// here. Every argument that is known before the call is decoded.
func (c *Call) Enter(desc *syscalls.Call, abi syscalls.ABI, number uint64, regs [6]uint64, mem Memory, opts Options) {
	c.reset()
	c.Desc = desc.Match(&regs, abi == syscalls.I386)
	c.ABI, c.Number, c.Regs = abi, number, regs
	c.layout = abi.Layout()
	c.mem, c.opts = mem, opts
	c.Done, c.Failed, c.Ret = false, false, 0
	c.Result, c.Aux = Value{State: Absent}, Value{State: Absent}
	n := len(c.Desc.Args)
	c.Args = c.argBuf[:n]
	clear(c.Args)
	c.Ready = 0
	c.beginStage()
	upTo := int(c.Desc.Defer)
	c.prefetch(0, upTo)
	for i := range c.Desc.Args {
		c.pre[i] = nil
	}
	for i := upTo; i < n; i++ {
		if a := &c.Desc.Args[i]; a.Type.Dir == syscalls.InOut || a.Type.Dir == syscalls.In {
			v := &c.values(1)[0]
			c.argument(v, i)
			c.pre[i] = v
		}
	}
	for i := range upTo {
		c.argument(&c.Args[i], i)
	}
	c.Ready = upTo
	for i := upTo; i < n; i++ {
		c.later(i)
	}
	c.Early = c.Ready
}

// later looks at an argument that follows one which is known only after the call: it need not wait
// if that one, and itself, turn out not to exist.
func (c *Call) later(i int) {
	a := &c.Desc.Args[i]
	v := &c.Args[i]
	switch {
	case a.Cond != nil && !a.Cond.UsesResult() && a.Cond.Eval(&c.frames[0]) == 0:
		v.Name, v.Type, v.Attr, v.State, v.Num = a.Name, a.Type, a.Attr, Absent, c.arg(i)
	case c.Ready != i || a.Attr&syscalls.AttrExit != 0 || a.Type.Dir&syscalls.Out != 0:
		return
	case c.pre[i] != nil:
		*v = *c.pre[i]
	default:
		c.argument(v, i)
	}
	if c.Ready == i {
		c.Ready++
	}
}

// Skip begins a call without decoding its arguments.
func (c *Call) Skip(desc *syscalls.Call, abi syscalls.ABI, number uint64, regs [6]uint64) {
	c.Desc = desc.Match(&regs, abi == syscalls.I386)
	c.ABI, c.Number, c.Regs = abi, number, regs
	c.Args, c.Ready, c.Early = nil, 0, 0
	c.Done, c.Failed, c.Ret = false, false, 0
	c.Result, c.Aux = Value{State: Absent}, Value{State: Absent}
}

// Exit completes the call with its result: the negated error number when failed.
func (c *Call) Exit(ret int64, failed bool) {
	c.Done, c.Failed, c.Ret = true, failed, ret
	c.beginStage()
	c.prefetch(c.Ready, len(c.Args))
	for i := c.Ready; i < len(c.Args); i++ {
		v := &c.Args[i]
		switch a := &c.Desc.Args[i]; {
		case c.pre[i] != nil && (failed && a.Type.Dir == syscalls.InOut && a.When == nil || a.Type.Dir == syscalls.In && a.Attr&syscalls.AttrExit == 0):
			*v = *c.pre[i]
			if failed && a.Type.Dir == syscalls.InOut && len(v.Sub) > 0 && !visible(v) {
				v.State = Address
			}
		case a.When != nil:
			c.argument(v, i)
			v.Pre = c.pre[i]
		case a.Type.Dir == syscalls.InOut:
			c.was = c.pre[i]
			c.argument(v, i)
			c.was = nil
			v.Pre = c.pre[i]
		default:
			c.argument(v, i)
		}
	}
	c.Ready = len(c.Args)
	c.Result = Value{Type: c.Desc.Ret, Num: uint64(ret)}
	if failed {
		return
	}
	if c.Desc.Ret.Kind == syscalls.KindFD || c.Desc.Ret.Kind == syscalls.KindPID {
		c.resolve(&c.Result)
	}
	c.format(&c.Result)
	if aux := c.Desc.Aux; aux != nil {
		c.Aux = Value{Type: aux, Num: truncate(uint64(ret), aux.Extent(c.layout))}
		if aux.Kind == syscalls.KindSigset {
			c.Aux.Bytes = binary.LittleEndian.AppendUint64(c.alloc(8)[:0], uint64(ret))[:aux.Extent(c.layout)]
		}
		if aux.Format == syscalls.FormatPolled {
			formatPolled(c, &c.Aux)
			return
		}
		if aux.Kind == syscalls.KindEnum && aux.Set.Lookup(c.ABI, c.Aux.Num) == "" ||
			aux.Kind == syscalls.KindSignal && c.Aux.Num == 0 ||
			aux.Kind == syscalls.KindFlags && c.Aux.Num == 0 && !aux.Set.HasZero() {
			c.Aux.State = Absent
		}
		c.format(&c.Aux)
	}
}

// ExitAgain completes the call once more, after something else than c has changed its result or the program's memory.
func (c *Call) ExitAgain(ret int64, failed bool) {
	clear(c.Args[min(c.Early, len(c.Args)):])
	c.Ready = c.Early
	c.Result, c.Aux = Value{State: Absent}, Value{State: Absent}
	c.Exit(ret, failed)
}

func (c *Call) beginStage() {
	c.cached, c.depth, c.budget, c.before = 0, 0, -1, false
	c.spare, c.spareText = maxValues, maxStrings
	c.frames[0] = frame{call: c}
}

// argument decodes argument i from its register.
func (c *Call) argument(v *Value, i int) {
	a := &c.Desc.Args[i]
	v.Name, v.Type, v.Attr = a.Name, a.Type, a.Attr
	if a.Cond != nil && a.Cond.Eval(&c.frames[0]) == 0 {
		v.State = Absent
		v.Num = c.arg(i)
		return
	}
	n := c.arg(i)
	if a.When != nil && c.guarded(v, a.When, n) {
		return
	}
	c.value(v, n, nil)
}

// guarded decodes a pointer behind which the kernel has written, or reads, something only if
// when is not zero. It tells whether that was enough.
func (c *Call) guarded(v *Value, when *syscalls.Expr, n uint64) bool {
	if n == 0 || v.Type.Dir == syscalls.Out && !c.Done {
		return false
	}
	v.Addr = n
	if when.Eval(&c.frames[c.depth]) == 0 {
		v.State = Address
		c.gaveUp(v.Type, c.slot, n)
	} else {
		c.follow(v)
	}
	return true
}

// value decodes a number that is a pointer if the type has a direction. inline is the memory
// of an aggregate that stands in a structure or array, nil for registers.
func (c *Call) value(v *Value, n uint64, inline []byte) {
	t := v.Type
	if t.Dir == 0 {
		c.contents(v, n, inline)
		return
	}
	v.Addr = n
	switch {
	case n == 0:
		v.State = Null
	case t.Dir == syscalls.Out && !c.Done, t.Dir&syscalls.Out != 0 && c.Failed:
		v.State = Address
		if c.visit != nil {
			c.follow(v)
		}
	default:
		c.follow(v)
	}
}

// follow decodes what a pointer points to and tells if nothing came of it.
func (c *Call) follow(v *Value) {
	slot, visited, t := c.slot, c.visited, v.Type
	c.pointee(v)
	if c.visited == visited {
		c.gaveUp(t, slot, v.Addr)
	}
}

// contents decodes a value that stands in a register or inline in memory.
func (c *Call) contents(v *Value, n uint64, inline []byte) {
	t := v.Type
	v.Num = n
	switch t.Kind {
	case syscalls.KindStruct:
		c.structure(v, inline)
	case syscalls.KindUnion:
		c.union(v, n, inline)
	case syscalls.KindArray:
		c.array(v, inline)
	case syscalls.KindList:
		c.list(v, inline)
	case syscalls.KindIfindex:
		if c.opts.Net != nil && uint32(n) != 0 {
			c.found(v, c.opts.Net.Interface(c.bytes[len(c.bytes):], uint32(n)))
		}
	case syscalls.KindSunPath:
		v.Size, v.Bytes = len(inline), inline[:min(len(inline), maxSunPath)]
		if len(inline) > 0 && inline[0] != 0 {
			if i := indexNUL(inline, len(inline)); i >= 0 {
				v.Bytes = inline[:i]
			}
		}
	case syscalls.KindChars:
		v.Bytes = inline
		if i := indexNUL(inline, len(inline)); i >= 0 {
			v.Bytes = inline[:i]
		}
	case syscalls.KindBytes:
		v.Size = len(inline)
		v.Bytes = inline
		if t.Width != syscalls.WholeBytes {
			v.Bytes = inline[:min(len(inline), c.limit())]
		}
		v.More = v.Size > len(v.Bytes)
	case syscalls.KindSigset, syscalls.KindIPv6, syscalls.KindIPv4, syscalls.KindBitset, syscalls.KindMAC:
		v.Bytes = inline
	case syscalls.KindFD, syscalls.KindDirFD, syscalls.KindPID:
		c.resolve(v)
	case syscalls.KindDate:
		if t.Len != nil {
			v.Size = int(t.Len.Eval(&c.frames[c.depth]))
		}
	case syscalls.KindPtr:
		v.Addr = n
		if n == 0 {
			v.State = Null
		} else {
			v.State = Address
			c.gaveUp(t, c.slot, n)
		}
	}
	c.format(v)
}

func (c *Call) resolve(v *Value) {
	r := c.opts.Resolve
	if r == nil || v.Type.Kind == syscalls.KindFD && int32(v.Num) < 0 {
		return
	}
	b := c.bytes[len(c.bytes):]
	if v.Type.Kind == syscalls.KindPID {
		b = r.PID(b, int32(v.Num))
		if r, ok := r.(Remarker); ok {
			v.Note = r.Remark(nil, int32(v.Num))
		}
	} else {
		b = r.FD(b, int32(v.Num))
	}
	c.found(v, b)
}

// found keeps what was appended to the free end of c.bytes as what is known about v.
func (c *Call) found(v *Value, b []byte) {
	start := len(c.bytes)
	if len(b) > 0 {
		if start+len(b) <= cap(c.bytes) {
			c.bytes = c.bytes[:start+len(b)]
		}
		v.Bytes = b[:len(b):len(b)]
	}
}

// pointee decodes what the pointer v.Addr points to.
func (c *Call) pointee(v *Value) {
	t := v.Type
	addr := v.Addr
	switch t.Kind {
	case syscalls.KindString, syscalls.KindPath:
		if c.visit != nil && t.Dir == syscalls.Out && t.Len != nil && !c.Done { // what stands there now does not matter
			v.State = Address
			c.region(t, addr, c.length(t, maxBuffer))
			return
		}
		limit := c.limit()
		if t.Kind == syscalls.KindPath {
			limit = maxPath
		}
		if t.Len != nil {
			limit = min(limit, c.length(t, maxBuffer))
		} else if c.visit != nil {
			limit = c.spareText
		}
		s, nul, ok := c.readString(addr, max(0, min(limit, c.spareText)))
		c.spareText -= len(s)
		if !ok && len(s) == 0 || !ok && t.Kind == syscalls.KindPath {
			v.State = Address
			return
		}
		if !nul && ok && (t.Len == nil || t.Dir == syscalls.In && len(s) < c.length(t, maxBuffer)) {
			// A NUL right behind the limit leaves the string whole.
			next := c.read(addr+uint64(len(s)), 1)
			nul = len(next) == 1 && next[0] == 0
		}
		v.Bytes, v.More = s, !nul && (t.Len == nil || t.Dir == syscalls.In)
		c.region(t, addr, len(s)+1)
	case syscalls.KindBytes:
		n := c.length(t, maxBuffer)
		if c.budget >= 0 {
			n = min(n, c.budget)
			c.budget -= n
		}
		c.region(t, addr, n)
		if t.Width == syscalls.IntBytes && (n == 4 || n == 0 && t.Dir&syscalls.Out != 0) {
			b := c.read(addr, n)
			if v.State = Address; len(b) == 4 {
				v.State, v.Num, v.Type = Known, load(b, 4), &intPointer
			}
			return
		}
		v.Size = n
		show := n
		if t.Width != syscalls.WholeBytes {
			show = min(n, c.limit())
		}
		v.Bytes = c.read(addr, show)
		v.More = n > show
		if len(v.Bytes) < show {
			v.Bytes, v.State = nil, Address
		}
	case syscalls.KindSigset:
		n := c.length(t, 128)
		c.region(t, addr, n)
		if n == 0 || n > 8 || n < c.ABI.WordSize() && t.RetLen == nil { // the kernel takes no other size than 8, or 4 from the oldest calls
			v.State = Address
			break
		}
		v.Bytes = c.read(addr, n)
		if len(v.Bytes) < n {
			v.State = Address
		}
	case syscalls.KindBitset:
		n := c.length(t, pageSize)
		c.region(t, addr, n)
		if v.Bytes = c.read(addr, n); len(v.Bytes) < n {
			v.State = Address
		}
	case syscalls.KindStrings, syscalls.KindEnv:
		c.strings(v)
	case syscalls.KindArray:
		if c.opts.Shallow {
			v.State = Address
			return
		}
		c.array(v, nil)
	case syscalls.KindFDSet:
		c.fdset(v)
	case syscalls.KindRecords:
		c.records(v)
	case syscalls.KindList:
		if c.opts.Shallow {
			v.State = Address
			return
		}
		c.list(v, nil)
	case syscalls.KindStruct:
		if c.opts.Shallow {
			v.State = Address
			return
		}
		size := int(t.Struct.Size[c.layout])
		n := size
		if t.Len != nil {
			n = c.length(t, pageSize)
		}
		c.region(t, addr, n)
		b := c.read(addr, n)
		if len(b) < n || n == 0 || n < t.Struct.Fields[0].Type.Size(c.layout) {
			v.State = Address
			return
		}
		v.Size = n
		c.slot = addr
		c.structure(v, b)
	case syscalls.KindUnion:
		c.union(v, 0, nil)
	case syscalls.KindChars:
		n := c.length(t, maxBuffer)
		b := c.read(addr, n)
		if len(b) < n {
			v.State = Address
			return
		}
		c.contents(v, 0, b)
		return
	default:
		n := t.Extent(c.layout)
		c.region(t, addr, n)
		b := c.read(addr, n)
		if len(b) < n {
			v.State = Address
			return
		}
		c.contents(v, load(b, n), b)
		if t.Kind == syscalls.KindPtr { // a pointer behind a pointer: known, but not what it points to
			v.State, v.Addr = Known, addr
		}
		return
	}
	c.format(v)
}

// length is the number of bytes or elements behind a pointer: what fits before the call, what
// is valid after it. It is never negative and at most limit.
func (c *Call) length(t *syscalls.Type, limit int) int {
	f := &c.frames[c.depth]
	n := uint64(limit)
	if t.Len != nil {
		c.before = t.RetLen != nil
		n = t.Len.Eval(f)
		c.before = false
	}
	if t.RetLen != nil && c.Done {
		n = min(n, t.RetLen.Eval(f))
	}
	return int(min(n, uint64(limit)))
}
