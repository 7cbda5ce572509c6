package decode

import "farcall/syscalls"

// A Region is one contiguous piece of memory that the kernel reads or writes for a call.
type Region struct {
	Addr uint64
	Len  int // bytes; for a buffer that the kernel fills, its capacity before the call
	Dir  syscalls.Dir
}

// Regions calls visit for every piece of memory that the call reads or writes, outermost
// first, nested pointers included. It can be asked before the call, when lengths are what the
// program allows, and after it, when they are what the kernel used.
func (c *Call) Regions(visit func(Region)) {
	c.visit = visit
	defer func() { c.visit = nil }()
	c.beginStage()
	for i := range c.Desc.Args {
		v := &c.values(1)[0]
		c.argument(v, i)
	}
}

func (c *Call) region(t *syscalls.Type, addr uint64, n int) {
	if c.visit != nil && n > 0 {
		c.visit(Region{addr, n, t.Dir})
	}
}
