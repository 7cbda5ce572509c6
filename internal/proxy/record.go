package proxy

import (
	"time"

	"farcall/decode"
	"farcall/event"
	"farcall/filter"
	"farcall/internal/linux"
	"farcall/syscalls"

	"golang.org/x/sys/unix"
)

// Where a call was executed, as events say it.
const (
	placedLocal    = "local"
	placedRemote   = "remote"
	placedAnswered = "answered"
	placedDenied   = "denied"
)

// A recorded is a Trap whose answer is told as an event.
type recorded struct {
	Trap
	proxy     *Proxy
	call      decode.Call
	begin     time.Time
	placement string
}

// record begins to record a call.
func (p *Proxy) record(t Trap, d *syscalls.Call) *recorded {
	r := &recorded{Trap: t, proxy: p, begin: time.Now(), placement: placedAnswered}
	abi, nr, args := t.Call()
	r.call.Enter(d, abi, nr, args, t, decode.Options{})
	return r
}

// tell tells what became of it. What a call of this host returns is known to the kernel alone.
func (r *recorded) tell(ret int64) {
	r.proxy.telling.Lock()
	defer r.proxy.telling.Unlock()
	r.tellNext(ret)
}

func (r *recorded) tellNext(ret int64) {
	tid := r.TID()
	ev := &event.Event{
		Kind: event.CallExit, TID: tid, PID: processOf(tid), Time: r.begin.UnixNano(), Duration: int64(time.Since(r.begin)), Call: &r.call,
		ABI: r.call.ABI, Placement: r.placement,
	}
	if ret == unknownResult {
		ev.Kind, ev.Lost = event.CallEntry, true
	} else {
		r.call.Exit(ret, ret < 0 && ret >= -4095)
	}
	r.proxy.opts.Events(ev)
}

func (r *recorded) Return(v int64) {
	r.tell(v) // before the program goes on, and its memory changes
	r.Trap.Return(v)
}

func (r *recorded) Continue() {
	r.placement = placedLocal
	r.tell(unknownResult)
	r.Trap.Continue()
}

func (r *recorded) Install(file int, cloexec bool) int64 {
	if _, ok := r.Trap.(*traced); ok { // the kernel opens it, and other programs' calls are told meanwhile
		r.tell(unknownResult)
		return r.Trap.Install(file, cloexec)
	}
	r.proxy.telling.Lock() // the program's next call is told after this one
	defer r.proxy.telling.Unlock()
	ret := r.Trap.Install(file, cloexec)
	r.tellNext(ret)
	return ret
}

func (r *recorded) Redirect(build func(put func([]byte) uint64) (uint64, [6]uint64)) {
	if r.placement == placedAnswered {
		r.placement = placedLocal
	}
	r.tell(unknownResult)
	r.Trap.Redirect(build)
}

func (r *recorded) Map(file int, args [6]uint64, done func()) {
	r.tell(unknownResult)
	r.Trap.Map(file, args, done)
}

// placed notes where the call is executed.
func (q *request) placed(where string) {
	if r, ok := q.Trap.(*recorded); ok {
		r.placement = where
	}
}

// refuseCarrying answers a call that cannot be carried.
func (q *request) refuseCarrying(e unix.Errno) {
	q.counts.denied.Add(1)
	q.placed(placedDenied)
	q.Return(-int64(e))
}

// wanted tells whether the call is one of those that are to be executed there.
func (p *Proxy) wanted(t Trap, d *syscalls.Call) bool {
	if p.opts.Calls == nil {
		return true
	}
	c := &p.asked
	if r, ok := t.(*recorded); ok {
		c = &r.call
	} else {
		abi, nr, args := t.Call()
		c.Enter(d, abi, nr, args, t, decode.Options{})
	}
	tid := t.TID()
	return p.opts.Calls.Entry(&filter.Env{Call: c, TID: tid, PID: processOf(tid), Memory: t,
		Comm: func(b []byte) []byte {
			if st, err := linux.ReadStatus(tid); err == nil {
				b = append(b, st.Name...)
			}
			return b
		},
		FDPath: func(b []byte, fd int32) []byte {
			if fd == unix.AT_FDCWD {
				return append(b, p.nearOf(procLink(tid, "cwd"))...)
			}
			return append(b, p.nearOf(procLink(tid, fdLink(int(fd))))...)
		}}) != filter.False
}

// nearOf is the program's name of what a link of /proc leads to.
func (p *Proxy) nearOf(link string) string {
	if o := p.objects.named(link); o != nil {
		return p.opts.View.Near(o.path)
	}
	if d := p.dirs.of(link); d != nil {
		return p.opts.View.Near(d.path)
	}
	return link
}
