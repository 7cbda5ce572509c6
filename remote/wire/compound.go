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
	Path       string // "" to open the file of the handle Dir anew
}

// CWD is the handle that stands for the server's own working directory: AT_FDCWD.
const CWD = ^uint32(99)

// Encode makes the payload.
func (o *OpenX) Encode() []byte {
	b := binary.LittleEndian.AppendUint32(nil, o.Dir)
	b = binary.LittleEndian.AppendUint32(b, o.Flags)
	b = binary.LittleEndian.AppendUint32(b, o.Mode)
	b = binary.LittleEndian.AppendUint32(b, o.MaxData)
	b = binary.LittleEndian.AppendUint32(b, o.MaxEntries)
	return appendText(b, o.Path)
}

// Decode reads the payload.
func (o *OpenX) Decode(b []byte) error {
	c := cursor{b: b}
	*o = OpenX{c.u32(), c.u32(), c.u32(), c.u32(), c.u32(), c.text()}
	return c.end(OpOpenX)
}

// An Opened is the answer to an OpenX. If Ret is not negative, Statx are the file's attributes. Whole tells that Data is all
// of the file. Ret is its handle. Listed tells that Entries are all of a directory.
type Opened struct {
	Ret     int64
	Whole   bool
	Listed  bool
	Statx   []byte
	Path    string // of a directory: its absolute path without links, "" if that is not known
	Data    []byte
	Entries []Entry
}

// Encode makes the payload.
func (o *Opened) Encode() []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(o.Ret))
	if o.Ret < 0 {
		return b
	}
	follows := byte(0)
	switch {
	case o.Whole:
		follows = 1
	case o.Listed:
		follows = 2
	}
	b = append(append(b, follows), o.Statx...)
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
	follows := c.u8()
	o.Whole, o.Listed = follows == 1, follows == 2
	o.Statx = c.take(StatxSize)
	o.Path = c.text()
	switch {
	case o.Whole && !c.bad:
		if o.Data = c.take(len(c.b)); len(o.Data) > int(asked.MaxData) {
			return corrupt("OPENED with %d bytes, at most %d were asked for", len(o.Data), asked.MaxData)
		}
	case o.Listed:
		if err := c.entries(&o.Entries, OpOpened); err != nil {
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
	Dir  uint32 // handle, or CWD
	Max  uint32 // entries; a larger directory gives EMSGSIZE
	Path string
}

// Encode makes the payload.
func (l *ListX) Encode() []byte {
	b := binary.LittleEndian.AppendUint32(nil, l.Dir)
	b = binary.LittleEndian.AppendUint32(b, l.Max)
	return appendText(b, l.Path)
}

// Decode reads the payload.
func (l *ListX) Decode(b []byte) error {
	c := cursor{b: b}
	*l = ListX{c.u32(), c.u32(), c.text()}
	return c.end(OpListX)
}

// MaxEntries is the largest number of entries of a Listed.
const MaxEntries = 12000

// A Listed is the answer to a ListX: all entries in the directory's own order.
type Listed struct {
	Ret     int64 // 0 or a negated error number
	Entries []Entry
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
	return appendEntries(binary.LittleEndian.AppendUint64(nil, uint64(l.Ret)), l.Entries)
}

func appendEntries(b []byte, entries []Entry) []byte {
	for i := range entries {
		e := &entries[i]
		b = binary.LittleEndian.AppendUint64(b, e.Ino)
		b = binary.LittleEndian.AppendUint64(b, uint64(e.Off))
		bits := byte(0)
		if e.NoXattrs {
			bits |= 1
		}
		if e.Statx != nil {
			bits |= 2
		}
		b = append(b, e.Type, bits)
		b = appendText(b, e.Name)
		b = appendText(b, e.Target)
		b = append(b, e.Statx...)
	}
	return b
}

// Decode reads the payload.
func (l *Listed) Decode(b []byte) error {
	c := cursor{b: b}
	*l = Listed{Ret: int64(c.u64())}
	if err := c.entries(&l.Entries, OpListed); err != nil {
		return err
	}
	return c.end(OpListed)
}

// entries takes all that is left as entries.
func (c *cursor) entries(to *[]Entry, op Op) error {
	for !c.bad && len(c.b) > 0 {
		if len(*to) == MaxEntries {
			return corrupt("%v with more than %d entries", op, MaxEntries)
		}
		e := Entry{Ino: c.u64(), Off: int64(c.u64()), Type: c.u8()}
		bits := c.u8()
		e.NoXattrs = bits&1 != 0
		e.Name, e.Target = c.text(), c.text()
		if bits&2 != 0 {
			e.Statx = c.take(StatxSize)
		}
		if !c.bad && (e.Name == "" || len(e.Name) > 255) {
			return corrupt("%v with a name of %d bytes", op, len(e.Name))
		}
		*to = append(*to, e)
	}
	return nil
}
