package event

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"farcall/decode"
	"farcall/syscalls"
)

// ConstStyle is how named numbers are shown (-X).
type ConstStyle uint8

// The styles.
const (
	Abbrev  ConstStyle = iota // the name
	Raw                       // the number
	Verbose                   // the number, the name behind it as a comment
)

// HexStyle is which strings are shown in hexadecimal (-x, -xx).
type HexStyle uint8

// The styles.
const (
	HexNone          HexStyle = iota
	HexNonASCII               // strings with a byte that is not printable ASCII
	HexAll                    // all strings
	HexNonASCIIChars          // only those bytes that are not printable ASCII
)

// A Style is how values are written.
type Style struct {
	Consts   ConstStyle
	Hex      HexStyle
	Verbose  bool // whole structures
	ArgNames bool // name=value for every argument
}

func appendHex(b []byte, n uint64) []byte {
	if n == 0 {
		return append(b, '0')
	}
	return strconv.AppendUint(append(b, '0', 'x'), n, 16)
}

// appendAddr writes an address, NULL for 0.
func appendAddr(b []byte, n uint64) []byte {
	if n == 0 {
		return append(b, "NULL"...)
	}
	return appendHex(b, n)
}

// appendValue writes v without its name.
func (s *Style) appendValue(b []byte, v *decode.Value, abi syscalls.ABI) []byte {
	b = s.appendBare(b, v, abi)
	if len(v.Note) > 0 {
		b = append(b, " /* "...)
		b = append(b, v.Note...)
		b = append(b, " */"...)
	}
	return b
}

func (s *Style) appendBare(b []byte, v *decode.Value, abi syscalls.ABI) []byte {
	switch v.State {
	case decode.Null:
		return append(b, "NULL"...)
	case decode.Address:
		return appendAddr(b, v.Addr)
	}
	t := v.Type
	if t.Dir == 0 {
		if p := v.Pre; p != nil && p.State == decode.Known && p.Num != v.Num {
			b = s.appendContents(b, p, abi)
			b = append(b, " => "...)
		}
		return s.appendContents(b, v, abi)
	}
	switch t.Kind {
	case syscalls.KindString, syscalls.KindPath, syscalls.KindBytes, syscalls.KindChars, syscalls.KindArray, syscalls.KindStruct,
		syscalls.KindStrings, syscalls.KindFDSet, syscalls.KindSigset, syscalls.KindBitset, syscalls.KindList, syscalls.KindRecords, syscalls.KindBits:
		return s.appendContents(b, v, abi)
	case syscalls.KindEnv:
		if s.Verbose {
			return s.appendContents(b, v, abi)
		}
		b = appendAddr(b, v.Addr)
		b = append(b, " /* "...)
		b = strconv.AppendInt(b, int64(v.Size), 10)
		if v.Size == 1 {
			return append(b, " var */"...)
		}
		return append(b, " vars */"...)
	}
	if p := v.Pre; p != nil && p.State == decode.Known && v.Attr&syscalls.AttrApart != 0 {
		b = s.appendContents(append(b, '['), p, abi)
		return append(s.appendContents(append(b, "] => ["...), v, abi), ']')
	}
	b = append(b, '[')
	if p := v.Pre; p != nil && p.State == decode.Known && p.Num != v.Num {
		b = s.appendContents(b, p, abi)
		b = append(b, " => "...)
	}
	b = s.appendContents(b, v, abi)
	return append(b, ']')
}

// appendContents writes what stands behind a pointer, or in a register.
func (s *Style) appendContents(b []byte, v *decode.Value, abi syscalls.ABI) []byte {
	t := v.Type
	if len(v.Sym) > 0 {
		return s.appendSym(b, v, abi)
	}
	switch t.Kind {
	case syscalls.KindInt:
		return strconv.AppendInt(b, intOf(v, abi), 10)
	case syscalls.KindUint, syscalls.KindNsec:
		return strconv.AppendUint(b, v.Num, 10)
	case syscalls.KindTime:
		return s.appendTime(b, v, abi)
	case syscalls.KindDate:
		return appendDate(strconv.AppendInt(b, intOf(v, abi), 10), intOf(v, abi), int64(v.Size), 1)
	case syscalls.KindHex:
		return appendHex(b, v.Num)
	case syscalls.KindOct:
		return appendOct(b, v.Num)
	case syscalls.KindPerm:
		return appendPerm(b, v.Num)
	case syscalls.KindPtr:
		return appendAddr(b, v.Num)
	case syscalls.KindFD, syscalls.KindPID:
		b = strconv.AppendInt(b, intOf(v, abi), 10)
		return appendFound(b, v.Bytes)
	case syscalls.KindDirFD:
		if int32(v.Num) == -100 { // AT_FDCWD, linux/fcntl.h
			b = s.appendNamed(b, "AT_FDCWD", v.Num&0xffffffff, true, abi)
		} else {
			b = strconv.AppendInt(b, intOf(v, abi), 10)
		}
		return appendFound(b, v.Bytes)
	case syscalls.KindUID:
		if n := v.Num; truncated(n, t, abi) == truncated(^uint64(0), t, abi) {
			return append(b, "-1"...)
		}
		return strconv.AppendUint(b, v.Num, 10)
	case syscalls.KindSignal:
		return s.appendSignal(b, int(int32(v.Num)))
	case syscalls.KindMode:
		return s.appendMode(b, v.Num)
	case syscalls.KindDev:
		return s.appendDev(b, v.Num)
	case syscalls.KindRlim:
		return s.appendRlim(b, v.Num, t.Extent(abi.Layout()))
	case syscalls.KindPort:
		return s.appendNet(b, v, abi)
	case syscalls.KindHex8:
		n := len(b)
		b = appendHex(b, v.Num)
		if v.Num == 0 {
			return append(b, "0000000"...)
		}
		for len(b) < n+8 {
			b = append(b, 0)
			copy(b[n+3:], b[n+2:])
			b[n+2] = '0'
		}
		return b
	case syscalls.KindIfindex:
		if len(v.Bytes) == 0 || s.Consts == Raw {
			return strconv.AppendInt(b, int64(int32(v.Num)), 10)
		}
		if s.Consts == Verbose {
			b = append(strconv.AppendInt(b, int64(int32(v.Num)), 10), " /* "...)
		}
		b = append(s.AppendQuoted(append(b, "if_nametoindex("...), v.Bytes), ')')
		if s.Consts == Verbose {
			b = append(b, " */"...)
		}
		return b
	case syscalls.KindMAC:
		return s.appendNetBytes(b, v, v.Bytes)
	case syscalls.KindErrnum:
		if name := syscalls.ErrnoName(int(v.Num)); name != "" {
			return s.appendNamed(b, name, v.Num, true, abi)
		}
		return strconv.AppendInt(b, intOf(v, abi), 10)
	case syscalls.KindBits:
		return s.appendBits(b, t.Set, v.Num, 8*t.Extent(abi.Layout()), abi)
	case syscalls.KindSunPath:
		if len(v.Bytes) > 0 && v.Bytes[0] == 0 { // abstract
			return s.AppendQuoted(append(b, '@'), v.Bytes[1:])
		}
		return s.AppendQuoted(b, v.Bytes)
	case syscalls.KindIPv4, syscalls.KindIPv6:
		return s.appendNetBytes(b, v, v.Bytes)
	case syscalls.KindFlags:
		if len(v.Sub) > 0 {
			return s.appendParts(b, v, abi)
		}
		return s.AppendFlags(b, t.Set, v.Num, abi)
	case syscalls.KindEnum, syscalls.KindConst:
		if t.Format == syscalls.FormatIoctl && t.Set.Lookup(abi, v.Num) == "" {
			return s.appendIoctl(b, v.Num)
		}
		return s.AppendEnum(b, t.Set, v.Num, abi)
	case syscalls.KindString, syscalls.KindPath, syscalls.KindBytes, syscalls.KindChars:
		if t.Kind == syscalls.KindBytes && t.Width == syscalls.HexBytes {
			hex := *s
			hex.Hex = HexAll
			b = hex.AppendQuoted(b, v.Bytes)
		} else {
			b = s.AppendQuoted(b, v.Bytes)
		}
		if v.More {
			b = append(b, "..."...)
		}
		return b
	case syscalls.KindSigset:
		return s.appendSigset(b, v.Bytes)
	case syscalls.KindHex0:
		return appendHex0(b, v.Num, t.Extent(abi.Layout()))
	case syscalls.KindStatus:
		return s.appendStatus(b, uint32(v.Num))
	case syscalls.KindErrno:
		return s.appendErrno(b, int(int32(v.Num)))
	case syscalls.KindTicks:
		return s.appendTicks(b, intOf(v, abi))
	case syscalls.KindBitset:
		return appendBitset(b, v.Bytes)
	case syscalls.KindArray, syscalls.KindStrings, syscalls.KindEnv, syscalls.KindList, syscalls.KindRecords:
		return s.appendArray(b, v, abi)
	case syscalls.KindFDSet:
		return s.appendFDSet(b, v, abi)
	case syscalls.KindStruct:
		return s.appendStruct(b, v, abi)
	}
	return appendHex(b, v.Num)
}

func intOf(v *decode.Value, abi syscalls.ABI) int64 {
	switch v.Type.Extent(abi.Layout()) {
	case 1:
		return int64(int8(v.Num))
	case 2:
		return int64(int16(v.Num))
	case 4:
		return int64(int32(v.Num))
	}
	return int64(v.Num)
}

func truncated(n uint64, t *syscalls.Type, abi syscalls.ABI) uint64 {
	switch t.Extent(abi.Layout()) {
	case 1:
		return n & 0xff
	case 2:
		return n & 0xffff
	case 4:
		return n & 0xffffffff
	}
	return n
}

func appendFound(b, found []byte) []byte {
	if len(found) == 0 {
		return b
	}
	b = append(b, '<')
	b = append(b, found...)
	if bytes.HasSuffix(found, []byte(">(deleted)")) { // the bracket is closed already: one of the path would be escaped
		return b
	}
	return append(b, '>')
}

func appendOct(b []byte, n uint64) []byte {
	if n == 0 {
		return append(b, '0')
	}
	return strconv.AppendUint(append(b, '0'), n, 8)
}

// appendPerm writes permission bits with at least three octal digits, as in %#03o.
func appendPerm(b []byte, n uint64) []byte {
	switch {
	case n == 0:
		return append(b, "000"...)
	case n < 8:
		b = append(b, "00"...)
	default:
		b = append(b, '0')
	}
	return strconv.AppendUint(b, n, 8)
}

func (s *Style) appendSignal(b []byte, n int) []byte {
	if name := syscalls.SignalName(n); name != "" {
		return s.appendNamed(b, name, uint64(n), true, syscalls.AMD64)
	}
	return strconv.AppendInt(b, int64(n), 10)
}

// appendNamed writes a number that has a name in the style asked for.
func (s *Style) appendNamed(b []byte, name string, n uint64, signed bool, _ syscalls.ABI) []byte {
	switch s.Consts {
	case Raw, Verbose:
		if signed {
			b = strconv.AppendInt(b, int64(int32(n)), 10)
		} else {
			b = appendHex(b, n)
		}
		if s.Consts == Raw {
			return b
		}
		b = append(b, " /* "...)
		b = append(b, name...)
		return append(b, " */"...)
	}
	return append(b, name...)
}

// AppendFlags writes the bits of n by their names in the set.
func (s *Style) AppendFlags(b []byte, set *syscalls.Set, n uint64, abi syscalls.ABI) []byte {
	if len(set.Unknown) > 0 && set.Unknown[0] == '+' {
		return s.appendFields(b, set, n, abi)
	}
	if len(set.Unknown) > 0 && set.Unknown[0] == '|' && s.Consts != Abbrev {
		return s.appendMixed(b, set, n, abi)
	}
	if perm := set.PermMask(); perm != 0 && (s.Consts != Abbrev && n&^perm != 0) {
		plain := *set
		plain.Vals = plain.Vals[:len(plain.Vals)-1]
		if plain.ARM64 != nil {
			plain.ARM64 = plain.ARM64[:len(plain.ARM64)-1]
		}
		return syscalls.AppendPerm(append(s.appendApart(b, &plain, n&^perm, abi), '|'), n&perm)
	} else if perm != 0 && n&^perm == 0 {
		return syscalls.AppendPerm(b, n)
	}
	if s.Consts == Raw {
		return appendHex(b, n)
	}
	start := len(b)
	if s.Consts == Verbose {
		if n != 0 {
			b = append(appendHex(b, n), " /* "...)
		} else {
			b = append(b, "0 /* "...)
		}
	}
	out, known := set.AppendFlags(b, abi, n, '|')
	if known && len(set.Unknown) > 0 && set.Unknown[0] == '|' && set.Rest(abi, n) != 0 {
		out = append(append(append(out, " /* "...), set.Unknown[1:]...), " */"...)
	}
	if known {
		if s.Consts == Verbose {
			out = append(out, " */"...)
		}
		return out
	}
	b = appendHex(b[:start], n)
	if n != 0 && set.Unknown != "" {
		b = append(b, " /* "...)
		b = append(b, strings.TrimPrefix(set.Unknown, "|")...)
		b = append(b, " */"...)
	}
	return b
}

// appendApart writes flags, and the number in some of their bits beside them.
func (s *Style) appendApart(b []byte, set *syscalls.Set, n uint64, abi syscalls.ABI) []byte {
	f := set.Shifted(abi)
	if f == nil || n&f.Mask == 0 {
		return s.AppendFlags(b, set, n, abi)
	}
	if n&^f.Mask != 0 {
		b = append(s.AppendFlags(b, set, n&^f.Mask, abi), '|')
	}
	b = append(strconv.AppendUint(b, n&f.Mask>>f.Value, 10), "<<"...)
	b = strconv.AppendUint(b, f.Value, 10)
	if s.Consts == Verbose {
		b = append(append(append(b, " /* "...), f.Name...), " */"...)
	}
	return b
}

// appendMixed writes a value of several bits and the flags beside it each in its own right.
func (s *Style) appendMixed(b []byte, set *syscalls.Set, n uint64, abi syscalls.ABI) []byte {
	mask := set.For(abi)[0].Mask
	for i, part := range [...]uint64{n & mask, n &^ mask} {
		if i > 0 && part == 0 {
			break
		}
		if i > 0 {
			b = append(b, '|')
		}
		b = appendHex(b, part)
		if s.Consts == Raw {
			continue
		}
		b = append(b, " /* "...)
		out, known := set.AppendFlags(b, abi, part, '|')
		if !known {
			out = append(b, set.Unknown[1:]...)
		}
		b = append(out, " */"...)
	}
	return b
}

// AppendEnum writes n by its name in the set.
func (s *Style) AppendEnum(b []byte, set *syscalls.Set, n uint64, abi syscalls.ABI) []byte {
	name := set.Lookup(abi, n)
	if name != "" {
		return s.appendNamed(b, name, n, false, abi)
	}
	b = appendHex(b, n)
	if set.Unknown != "" && s.Consts != Raw {
		b = append(b, " /* "...)
		b = append(b, set.Unknown...)
		b = append(b, " */"...)
	}
	return b
}

func (s *Style) appendArray(b []byte, v *decode.Value, abi syscalls.ABI) []byte {
	if t := v.Type.Elem; v.Type.Kind == syscalls.KindList && len(v.Sub) == 1 && !v.More && t.Struct.Tuple {
		return s.appendValue(b, &v.Sub[0], abi)
	}
	if v.Type.Format == syscalls.FormatCC {
		return s.appendControls(b, v)
	}
	b = append(b, '[')
	for i := range v.Sub {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = s.appendValue(b, &v.Sub[i], abi)
	}
	if v.More {
		if len(v.Sub) > 0 {
			b = append(b, ", "...)
		}
		b = append(b, "..."...)
	}
	return append(b, ']')
}

func (s *Style) appendStruct(b []byte, v *decode.Value, abi syscalls.ABI) []byte {
	special := utimeName(v)
	if special != "" && s.Consts == Abbrev {
		return append(b, special...)
	}
	if v.Type.Struct.Tuple {
		return s.appendTuple(b, v.Sub, abi)
	}
	b = append(b, '{')
	b, _, abbreviated := s.appendMembers(b, v.Sub, abi, false)
	if len(v.Bytes) > 0 && !zero(v.Bytes) { // what a newer kernel's structure has beyond the known one
		b = append(b, ", /* bytes "...)
		b = strconv.AppendInt(b, int64(v.Size-len(v.Bytes)), 10)
		b = append(b, ".."...)
		b = strconv.AppendInt(b, int64(v.Size-1), 10)
		b = append(b, " */ "...)
		hex := *s
		hex.Hex = HexAll
		b = hex.AppendQuoted(b, v.Bytes)
	}
	if abbreviated {
		b = append(b, ", ..."...)
	}
	b = append(b, '}')
	if special != "" && s.Consts == Verbose {
		b = append(append(append(b, " /* "...), special...), " */"...)
	} else if v.Type.Struct.Dated && len(v.Sub) > 1 {
		scale := int64(1)
		if v.Sub[1].Name == "tv_usec" {
			scale = 1000
		}
		b = appendDate(b, intOf(&v.Sub[0], abi), int64(v.Sub[1].Num), scale)
	}
	return b
}

func zero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// appendMembers writes the members of a structure; some tells whether any was written before.
func (s *Style) appendMembers(b []byte, vs []decode.Value, abi syscalls.ABI, some bool) (_ []byte, wrote, abbreviated bool) {
	for i := range vs {
		m := &vs[i]
		switch {
		case m.State == decode.Absent || m.Attr&syscalls.AttrHidden != 0:
			continue
		case m.Attr&syscalls.AttrVerbose != 0 && !s.Verbose:
			abbreviated = true
			continue
		case m.Attr&syscalls.AttrFlat != 0 && m.Type.Kind == syscalls.KindStruct && m.State == decode.Known:
			var a bool
			b, some, a = s.appendMembers(b, m.Sub, abi, some)
			abbreviated = abbreviated || a
			continue
		}
		if some {
			b = append(b, ", "...)
		}
		some = true
		if m.Type.Kind == syscalls.KindIPv6 && m.Attr&syscalls.AttrPlain == 0 && s.Consts == Abbrev { // the name is inside
			b = appendIPv6(b, m.Bytes)
			b = append(append(b[:len(b)-1], ", &"...), m.Name...)
			b = append(b, ')')
			continue
		}
		if m.Attr&syscalls.AttrPlain == 0 {
			b = append(b, m.Name...)
			b = append(b, '=')
		}
		b = s.appendValue(b, m, abi)
	}
	return b, some, abbreviated
}

// appendTuple writes members without their names: one alone as it is, several in brackets.
func (s *Style) appendTuple(b []byte, vs []decode.Value, abi syscalls.ABI) []byte {
	start := len(b)
	b, n := s.appendTupleMembers(append(b, '['), vs, abi, 0)
	if n > 1 {
		return append(b, ']')
	}
	return append(b[:start], b[start+1:]...)
}

// appendTupleMembers writes the members of a tuple behind n others.
func (s *Style) appendTupleMembers(b []byte, vs []decode.Value, abi syscalls.ABI, n int) ([]byte, int) {
	for i := range vs {
		m := &vs[i]
		switch {
		case m.State == decode.Absent || m.Attr&syscalls.AttrHidden != 0:
			continue
		case m.Type.Kind == syscalls.KindList && len(m.Sub) == 0 && !m.More:
			continue
		case m.Attr&syscalls.AttrFlat != 0 && m.Type.Kind == syscalls.KindStruct && m.Type.Struct.Fields[0].Type.Kind == syscalls.KindStruct:
			b, n = s.appendTupleMembers(b, m.Sub, abi, n)
			continue
		}
		if n > 0 {
			b = append(b, ", "...)
		}
		n++
		b = s.appendValue(b, m, abi)
	}
	return b, n
}

// appendBits writes the numbers of the bits that are set, or of those that are not if there are fewer.
func (s *Style) appendBits(b []byte, set *syscalls.Set, n uint64, width int, abi syscalls.ABI) []byte {
	if bits.OnesCount64(n) >= width*2/3 {
		b = append(b, '~')
		n = ^n
	}
	b = append(b, '[')
	first := true
	for i := range width {
		if n>>i&1 == 0 {
			continue
		}
		if !first {
			b = append(b, ' ')
		}
		first = false
		b = s.AppendEnum(b, set, uint64(i), abi)
	}
	return append(b, ']')
}

// appendNet writes a number in network byte order.
func (s *Style) appendNet(b []byte, v *decode.Value, abi syscalls.ABI) []byte {
	if set := v.Type.Set; set != nil && v.Type.Width == 1 { // an argument: its number stands in a register
		b = s.AppendEnum(append(b, "htons("...), set, uint64(bits.ReverseBytes16(uint16(v.Num))), abi)
		return append(b, ')')
	}
	var raw [4]byte
	binary.LittleEndian.PutUint32(raw[:], uint32(v.Num))
	return s.appendNetBytes(b, v, raw[:max(2, v.Type.Width)])
}

// appendNetBytes writes what stands in network byte order: in C, as bytes, or both.
func (s *Style) appendNetBytes(b []byte, v *decode.Value, raw []byte) []byte {
	if s.Consts != Abbrev {
		hex := Style{Hex: HexAll}
		b = hex.AppendQuoted(b, raw)
		if s.Consts == Raw {
			return b
		}
		b = append(b, " /* "...)
	}
	switch {
	case v.Type.Kind == syscalls.KindIPv4:
		b = appendIPv4(append(b, "inet_addr(\""...), raw, "\")")
	case v.Type.Kind == syscalls.KindIPv6:
		b = appendIPv6(b, raw)
	case v.Type.Kind == syscalls.KindMAC:
		for i, x := range raw {
			if i > 0 {
				b = append(b, ':')
			}
			const digits = "0123456789abcdef"
			b = append(b, digits[x>>4], digits[x&15])
		}
	case len(raw) == 4:
		b = strconv.AppendUint(append(b, "htonl("...), uint64(binary.BigEndian.Uint32(raw)), 10)
		b = append(b, ')')
	case v.Type.Set != nil:
		plain := Style{}
		b = plain.AppendEnum(append(b, "htons("...), v.Type.Set, uint64(binary.BigEndian.Uint16(raw)), syscalls.AMD64)
		b = append(b, ')')
	default:
		b = strconv.AppendUint(append(b, "htons("...), uint64(binary.BigEndian.Uint16(raw)), 10)
		b = append(b, ')')
	}
	if s.Consts == Verbose {
		b = append(b, " */"...)
	}
	return b
}

func (s *Style) appendMode(b []byte, n uint64) []byte {
	types := [...]string{1: "S_IFIFO", 2: "S_IFCHR", 4: "S_IFDIR", 6: "S_IFBLK", 8: "S_IFREG", 10: "S_IFLNK", 12: "S_IFSOCK"}
	typ := ""
	if i := n >> 12 & 15; int(i) < len(types) {
		typ = types[i]
	}
	if n>>16 != 0 {
		typ = ""
	}
	if n>>12 == 0 && s.Consts == Verbose {
		return append(appendPerm(append(appendPerm(b, n), " /* "...), n), " */"...)
	}
	if typ == "" || s.Consts == Raw {
		return appendPerm(b, n)
	}
	if s.Consts == Verbose {
		b = append(appendPerm(b, n), " /* "...)
	}
	b = append(b, typ...)
	for _, bit := range [...]struct {
		mask uint64
		name string
	}{{0o4000, "|S_ISUID"}, {0o2000, "|S_ISGID"}, {0o1000, "|S_ISVTX"}} {
		if n&bit.mask != 0 {
			b = append(b, bit.name...)
		}
	}
	b = appendPerm(append(b, '|'), n&0o777)
	if s.Consts == Verbose {
		b = append(b, " */"...)
	}
	return b
}

// appendDev writes a device number in the kernel's 64-bit encoding, as makedev(3).
func (s *Style) appendDev(b []byte, n uint64) []byte {
	if s.Consts == Raw {
		return appendHex(b, n)
	}
	if s.Consts == Verbose {
		b = append(appendHex(b, n), " /* "...)
	}
	major := n>>8&0xfff | n>>32&0xfffff000
	minor := n&0xff | n>>12&0xffffff00
	b = appendHex(append(b, "makedev("...), major)
	b = appendHex(append(b, ", "...), minor)
	b = append(b, ')')
	if s.Consts == Verbose {
		b = append(b, " */"...)
	}
	return b
}

func (s *Style) appendTime(b []byte, v *decode.Value, abi syscalls.ABI) []byte {
	n := intOf(v, abi)
	b = strconv.AppendInt(b, n, 10)
	return b
}

// utimeName is the name of the nanoseconds that stand for "now" and "leave it" in utimensat(2).
func utimeName(v *decode.Value) string {
	if v.Type.Format == syscalls.FormatUtime && len(v.Sub) == 2 {
		switch v.Sub[1].Num {
		case 1<<30 - 1:
			return "UTIME_NOW"
		case 1<<30 - 2:
			return "UTIME_OMIT"
		}
	}
	return ""
}

// appendDate writes a comment with a date, nothing for the Epoch itself. The fraction of a second
// is in units of scale nanoseconds.
func appendDate(b []byte, sec, frac, scale int64) []byte {
	if sec == 0 && frac == 0 || frac < 0 || frac > 999999999/scale {
		return b
	}
	return append(appendClock(append(b, " /* "...), sec, frac, scale), " */"...)
}

// AppendClock writes seconds since the Epoch as a date.
func AppendClock(b []byte, sec, nsec int64) []byte { return appendClock(b, sec, nsec, 1) }

func appendClock(b []byte, sec, frac, scale int64) []byte {
	t := time.Unix(sec, 0)
	b = t.AppendFormat(b, "2006-01-02T15:04:05")
	if frac != 0 {
		b = append(b, '.')
		for d := 100000000 / scale; d > 0; d /= 10 {
			b = append(b, byte('0'+frac/d%10))
		}
	}
	return t.AppendFormat(b, "-0700")
}

func appendIPv4(b, ip []byte, tail string) []byte {
	for i, x := range ip {
		if i > 0 {
			b = append(b, '.')
		}
		b = strconv.AppendUint(b, uint64(x), 10)
	}
	return append(b, tail...)
}
