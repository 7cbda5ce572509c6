package proxy

import "golang.org/x/sys/unix"

// A socketCall is a request as package network knows it.
type socketCall struct{ *request }

func (q socketCall) Process() int { return processOf(q.TID()) }

func (q socketCall) Link(fd int) string {
	if fd < 0 {
		return ""
	}
	return procLink(q.TID(), fdLink(fd))
}

func (q socketCall) Here() {
	q.counts.local.Add(1)
	q.Continue()
}

func (q socketCall) Asked() { q.counts.remote.Add(1) }

func (q socketCall) Answer(v int64) { q.answer(v) }

func (q socketCall) Result(ret int64, err error) { q.result(ret, err) }

func (q socketCall) Deny(e unix.Errno) { q.refuseCarrying(e) }

func (q socketCall) Install(file int, cloexec bool) {
	q.counts.answered.Add(1)
	q.Trap.Install(file, cloexec)
}

func (q socketCall) Redirect(args [6]uint64) {
	q.counts.local.Add(1)
	q.Trap.Redirect(func(func([]byte) uint64) (uint64, [6]uint64) { return q.nr, args })
}

func (q socketCall) Place(addr []byte) (far string, ok bool) { return q.socketPath(addr) }

func (q socketCall) Changed() { q.cache.Flush() }

func (q socketCall) Lost(err error) { q.fail(err) }

func (q socketCall) Debug(format string, args ...any) { q.debug(format, args...) }
