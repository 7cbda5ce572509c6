package symbols

import (
	"testing"
)

// BenchmarkLookup looks up addresses all over libc.
func BenchmarkLookup(b *testing.B) {
	f := open(b, libc(b), none{})
	text := f.image.section(".text")
	f.loadSymbols()
	a := uint64(0)
	for b.Loop() {
		f.Lookup(text.Addr + a)
		a = (a + 7919) % text.Size
	}
}

// BenchmarkLoad reads libc's symbols, from a file in memory.
func BenchmarkLoad(b *testing.B) {
	name := libc(b)
	f := open(b, name, none{})
	r, size := f.image.r, f.image.size
	var memory int64
	for b.Loop() {
		f, err := NewFile(r, size, Options{})
		if err != nil {
			b.Fatal(err)
		}
		f.loadSymbols()
		memory = f.Memory()
	}
	b.ReportMetric(float64(memory), "table-bytes")
	b.ReportMetric(float64(len(f.Symbols())), "symbols")
}

// BenchmarkFindName finds a function of libc by name.
func BenchmarkFindName(b *testing.B) {
	f := open(b, libc(b), none{})
	p := pattern(b, "write")
	for b.Loop() {
		if _, err := f.Resolve(p); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLine finds source lines of a program with debug information.
func BenchmarkLine(b *testing.B) {
	f := open(b, compile(b, "g++", "q.cc", sourceCC, "-g"), none{})
	addr := resolve(b, f, "main").Addr
	i := uint64(0)
	for b.Loop() {
		f.Line(addr + i%64)
		i++
	}
}
