// Package symbols reads what an ELF file says about names and addresses: symbol tables, symbol
// versions, procedure linkage stubs, DWARF line tables, Go's function table, separate and
// compressed debug information; and it computes where a file stands in a process from the texts
// that the kernel gives of it.
//
// Start with [NewFile]. [File.Find] and [File.Resolve] go from a name to addresses, [File.Lookup]
// from an address to a name, [File.Line] to a source line. Addresses of a file are those its
// program headers use; add the bias that [BiasFromAuxv] or [File.Placements] gives to get those of
// a process.
//
// The package touches no process and opens no file: it reads from an [io.ReaderAt], finds other
// files through a [Finder], and takes /proc's files as text. Input is not trusted: every count and
// offset is checked against the file's size before memory is set aside, and work is bounded by it.
//
// The format: System V ABI chapters 4 and 5, elf(5), the Linux Standard Base's chapter on symbol
// versions, the x86-64 psABI, and DWARF 5.
package symbols
