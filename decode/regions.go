package decode

import "farcall/syscalls"

// A Region is one contiguous piece of memory that the kernel reads or writes for a call.
type Region struct {
	Addr uint64
	Len  int // bytes; for a buffer that the kernel fills, its capacity before the call
	Dir  syscalls.Dir
	Slot uint64 // where the pointer to it stands: the index of a register (0 to 5), or an address
}

// Regions calls visit for every piece of memory that the call reads or writes, outermost
// first, nested pointers included. It can be asked before the call, when lengths are what the
// program allows, and after it, when they are what the kernel used.
func (c *Call) Regions(visit func(Region)) {
	c.Pointers(func(r Region) {
		if r.Len > 0 {
			visit(r)
		}
	})
}

// Pointers is Regions for those who have to know every pointer that the kernel may follow, in order to move what it points to:
// it also visits, with Len 0, each pointer other than NULL with nothing known behind it. That is one whose length is 0, whose
// memory cannot be read, that the description leaves open, or that leads beyond what is decoded of a call.
func (c *Call) Pointers(visit func(Region)) {
	c.visit = visit
	defer func() { c.visit = nil }()
	c.beginStage()
	for i := range c.Desc.Args {
		v := &c.values(1)[0]
		c.slot = uint64(c.Desc.Args[i].Register(c.ABI))
		c.argument(v, i)
	}
}

func (c *Call) region(t *syscalls.Type, addr uint64, n int) {
	if c.visit != nil && n > 0 {
		c.visited++
		c.visit(Region{addr, n, t.Dir, c.slot})
	}
}

// gaveUp tells of a pointer that is not followed.
func (c *Call) gaveUp(t *syscalls.Type, slot, addr uint64) {
	if c.visit != nil && addr != 0 {
		c.visit(Region{addr, 0, t.Dir, slot})
	}
}
