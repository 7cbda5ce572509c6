package symbols

import (
	"cmp"
	"debug/elf"
	"hash/maphash"
	"math"
	"slices"
	"sort"
	"strings"
)

// entry is a symbol in memory: names stay in the string tables they came in.
type entry struct {
	addr, size uint64
	name       uint32 // offset in blobs[blob]
	version    uint16 // index in versions; versionDefault marks the default one
	section    uint16
	blob       uint8
	typ        Type
	binding    Binding
	source     Source
}

// versionDefault is set in entry.version for name@@VERSION.
const versionDefault = 0x8000

// table holds symbols and finds them by address.
type table struct {
	blobs    []string
	versions []string // versions[0] is ""
	entries  []entry
	extra    strings.Builder // names made here; becomes the last of blobs

	// The index by address: disjoint intervals. starts[i] up to starts[i+1] belongs to
	// entries[owners[i]], or to none where that is negative. What is below starts[0] has none.
	starts []uint64
	owners []int32
}

// maxSymbols bounds the symbols of one file.
const maxSymbols = 1 << 25

// name is the symbol's name as its table has it.
func (t *table) name(e *entry) string {
	if int(e.blob) >= len(t.blobs) {
		return cString(t.extra.String(), uint64(e.name), maxName)
	}
	return cString(t.blobs[e.blob], uint64(e.name), maxName)
}

// addBlob keeps a string table; -1 when there are too many.
func (t *table) addBlob(s string) int {
	t.blobs = append(t.blobs, s)
	return len(t.blobs) - 1
}

// extraBlob is entry.blob for names in extra.
const extraBlob = math.MaxUint8

// addNamed adds a symbol whose name is in none of the file's tables.
func (t *table) addNamed(name string, e entry) {
	if t.extra.Len()+len(name) >= maxTable {
		return
	}
	e.blob, e.name = extraBlob, uint32(t.extra.Len())
	t.extra.WriteString(name)
	t.extra.WriteByte(0)
	t.entries = append(t.entries, e)
}

// symbol is the entry as users see it.
func (t *table) symbol(i int) Symbol {
	e := &t.entries[i]
	s := Symbol{
		Name: t.name(e), Addr: e.addr, Size: e.size, Type: e.typ, Binding: e.binding, Source: e.source, Section: int(e.section),
	}
	if e.version != 0 {
		s.Version, s.Default = t.versions[e.version&^versionDefault], e.version&versionDefault != 0
	} else if i := strings.IndexByte(s.Name, '@'); i > 0 && e.source <= SourceDebugData {
		// .symtab has versions in the names.
		s.Name, s.Version = s.Name[:i], s.Name[i+1:]
		if strings.HasPrefix(s.Version, "@") {
			s.Version, s.Default = s.Version[1:], true
		}
	}
	return s
}

// addressed reports whether the entry's value is an address in the loaded file.
func (e *entry) addressed() bool {
	return e.typ != TypeTLS && e.typ != TypeCommon && e.section != uint16(elf.SHN_ABS) && e.section != uint16(elf.SHN_COMMON)
}

// merge gives the entries of .symtab the versions of their doubles from .dynsym, and removes those
// doubles.
func (t *table) merge() {
	seed := maphash.MakeSeed()
	key := func(e *entry, name, version string) uint64 {
		return maphash.String(seed, name) + 3*maphash.String(seed, version) ^ e.addr*0x9e3779b97f4a7c15
	}
	dynamic := map[uint64]int32{} // by name, and by name and version
	primary := false
	for i := range t.entries {
		e := &t.entries[i]
		switch e.source {
		case SourceDynsym:
			name, version := t.name(e), t.versions[e.version&^versionDefault]
			plain := key(e, name, "")
			if _, ok := dynamic[plain]; !ok || e.version&versionDefault != 0 {
				dynamic[plain] = int32(i)
			}
			dynamic[key(e, name, version)] = int32(i)
		case SourceSymtab, SourceDebugFile, SourceDebugData:
			primary = true
		}
	}
	if len(dynamic) == 0 || !primary {
		return
	}
	drop := make(map[int32]bool, len(dynamic))
	for i := range t.entries {
		e := &t.entries[i]
		if e.source > SourceDebugData {
			continue
		}
		name, version, versioned := strings.Cut(t.name(e), "@")
		d, ok := dynamic[key(e, name, strings.TrimPrefix(version, "@"))]
		if !ok || !versioned && e.binding == BindLocal {
			continue
		}
		drop[d] = true
		if !versioned {
			e.version = t.entries[d].version
		}
		if e.size == 0 {
			e.size = t.entries[d].size
		}
	}
	kept := t.entries[:0]
	for i := range t.entries {
		if !drop[int32(i)] {
			kept = append(kept, t.entries[i])
		}
	}
	t.entries = kept
}

// preferred orders names of one place: the one that users know first.
func (t *table) preferred(a, b *entry) int {
	rank := func(e *entry) int {
		r := 0
		if e.typ == TypeNone {
			r += 8
		}
		if e.version != 0 && e.version&versionDefault == 0 {
			r += 4
		}
		if e.binding == BindLocal {
			r += 2
		}
		return r
	}
	if c := cmp.Compare(rank(a), rank(b)); c != 0 {
		return c
	}
	x, y := t.name(a), t.name(b)
	if c := cmp.Compare(underscores(x), underscores(y)); c != 0 {
		return c
	}
	if c := cmp.Compare(len(x), len(y)); c != 0 {
		return c
	}
	return strings.Compare(x, y)
}

func underscores(s string) int { return len(s) - len(strings.TrimLeft(s, "_")) }

// limit is the end of what a symbol without a size can extend to.
type limit func(addr uint64) uint64

// index sorts the symbols by address and computes which owns which addresses. An address belongs
// to the symbol with the nearest start that covers it; a symbol without a size covers what no
// other does, up to the next symbol or the end of its section.
func (t *table) index(end limit) {
	if t.extra.Len() > 0 {
		b := t.addBlob(t.extra.String())
		for i := range t.entries {
			if t.entries[i].blob == extraBlob {
				t.entries[i].blob = uint8(b)
			}
		}
		t.extra.Reset()
	}
	slices.SortFunc(t.entries, func(a, b entry) int {
		if c := cmp.Compare(a.addr, b.addr); c != 0 {
			return c
		}
		if c := cmp.Compare(b.size, a.size); c != 0 {
			return c
		}
		return t.preferred(&a, &b)
	})

	type open struct {
		owner int32
		end   uint64
	}
	var stack []open
	starts, owners := make([]uint64, 0, len(t.entries)+len(t.entries)/4), make([]int32, 0, len(t.entries)+len(t.entries)/4)
	set := func(addr uint64, owner int32) {
		if n := len(starts); n > 0 && starts[n-1] == addr {
			owners[n-1] = owner
			return
		}
		starts, owners = append(starts, addr), append(owners, owner)
	}
	// closeUntil ends the open symbols that end at or before addr.
	closeUntil := func(addr uint64) {
		for len(stack) > 0 && stack[len(stack)-1].end <= addr {
			top := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			for len(stack) > 0 && stack[len(stack)-1].end <= top.end {
				stack = stack[:len(stack)-1]
			}
			if len(stack) > 0 {
				set(top.end, stack[len(stack)-1].owner)
			} else {
				set(top.end, -1)
			}
		}
	}
	var started uint64 // where the last sized symbol started, plus one
	for i := range t.entries {
		e := &t.entries[i]
		if !e.addressed() || e.section == 0 && e.source == SourceDynsym {
			continue
		}
		closeUntil(e.addr)
		// A symbol without a size gives way to the next.
		if n := len(stack); n > 0 && t.entries[stack[n-1].owner].size == 0 {
			if e.size == 0 && t.entries[stack[n-1].owner].addr == e.addr {
				continue
			}
			stack = stack[:n-1]
		}
		if e.size == 0 {
			if stop := end(e.addr); len(stack) == 0 && stop > e.addr {
				set(e.addr, int32(i))
				stack = append(stack, open{int32(i), stop})
			}
			continue
		}
		stop := e.addr + e.size
		if stop < e.addr {
			stop = math.MaxUint64
		}
		if started == e.addr+1 && len(stack) > 0 && stack[len(stack)-1].end == stop {
			continue // another name of the same place
		}
		started = e.addr + 1
		set(e.addr, int32(i))
		stack = append(stack, open{int32(i), stop})
	}
	closeUntil(math.MaxUint64)
	t.starts, t.owners = slices.Clip(starts), slices.Clip(owners)
	t.entries = slices.Clip(t.entries)
}

// lookup is the entry that owns the address, or -1.
func (t *table) lookup(addr uint64) int {
	i := sort.Search(len(t.starts), func(i int) bool { return t.starts[i] > addr }) - 1
	if i < 0 {
		return -1
	}
	return int(t.owners[i])
}

// memory is about how many bytes the table holds.
func (t *table) memory() int64 {
	n := int64(len(t.entries))*40 + int64(len(t.starts))*12 + int64(t.extra.Len())
	for _, b := range t.blobs {
		n += int64(len(b))
	}
	return n
}
