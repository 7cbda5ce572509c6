package symbols

import "sort"

// GoFrame is what Go's function table says of a function's frame at an address of it.
type GoFrame struct {
	Name  string
	Entry uint64 // in-file address of the function
	Size  uint64 // bytes between the stack pointer there and the place where the caller's call left it
	Top   bool   // the function has no caller: a thread or goroutine begins in it
	Asm   bool   // written in assembly
}

// The bits of _func.flag (internal/abi, FuncFlag).
const (
	goFlagTop = 1 << 0
	goFlagAsm = 1 << 2
)

// maxGoFrame bounds the frames that are believed: a goroutine's stack has at most 1 GiB.
const maxGoFrame = 1 << 30

// GoFrame tells of the frame of the Go function that an in-file address belongs to. It is false
// outside of Go's functions, and where the table has no size for the address.
func (f *File) GoFrame(addr uint64) (GoFrame, bool) {
	f.loadSymbols()
	p := f.pcln
	if p == nil {
		return GoFrame{}, false
	}
	start, info, ok := p.at(addr)
	if !ok {
		return GoFrame{}, false
	}
	name, ok1 := p.u32(info + 4)
	pcsp, ok2 := p.u32(info + 16)
	// Since Go 1.20 the first line of the function stands before them.
	kinds, ok3 := p.u32(info + p.tail())
	size, ok4 := p.value(pcsp, start, addr)
	if !ok1 || !ok2 || !ok3 || !ok4 || size < 0 || size > maxGoFrame {
		return GoFrame{}, false
	}
	var b [4]byte
	p.order.PutUint32(b[:], kinds) // funcID, flag, unused, nfuncdata
	return GoFrame{
		Name: cString(p.data, p.names+uint64(name), maxName), Entry: start, Size: uint64(size),
		Top: b[1]&goFlagTop != 0, Asm: b[1]&goFlagAsm != 0,
	}, true
}

// tail is the offset in _func of its last four bytes with a fixed place.
func (p *pclntab) tail() uint64 {
	if p.magic == magicGo118 {
		return 36
	}
	return 40
}

// at finds the function that an address belongs to: its start, and the offset of its _func.
func (p *pclntab) at(addr uint64) (start, info uint64, ok bool) {
	i := sort.Search(p.count, func(i int) bool {
		start, _, _, ok := p.function(i)
		return !ok || start > addr
	}) - 1
	if i < 0 {
		return 0, 0, false
	}
	start, end, info, ok := p.function(i)
	return start, info, ok && addr < end
}

// IsGo reports whether the file has Go's function table.
func (f *File) IsGo() bool {
	f.loadSymbols()
	return f.pcln != nil
}
