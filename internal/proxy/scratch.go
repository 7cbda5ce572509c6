package proxy

// redZone is what a function may use below the stack pointer (System V ABI, AMD64 supplement, 3.2.2); other architectures have none.
const redZone = 128

// scratch is memory below the stack of a thread that stands still. Nobody uses it before the thread's next signal handler or function, by
// when the call has been made.
type scratch struct {
	sp    uint64 // the stack pointer, then the lowest address in use
	write func(addr uint64, b []byte) (int, error)
	used  bool
}

// put stores bytes and returns their address. If there is no memory, the call will fail with EFAULT.
func (s *scratch) put(b []byte) uint64 {
	if !s.used {
		s.sp -= redZone
		s.used = true
	}
	s.sp = (s.sp - uint64(len(b))) &^ 15
	if n, err := s.write(s.sp, b); n < len(b) || err != nil {
		return 0
	}
	return s.sp
}
