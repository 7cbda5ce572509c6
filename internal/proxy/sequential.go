package proxy

import (
	"sync"

	"farcall/internal/proxy/attr"
	"farcall/internal/proxy/cache"
	"farcall/remote/wire"
)

// Files that are too large to be here as a whole are read ahead of a program that reads them one piece after the other: so it does not wait for each. What
// was read before the file was changed, by whatever programs of this session, is not used.

// aheadAfter is how many reads have to be one after the other, and aheadRoom how far is read ahead then, in bytes.
const (
	aheadAfter = 3
	aheadRoom  = 8 << 20
)

// A sequential is what is read ahead of a descriptor.
type sequential struct {
	mu     sync.Mutex
	next   int64 // where the next read begins if it is one after the other
	run    int   // how many have been
	end    bool  // the file ends within the pieces
	pieces []*piece
}

// A piece is a part of the file, of wire.MaxIO bytes unless the file ends in it.
type piece struct {
	at      int64
	version uint64 // of the file
	done    chan struct{}
	data    []byte // nil if it could not be read
}

// readsAhead tells whether what is read ahead of a program may be given to it: it is as old as if it were read from a cache.
func (s *served) readsAhead() bool {
	return s.o.shares && s.o.flags&direct == 0 && s.opts.Savers.Has(cache.SaveContents) && s.cache.Keeps()
}

// ahead returns n bytes of what was read ahead, or nil, and has more read. Where the file ends it does not decide: it may have become longer.
func (s *served) ahead(at int64, n int) []byte {
	if !s.readsAhead() {
		return nil
	}
	version := s.objects.version(s.o)
	r := &s.sequential
	r.mu.Lock()
	if at != r.next {
		r.run, r.pieces = 0, nil
	}
	r.next = at + int64(n)
	if r.run++; r.run <= aheadAfter {
		r.mu.Unlock()
		return nil
	}
	kept := r.pieces[:0]
	for _, p := range r.pieces {
		if at < p.at+wire.MaxIO && p.version == version {
			kept = append(kept, p)
		}
	}
	if r.pieces = kept; len(kept) == 0 || kept[0].at > at {
		r.pieces, r.end = nil, false
	}
	from := at
	if len(r.pieces) > 0 {
		from = r.pieces[len(r.pieces)-1].at + wire.MaxIO
	}
	for ; !r.end && from < at+int64(n)+aheadRoom; from += wire.MaxIO {
		p := &piece{at: from, version: version, done: make(chan struct{})}
		r.pieces = append(r.pieces, p)
		go s.fetchPiece(p)
	}
	pieces := append([]*piece(nil), r.pieces...)
	r.mu.Unlock()
	out := make([]byte, 0, n)
	for _, p := range pieces {
		<-p.done
		if p.data == nil {
			return nil
		}
		skip := min(max(at-p.at, 0), int64(len(p.data)))
		out = append(out, p.data[skip:min(int64(len(p.data)), skip+int64(n-len(out)))]...)
		if len(out) == n || len(p.data) < wire.MaxIO {
			break
		}
	}
	if len(out) < n || s.objects.version(s.o) != version {
		return nil
	}
	return out
}

func (s *served) fetchPiece(p *piece) {
	defer close(p.done)
	h, err := s.handle(s.o)
	if err != nil {
		return
	}
	var space wire.Space
	buf := space.Room(wire.MaxIO)
	n, err := s.conn.Syscall("pread64", [6]uint64{uint64(h), buf, wire.MaxIO, uint64(p.at)}, &space)
	if err != nil || n < 0 {
		return // whoever reads there is told
	}
	p.data = space.Bytes(buf, int(n))
	if n < wire.MaxIO {
		s.sequential.mu.Lock()
		s.sequential.end = true
		s.sequential.mu.Unlock()
	}
}

// version counts the changes of an object's file that are known of.
func (os *objects) version(o *object) uint64 {
	os.mu.Lock()
	defer os.mu.Unlock()
	if n := os.nodes[attr.InodeOf(o.statx)]; n != nil {
		return n.version
	}
	return 0
}

// altered notes that a file has been changed, any file if ino is zero. os.mu is held.
func (os *objects) altered(ino attr.Inode) {
	if n := os.nodes[ino]; n != nil {
		n.version++
	}
	if ino == (attr.Inode{}) {
		for _, n := range os.nodes {
			n.version++
		}
	}
}
