package server

import (
	"fmt"
	"os"
	"sync"
	"unsafe"

	"farcall/decode"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// An arena is memory in which calls are executed, one at a time. Behind it are pages that nobody can touch: should the kernel
// ever want to write more than a call's description says, it gets EFAULT there.
type arena struct {
	mem   []byte // MaxRoom bytes
	all   []byte // with the pages behind it
	call  wire.Call
	deco  decode.Call
	res   wire.Result
	names [2][32]byte // numbers of descriptors, as paths
}

// maxFree is how many arenas are kept for later.
const maxFree = 64

// arenas keeps arenas that are not in use.
type arenas struct {
	mu   sync.Mutex
	free []*arena
}

func newArena() (*arena, error) {
	page := os.Getpagesize()
	size := (wire.MaxRoom + page - 1) / page * page
	all, err := unix.Mmap(-1, 0, size+page, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("arena: mmap: %w", err)
	}
	if err := unix.Mprotect(all[:size], unix.PROT_READ|unix.PROT_WRITE); err != nil {
		_ = unix.Munmap(all)
		return nil, fmt.Errorf("arena: mprotect: %w", err)
	}
	return &arena{mem: all[:size:size], all: all}, nil
}

func (as *arenas) get() (*arena, error) {
	as.mu.Lock()
	defer as.mu.Unlock()
	if n := len(as.free); n > 0 {
		a := as.free[n-1]
		as.free = as.free[:n-1]
		return a, nil
	}
	return newArena()
}

func (as *arenas) put(a *arena) {
	as.mu.Lock()
	defer as.mu.Unlock()
	if len(as.free) < maxFree {
		as.free = append(as.free, a)
		return
	}
	_ = unix.Munmap(a.all)
}

// room is the arena's end of n bytes, all zero: what is behind it cannot be touched.
func (a *arena) room(n int) wire.Arena {
	b := a.mem[len(a.mem)-n:]
	clear(b)
	return wire.Arena{Base: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(a.mem)))) + uint64(len(a.mem)-n), Bytes: b}
}
