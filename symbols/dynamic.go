package symbols

import (
	"debug/elf"
	"fmt"
)

// maxDynamic bounds the entries of the dynamic section; programs have about thirty.
const maxDynamic = 4096

// readDynamic adds the dynamic symbols of a file without section headers, from what the loader
// uses: the dynamic section's DT_SYMTAB, DT_STRTAB and a hash table, which alone tells how many
// symbols there are.
func (t *table) readDynamic(m *image) error {
	values := map[elf.DynTag]uint64{}
	word := m.wordSize()
	for _, s := range m.segments {
		if s.Type != elf.PT_DYNAMIC {
			continue
		}
		b := m.memory(s.Vaddr, min(s.Filesz, uint64(maxDynamic*2*word)))
		for ; len(b) >= 2*word; b = b[2*word:] {
			tag := elf.DynTag(m.word(b))
			if tag == elf.DT_NULL {
				break
			}
			values[tag] = m.word(b[word:])
		}
	}
	symtab, strtab := values[elf.DT_SYMTAB], values[elf.DT_STRTAB]
	if symtab == 0 || strtab == 0 {
		return nil
	}
	count := uint64(0)
	if hash := values[elf.DT_HASH]; hash != 0 {
		if b := m.memory(hash, 8); len(b) == 8 {
			count = uint64(m.order.Uint32(b[4:]))
		}
	} else if hash := values[elf.DT_GNU_HASH]; hash != 0 {
		count = m.gnuHashCount(hash)
	}
	if count > maxSymbols {
		return fmt.Errorf("dynamic section: %d symbols: %w", count, ErrTooLarge)
	}
	syms, strs := m.memory(symtab, count*m.pick(16, 24)), m.memory(strtab, min(values[elf.DT_STRSZ], maxTable))
	return t.decodeSymbols(m, syms, string(strs), SourceDynsym, nil)
}

// gnuHashCount computes the number of dynamic symbols from the GNU hash table: header (buckets,
// first symbol, bloom words, shift), bloom filter, buckets, chains; a chain's last value is odd.
func (m *image) gnuHashCount(addr uint64) uint64 {
	h := m.memory(addr, 16)
	if len(h) < 16 {
		return 0
	}
	buckets, first, bloom := uint64(m.order.Uint32(h)), uint64(m.order.Uint32(h[4:])), uint64(m.order.Uint32(h[8:]))
	at := addr + 16 + bloom*uint64(m.wordSize())
	b := m.memory(at, buckets*4)
	last := uint64(0)
	for ; len(b) >= 4; b = b[4:] {
		last = max(last, uint64(m.order.Uint32(b)))
	}
	if last < first {
		return first
	}
	chain := m.memory(at+buckets*4+(last-first)*4, 4*maxSymbols)
	for ; len(chain) >= 4; chain = chain[4:] {
		last++
		if m.order.Uint32(chain)&1 != 0 {
			break
		}
	}
	return last
}
