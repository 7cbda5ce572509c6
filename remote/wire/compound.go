package wire

import "encoding/binary"

// StatxSize is the size of struct statx (linux/stat.h), in which attributes travel.
const StatxSize = 256

// An OpenX asks for a file to be opened, and for what a program is going to ask next.
type OpenX struct {
	Dir        uint32 // handle, or CWD
	Flags      uint32 // generic O_*
	Mode       uint32
	MaxData    uint32 // send the content of a regular file up to this size
	MaxEntries uint32 // list a directory with up to so many entries
	Want       Want
	Path       string // "" to open the file of the handle Dir anew
}

// A Want is how an OpenX differs from an open.
type Want uint32

// WantClosed leaves nothing open: only what the answer says is wanted.
const WantClosed Want = 1

// CWD is the handle that stands for the server's own working directory: AT_FDCWD.
const CWD = ^uint32(99)

// Encode makes the payload.
func (o *OpenX) Encode() []byte {
	b := binary.LittleEndian.AppendUint32(nil, o.Dir)
	b = binary.LittleEndian.AppendUint32(b, o.Flags)
	b = binary.LittleEndian.AppendUint32(b, o.Mode)
	b = binary.LittleEndian.AppendUint32(b, o.MaxData)
	b = binary.LittleEndian.AppendUint32(b, o.MaxEntries)
	b = binary.LittleEndian.AppendUint32(b, uint32(o.Want))
	return appendText(b, o.Path)
}

// Decode reads the payload.
func (o *OpenX) Decode(b []byte) error {
	c := cursor{b: b}
	*o = OpenX{c.u32(), c.u32(), c.u32(), c.u32(), c.u32(), Want(c.u32()), c.text()}
	return c.end(OpOpenX)
}

// An Opened is the answer to an OpenX. If Ret is not negative, Statx are the file's attributes, and Ret is its handle unless it is Closed.
type Opened struct {
	Ret     int64
	Closed  bool // nothing stays open, as was wanted
	Whole   bool // Data is all of the file
	Listed  bool // Entries are all of a directory
	Leased  bool // changes of what the answer says are told by an INVALIDATE
	Bare    bool // it has no extended attributes, which programs that list files ask for
	Statx   []byte
	Path    string // absolute, without links, "" if that is not known
	Data    []byte
	Entries []Entry
}

// The bits of an Opened and of a Directory.
const (
	bitWhole  byte = 1 << iota // content follows
	bitListed                  // entries follow
	bitClosed
	bitLeased
	bitDescribed // entries have their attributes
	bitBare      // there are no extended attributes
)

func setBits(of ...bool) (b byte) {
	for i, set := range of {
		if set {
			b |= 1 << i
		}
	}
	return b
}

// Encode makes the payload.
func (o *Opened) Encode() []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(o.Ret))
	if o.Ret < 0 {
		return b
	}
	b = append(append(b, setBits(o.Whole, o.Listed, o.Closed, o.Leased, false, o.Bare)), o.Statx...)
	b = append(appendText(b, o.Path), o.Data...)
	return appendEntries(b, o.Entries)
}

// Decode reads the payload of the answer to a request.
func (o *Opened) Decode(b []byte, asked *OpenX) error {
	c := cursor{b: b}
	*o = Opened{Ret: int64(c.u64())}
	if o.Ret < 0 {
		return c.end(OpOpened)
	}
	set := c.u8()
	o.Whole, o.Listed, o.Closed, o.Leased = set&bitWhole != 0, set&bitListed != 0, set&bitClosed != 0, set&bitLeased != 0
	o.Bare = set&bitBare != 0
	o.Statx = c.take(StatxSize)
	o.Path = c.text()
	switch {
	case o.Closed && o.Ret != 0, o.Whole && o.Listed:
		return corrupt("OPENED with bits %#x and result %d", set, o.Ret)
	case asked.Want&WantClosed != 0 && !o.Closed:
		return corrupt("OPENED with a handle that was not asked for")
	case o.Whole && !c.bad:
		if o.Data = c.take(len(c.b)); len(o.Data) > int(asked.MaxData) {
			return corrupt("OPENED with %d bytes, at most %d were asked for", len(o.Data), asked.MaxData)
		}
	case o.Listed:
		if err := c.entries(&o.Entries, MaxEntries, OpOpened); err != nil {
			return err
		}
		if len(o.Entries) > int(asked.MaxEntries) {
			return corrupt("OPENED with %d entries, at most %d were asked for", len(o.Entries), asked.MaxEntries)
		}
	}
	return c.end(OpOpened)
}

// A ListX asks for a directory: of a handle that was opened for reading, or by name if Path is not "".
type ListX struct {
	Dir       uint32 // handle, or CWD
	Max       uint32 // entries; a larger directory gives EMSGSIZE
	Described uint32 // up to so many entries have their attributes
	Budget    uint32 // directories below are listed too, those near the top first, as long as there are no more entries than this together
	Path      string
}

// Encode makes the payload.
func (l *ListX) Encode() []byte {
	b := binary.LittleEndian.AppendUint32(nil, l.Dir)
	b = binary.LittleEndian.AppendUint32(b, l.Max)
	b = binary.LittleEndian.AppendUint32(b, l.Described)
	b = binary.LittleEndian.AppendUint32(b, l.Budget)
	return appendText(b, l.Path)
}

// Decode reads the payload.
func (l *ListX) Decode(b []byte) error {
	c := cursor{b: b}
	*l = ListX{c.u32(), c.u32(), c.u32(), c.u32(), c.text()}
	return c.end(OpListX)
}

// MaxEntries is the largest number of entries of a Listed or an Opened.
const MaxEntries = 12000

// A Listed is the answer to a ListX: the directory that was asked for, and some of those below it.
type Listed struct {
	Ret  int64 // 0 or a negated error number
	Dirs []Directory
}

// A Directory has all entries, in the directory's own order.
type Directory struct {
	Path      string // absolute, without links, "" if that is not known
	Leased    bool   // changes are told by an INVALIDATE
	Described bool   // entries have their attributes, unless they were gone already
	Entries   []Entry
}

// An Entry is a name in a directory. Statx is nil if it was gone when its attributes were looked at. NoXattrs tells that
// it has no extended attributes, which programs that list files ask for.
type Entry struct {
	Ino      uint64 // as the directory has it: that of a mount point is the one below
	Off      int64  // d_off (getdents64(2))
	Type     uint8  // DT_*
	NoXattrs bool
	Name     string
	Target   string // of a symbolic link
	Statx    []byte // lstat's
}

// Encode makes the payload.
func (l *Listed) Encode() []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(l.Ret))
	for i := range l.Dirs {
		b = l.Dirs[i].Append(b)
	}
	return b
}

// Append appends a directory as it stands in a payload.
func (d *Directory) Append(b []byte) []byte {
	b = appendText(b, d.Path)
	b = append(b, setBits(false, false, false, d.Leased, d.Described))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(d.Entries)))
	return appendEntries(b, d.Entries)
}

func appendEntries(b []byte, entries []Entry) []byte {
	for i := range entries {
		e := &entries[i]
		b = binary.LittleEndian.AppendUint64(b, e.Ino)
		b = binary.LittleEndian.AppendUint64(b, uint64(e.Off))
		b = append(b, e.Type, setBits(e.NoXattrs, e.Statx != nil))
		b = appendText(b, e.Name)
		b = appendText(b, e.Target)
		b = append(b, e.Statx...)
	}
	return b
}

// Decode reads the payload of the answer to a request.
func (l *Listed) Decode(b []byte, asked *ListX) error {
	c := cursor{b: b}
	*l = Listed{Ret: int64(c.u64())}
	left := MaxEntries
	for !c.bad && len(c.b) > 0 {
		d := Directory{Path: c.text()}
		set := c.u8()
		d.Leased, d.Described = set&bitLeased != 0, set&bitDescribed != 0
		n := c.u32()
		if n > uint32(left) {
			return corrupt("LISTED with more than %d entries", MaxEntries)
		}
		left -= int(n)
		if err := c.entries(&d.Entries, int(n), OpListed); err != nil {
			return err
		}
		l.Dirs = append(l.Dirs, d)
	}
	if l.Ret == 0 && len(l.Dirs) == 0 || l.Ret < 0 && len(l.Dirs) > 0 {
		return corrupt("LISTED with result %d and %d directories", l.Ret, len(l.Dirs))
	}
	if len(l.Dirs) > 0 && len(l.Dirs[0].Entries) > int(asked.Max) {
		return corrupt("LISTED with %d entries, at most %d were asked for", len(l.Dirs[0].Entries), asked.Max)
	}
	return c.end(OpListed)
}

// entries takes entries, at most n, or as many as there are until the end.
func (c *cursor) entries(to *[]Entry, n int, op Op) error {
	for !c.bad && len(c.b) > 0 && n > 0 {
		n--
		e := Entry{Ino: c.u64(), Off: int64(c.u64()), Type: c.u8()}
		set := c.u8()
		e.NoXattrs = set&1 != 0
		e.Name, e.Target = c.text(), c.text()
		if set&2 != 0 {
			e.Statx = c.take(StatxSize)
		}
		if !c.bad && (e.Name == "" || len(e.Name) > 255) {
			return corrupt("%v with a name of %d bytes", op, len(e.Name))
		}
		*to = append(*to, e)
	}
	if op == OpListed && n > 0 {
		c.bad = true
	}
	return nil
}
