package middleware

import (
	"context"
	"encoding/binary"
	"time"

	"farcall"
	"farcall/syscalls"

	"golang.org/x/sys/unix"
)

// FakeClock tells programs another time of day: now is asked at each clock_gettime(CLOCK_REALTIME), gettimeofday and time. Programs
// make these calls without the kernel, in the vDSO; NoVDSO has to be used too. Time stamps of files, time-outs and the
// other clocks stay true. Calls: "clock_gettime,clock_gettime64,gettimeofday,time".
func FakeClock(now func() time.Time) farcall.Middleware {
	return intercept(func(ctx context.Context, c *farcall.Call, next farcall.Handler) error {
		if err := next(ctx, c); err != nil || c.Errno != 0 {
			return err
		}
		word := c.ABI().WordSize()
		at := now()
		sec, nsec := uint64(at.Unix()), uint64(at.Nanosecond())
		switch c.Name() {
		case "clock_gettime":
			if c.ABI() == syscalls.X32 {
				word = 8
			}
			return setTime(c, c.Arg(1), word, sec, nsec)
		case "clock_gettime64":
			return setTime(c, c.Arg(1), 8, sec, nsec)
		case "gettimeofday":
			if c.ABI() == syscalls.X32 {
				word = 8
			}
			return poke(c, c.Arg(0), pair(word, sec, nsec/1000))
		case "time":
			if err := poke(c, c.Arg(0), pair(word, sec, 0)[:word]); err != nil {
				return err
			}
			return c.Answer(at.Unix(), false)
		}
		return nil
	})
}

// setTime answers clock_gettime if it is about the time of day.
func setTime(c *farcall.Call, addr uint64, word int, sec, nsec uint64) error {
	const realtimeCoarse = 5 // include/uapi/linux/time.h
	if clock := int32(c.Arg(0)); clock != unix.CLOCK_REALTIME && clock != realtimeCoarse {
		return nil
	}
	return poke(c, addr, pair(word, sec, nsec))
}

func pair(word int, a, b uint64) []byte {
	out := make([]byte, 16)
	if word == 4 {
		binary.NativeEndian.PutUint32(out, uint32(a))
		binary.NativeEndian.PutUint32(out[4:], uint32(b))
		return out[:8]
	}
	binary.NativeEndian.PutUint64(out, a)
	binary.NativeEndian.PutUint64(out[8:], b)
	return out
}

func poke(c *farcall.Call, addr uint64, b []byte) error {
	if addr == 0 {
		return nil
	}
	return c.Poke(addr, b)
}

// NoVDSO hides the vDSO from programs when they start, so that their C library makes system calls for the time and other things that it
// would get without the kernel's help. Go's runtime, too, then asks the kernel. It applies to programs that are
// executed under the tracer. Calls: "execve,execveat".
func NoVDSO() farcall.Middleware {
	return intercept(func(ctx context.Context, c *farcall.Call, next farcall.Handler) error {
		if err := next(ctx, c); err != nil || c.Errno != 0 {
			return err
		}
		if name := c.Name(); name == "execve" || name == "execveat" {
			return hideVDSO(c)
		}
		return nil
	})
}

// Types of entries of the auxiliary vector (include/uapi/linux/auxvec.h, arch/x86/include/uapi/asm/auxvec.h).
const (
	atNull        = 0
	atIgnore      = 1
	atSysinfo     = 32
	atSysinfoEhdr = 33
)

// hideVDSO makes the entries that lead to the vDSO be ignored. A new program's stack has argc, the arguments, a zero, the environment, a zero, and
// the auxiliary vector (fs/binfmt_elf.c, create_elf_tables).
func hideVDSO(c *farcall.Call) error {
	sp, compat, err := c.SP()
	if err != nil {
		return err
	}
	word := uint64(8)
	if compat {
		word = 4
	}
	const most = 1 << 21 // words: MAX_ARG_STRINGS is never reached within the limits of memory
	r := words{c: c, addr: sp + word, size: int(word)}
	for zeros, n := 0, 0; zeros < 2; n++ {
		w, ok := r.next()
		if !ok || n > most {
			return nil // it is gone, or has no such stack
		}
		if w == 0 {
			zeros++
		}
	}
	for range 64 {
		at := r.addr
		kind, ok := r.next()
		if _, more := r.next(); !ok || !more || kind == atNull {
			return nil
		}
		if kind == atSysinfo || kind == atSysinfoEhdr {
			b := make([]byte, word)
			b[0] = atIgnore
			if _, err := c.WriteMemory(at, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// words reads a program's memory word by word.
type words struct {
	c    *farcall.Call
	addr uint64 // of the next word
	size int
	buf  []byte
}

func (w *words) next() (uint64, bool) {
	if len(w.buf) < w.size {
		b := make([]byte, 4096-w.addr%4096)
		n, _ := w.c.ReadMemory(w.addr, b)
		w.buf = b[:n]
		if n < w.size {
			return 0, false
		}
	}
	var v uint64
	if w.size == 4 {
		v = uint64(binary.NativeEndian.Uint32(w.buf))
	} else {
		v = binary.NativeEndian.Uint64(w.buf)
	}
	w.buf = w.buf[w.size:]
	w.addr += uint64(w.size)
	return v, true
}
