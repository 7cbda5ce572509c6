// Package link makes one lasting connection of several that follow each other. Both sides of a session use it: what one has sent, and the other
// has not acknowledged, is kept, and sent again on the next connection, so that each frame arrives exactly once and in order.
package link

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"farcall/remote/wire"
)

// ErrGap is the error of a session that cannot go on: what the other side lacks is not kept any more.
var ErrGap = errors.New("more was lost than is kept")

// ErrOver is the error of a link that was ended without a reason.
var ErrOver = errors.New("the session is over")

// ackEvery is how many bytes arrive until they are acknowledged, with the next frame that is sent anyway.
const ackEvery = 16 << 10

// A Link is one side of a lasting connection. Send may be called by any goroutine, Receive by one.
//
// Positions are numbers of bytes of whole frames since the session began. ACK is in no position: it is about one connection.
type Link struct {
	limit int // bytes that are kept, 0: all

	out sync.Mutex // held while writing: what is kept is in the order in which it is sent

	mu       sync.Mutex
	changed  sync.Cond // conn or err is another
	conn     io.ReadWriteCloser
	r        *bufio.Reader
	lasting  bool // a broken connection can be followed by another
	err      error
	lost     func()   // a lasting link has lost its connection
	kept     [][]byte // what was sent and is not acknowledged
	base     uint64   // position of its first byte
	sent     uint64   // position behind its last
	received uint64
	acked    uint64 // what the other side has been told of received
	injected []wire.Frame
}

// New makes a link that begins with a connection. It keeps at most limit bytes, 0 for all; what is dropped makes resuming impossible if it turns
// out to be needed. lost, if not nil, is called each time that a lasting link has lost its connection.
func New(conn io.ReadWriteCloser, limit int, lost func()) *Link {
	l := &Link{limit: limit, conn: conn, r: bufio.NewReaderSize(conn, 64<<10), lasting: true, lost: lost}
	l.changed.L = &l.mu
	return l
}

// Once makes the link end with its connection; nothing is kept. It is called before the link is lost for the first time.
func (l *Link) Once() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lasting, l.kept, l.base = false, nil, l.sent
	if l.conn == nil && l.err == nil {
		l.err = io.ErrUnexpectedEOF
	}
	l.changed.Broadcast()
}

// OnLoss has f called each time that the link has lost its connection and waits for another.
func (l *Link) OnLoss(f func()) {
	l.mu.Lock()
	l.lost = f
	already := l.conn == nil && l.lasting && l.err == nil
	l.mu.Unlock()
	if already {
		f()
	}
}

// First reads the first frame, with what reads on behind it.
func (l *Link) First() (wire.Frame, *bufio.Reader, error) {
	l.mu.Lock()
	conn, r := l.conn, l.r
	l.mu.Unlock()
	f, err := wire.ReadFrame(r, nil)
	if err == nil {
		_, err = l.arrived(conn, f)
	}
	return f, r, err
}

// Refuse tells the other side, if there is a connection, why the session is over.
func (l *Link) Refuse(err error) {
	l.mu.Lock()
	conn := l.conn
	l.mu.Unlock()
	if conn == nil {
		return
	}
	if d, ok := conn.(interface{ SetWriteDeadline(time.Time) error }); ok {
		_ = d.SetWriteDeadline(time.Now().Add(refuseTimeout))
	}
	l.out.Lock()
	defer l.out.Unlock()
	_, _ = conn.Write(wire.AppendFrame(nil, wire.Frame{Op: wire.OpRefuse, Payload: []byte(err.Error())}))
}

// refuseTimeout is how long the other side may take to listen to why it is refused.
const refuseTimeout = time.Second

// Send sends whole frames. The bytes must not be changed any more. Without a connection they are sent when there is one again.
//
// Errors: that of End; those of a connection that is the last.
func (l *Link) Send(frames []byte) error {
	l.out.Lock()
	defer l.out.Unlock()
	l.mu.Lock()
	if l.err != nil {
		defer l.mu.Unlock()
		return l.err
	}
	l.keep(frames)
	conn := l.conn
	var ack []byte
	if conn != nil && l.lasting && l.received-l.acked >= ackEvery {
		l.acked = l.received
		ack = wire.AppendFrame(nil, wire.CountFrame(wire.OpAck, l.received))
	}
	l.mu.Unlock()
	if conn == nil {
		return nil
	}
	return l.write(conn, ack, frames)
}

func (l *Link) write(conn io.ReadWriteCloser, pieces ...[]byte) error {
	for _, b := range pieces {
		if len(b) == 0 {
			continue
		}
		if _, err := conn.Write(b); err != nil {
			return l.broken(conn, err)
		}
	}
	return nil
}

// keep keeps what is about to be sent; l.mu is held.
func (l *Link) keep(frames []byte) {
	l.sent += uint64(len(frames))
	if !l.lasting {
		l.base = l.sent
		return
	}
	l.kept = append(l.kept, frames)
	for l.limit > 0 && l.sent-l.base > uint64(l.limit) {
		l.base += uint64(len(l.kept[0]))
		l.kept[0] = nil
		l.kept = l.kept[1:]
	}
}

// trim forgets what the other side has; l.mu is held. ErrGap if it has more than was sent, or lacks what is not kept.
func (l *Link) trim(position uint64) error {
	if position < l.base || position > l.sent {
		return ErrGap
	}
	for position > l.base {
		first := l.kept[0]
		if n := position - l.base; n < uint64(len(first)) {
			l.kept[0] = first[n:]
			l.base = position
			return nil
		}
		l.base += uint64(len(first))
		l.kept[0] = nil
		l.kept = l.kept[1:]
	}
	return nil
}

// broken gives up a connection. The error is nil if there may be another one.
func (l *Link) broken(conn io.Closer, err error) error {
	conn.Close()
	l.mu.Lock()
	lost := func() {}
	if l.conn == conn && l.lasting && l.err == nil {
		l.conn = nil
		l.changed.Broadcast()
		if l.lost != nil {
			lost = l.lost
		}
	}
	switch {
	case l.err != nil:
		err = l.err
	case l.lasting:
		err = nil
	}
	l.mu.Unlock()
	lost()
	return err
}

// Receive waits for a frame, over several connections if need be. buf is used for the payload if it is large enough.
//
// Errors: that of End; wire.ErrCorrupt; those of wire.ReadFrame if the connection is the last.
func (l *Link) Receive(buf []byte) (wire.Frame, error) {
	for {
		conn, r, f, err := l.next()
		if err != nil || conn == nil {
			return f, err
		}
		f, err = wire.ReadFrame(r, buf)
		switch {
		case errors.Is(err, wire.ErrCorrupt):
			return f, err
		case err != nil:
			if err = l.broken(conn, err); err != nil {
				return f, err
			}
			continue
		}
		mine, err := l.arrived(conn, f)
		if err != nil || mine {
			return f, err
		}
	}
}

// next waits for a connection to read from, or a frame that was injected, with which conn is nil.
func (l *Link) next() (conn io.ReadWriteCloser, r *bufio.Reader, f wire.Frame, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.conn == nil && l.err == nil && len(l.injected) == 0 {
		l.changed.Wait()
	}
	if l.err != nil {
		return nil, nil, f, l.err
	}
	if len(l.injected) > 0 {
		f, l.injected = l.injected[0], l.injected[1:]
		return nil, nil, f, nil
	}
	return l.conn, l.r, f, nil
}

// arrived counts a frame. mine is false if it is not for the caller, or came by a connection that was given up meanwhile: it comes again.
func (l *Link) arrived(conn io.ReadWriteCloser, f wire.Frame) (mine bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != conn {
		return false, nil
	}
	if f.Op == wire.OpAck {
		n, err := wire.Count(f)
		if err == nil && l.lasting && (n > l.sent || n >= l.base && l.trim(n) != nil) {
			err = fmt.Errorf("%w: ACK of %d bytes, %d were sent", wire.ErrCorrupt, n, l.sent)
		}
		return false, err
	}
	l.received += uint64(wire.HeaderSize + len(f.Payload))
	return true, nil
}

// Detach gives up the connection, if there is one, and returns how much has arrived: that stays until Attach.
func (l *Link) Detach() (received uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
	return l.received
}

// Keeps tells whether the link can go on with a side that has received as much: everything that it lacks is kept.
func (l *Link) Keeps(received uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err == nil && received >= l.base && received <= l.sent
}

// Attach goes on with another connection, whose other side has received as many bytes. r reads from conn.
//
// Errors: ErrGap; that of End.
func (l *Link) Attach(conn io.ReadWriteCloser, r *bufio.Reader, received uint64) error {
	l.out.Lock()
	l.mu.Lock()
	err := l.err
	if err == nil {
		err = l.trim(received)
	}
	if err != nil {
		l.mu.Unlock()
		l.out.Unlock()
		return err
	}
	again := append([][]byte(nil), l.kept...)
	l.conn, l.r, l.acked = conn, r, l.received // RESUME and RESUMED have told
	l.changed.Broadcast()
	l.mu.Unlock()
	go func() { // the other side may be sending too, and somebody has to read that
		defer l.out.Unlock()
		_ = l.write(conn, again...) // whoever receives finds out
	}()
	return nil
}

// Renew goes on with another session: the other side knows nothing of what was sent in this one. begun is what was sent in it so far, received what has
// arrived. again says, while nothing can be sent, which frames to send now, and which the next calls of Receive are to return.
func (l *Link) Renew(conn io.ReadWriteCloser, r *bufio.Reader, begun, received int, again func() (send []byte, inject []wire.Frame)) error {
	l.out.Lock()
	l.mu.Lock()
	if err := l.err; err != nil {
		l.mu.Unlock()
		l.out.Unlock()
		return err
	}
	send, inject := again()
	l.kept, l.base, l.sent = nil, uint64(begun), uint64(begun)
	l.received, l.acked = uint64(received), 0
	if len(send) > 0 {
		l.keep(send)
	}
	l.injected = append(l.injected, inject...)
	l.conn, l.r = conn, r
	l.changed.Broadcast()
	l.mu.Unlock()
	go func() {
		defer l.out.Unlock()
		_ = l.write(conn, send)
	}()
	return nil
}

// Connected tells whether there is a connection.
func (l *Link) Connected() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn != nil
}

// Finish sends the last frames, if there is a connection that takes them soon.
func (l *Link) Finish(frames []byte) {
	l.mu.Lock()
	conn := l.conn
	l.mu.Unlock()
	if d, ok := conn.(interface{ SetWriteDeadline(time.Time) error }); ok {
		_ = d.SetWriteDeadline(time.Now().Add(refuseTimeout))
	}
	if conn != nil {
		_ = l.Send(frames)
	}
}

// End ends the link and closes its connection; the first reason stays. nil stands for ErrOver. The error is that of closing.
func (l *Link) End(err error) error {
	if err == nil {
		err = ErrOver
	}
	l.mu.Lock()
	if l.err == nil {
		l.err = err
	}
	conn := l.conn
	l.changed.Broadcast()
	l.mu.Unlock()
	if conn != nil {
		return conn.Close()
	}
	return nil
}
