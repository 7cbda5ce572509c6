package server

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"farcall/remote/wire"
	"farcall/syscalls"
)

// A Record is what the audit log says about a call.
type Record struct {
	Time    time.Time `json:"time"`
	Peer    string    `json:"peer"`
	Call    string    `json:"call"`
	Paths   []string  `json:"paths,omitempty"`
	Result  int64     `json:"result"`           // the negated error number of a failure
	Refused bool      `json:"refused,omitzero"` // it was not executed
}

// AuditTo returns an Options.Audit that writes a JSON object a line. A write that fails is told to failed, if that is not nil.
func AuditTo(w io.Writer, failed func(error)) func(*Record) {
	var mu sync.Mutex
	return func(r *Record) {
		line, err := json.Marshal(r)
		if err == nil {
			mu.Lock()
			_, err = w.Write(append(line, '\n'))
			mu.Unlock()
		}
		if err != nil && failed != nil {
			failed(fmt.Errorf("audit log: %w", err))
		}
	}
}

func (x *execution) audit(ret int64) {
	if x.opts.Audit == nil {
		return
	}
	r := &Record{Time: time.Now(), Peer: x.peer, Result: ret, Refused: x.refused != 0}
	if x.spec == nil {
		r.Call = fmt.Sprintf("call %d", x.arena.call.Number)
		if nr := wire.ABI.Name(uint64(x.arena.call.Number)); nr != "" {
			r.Call = nr
		}
	} else {
		r.Call = x.spec.Name
		for i := range x.deco.Args[:x.deco.Early] {
			if v := &x.deco.Args[i]; v.Type != nil && v.Type.Kind == syscalls.KindPath {
				r.Paths = append(r.Paths, string(v.Bytes))
			}
		}
	}
	x.opts.Audit(r)
}

// record tells the audit log of a compound request.
func (s *session) record(call, path string, ret int64) {
	if s.opts.Audit != nil {
		s.opts.Audit(&Record{Time: time.Now(), Peer: s.peer, Call: call, Paths: []string{path}, Result: ret, Refused: false})
	}
}
