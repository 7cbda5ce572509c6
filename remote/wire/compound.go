package wire

import "encoding/binary"

// StatxSize is the size of struct statx (linux/stat.h), in which attributes travel.
const StatxSize = 256

// An OpenX asks for a file to be opened, and for what a program is going to ask next.
type OpenX struct {
	Dir     uint32 // handle, or CWD
	Flags   uint32 // generic O_*
	Mode    uint32
	MaxData uint32 // send the content of a regular file up to this size, and close it
	Path    string
}

// CWD is the handle that stands for the server's own working directory: AT_FDCWD.
const CWD = ^uint32(99)

// Encode makes the payload.
func (o *OpenX) Encode() []byte {
	b := binary.LittleEndian.AppendUint32(nil, o.Dir)
	b = binary.LittleEndian.AppendUint32(b, o.Flags)
	b = binary.LittleEndian.AppendUint32(b, o.Mode)
	b = binary.LittleEndian.AppendUint32(b, o.MaxData)
	return appendText(b, o.Path)
}

// Decode reads the payload.
func (o *OpenX) Decode(b []byte) error {
	c := cursor{b: b}
	*o = OpenX{c.u32(), c.u32(), c.u32(), c.u32(), c.text()}
	return c.end(OpOpenX)
}

// An Opened is the answer to an OpenX. If Ret is not negative, Statx are the file's attributes. Whole tells that Data is all
// of the file, which has been closed again; otherwise Ret is its handle.
type Opened struct {
	Ret   int64
	Whole bool
	Statx []byte
	Path  string // of a directory: its absolute path without links, "" if that is not known
	Data  []byte
}

// Encode makes the payload.
func (o *Opened) Encode() []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(o.Ret))
	if o.Ret < 0 {
		return b
	}
	whole := byte(0)
	if o.Whole {
		whole = 1
	}
	b = append(append(b, whole), o.Statx...)
	return append(appendText(b, o.Path), o.Data...)
}

// Decode reads the payload, of an answer to a request for at most maxData bytes.
func (o *Opened) Decode(b []byte, maxData uint32) error {
	c := cursor{b: b}
	*o = Opened{Ret: int64(c.u64())}
	if o.Ret < 0 {
		return c.end(OpOpened)
	}
	o.Whole = c.u8() == 1
	o.Statx = c.take(StatxSize)
	o.Path = c.text()
	if o.Data = c.b; c.bad {
		return corrupt("OPENED is too short")
	}
	if len(o.Data) > int(maxData) || !o.Whole && len(o.Data) > 0 {
		return corrupt("OPENED with %d bytes, which were not asked for", len(o.Data))
	}
	return nil
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
const MaxEntries = 4096

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
	b := binary.LittleEndian.AppendUint64(nil, uint64(l.Ret))
	for i := range l.Entries {
		e := &l.Entries[i]
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
	for !c.bad && len(c.b) > 0 {
		if len(l.Entries) == MaxEntries {
			return corrupt("LISTED with more than %d entries", MaxEntries)
		}
		e := Entry{Ino: c.u64(), Off: int64(c.u64()), Type: c.u8()}
		bits := c.u8()
		e.NoXattrs = bits&1 != 0
		e.Name, e.Target = c.text(), c.text()
		if bits&2 != 0 {
			e.Statx = c.take(StatxSize)
		}
		if !c.bad && (e.Name == "" || len(e.Name) > 255) {
			return corrupt("LISTED with a name of %d bytes", len(e.Name))
		}
		l.Entries = append(l.Entries, e)
	}
	return c.end(OpListed)
}
