package symbols

import (
	"debug/elf"
	"strconv"
	"strings"

	"github.com/ianlancetaylor/demangle"
)

// Type is the kind of thing that a symbol names. Values that this package does not know are kept:
// they are the STT_ numbers of elf(5).
type Type uint8

// The types of symbols; up to TypeIFunc as in the file.
const (
	TypeNone   = Type(elf.STT_NOTYPE)    // the file does not say
	TypeObject = Type(elf.STT_OBJECT)    // data
	TypeFunc   = Type(elf.STT_FUNC)      // code
	TypeCommon = Type(elf.STT_COMMON)    // data to be allocated by the linker
	TypeTLS    = Type(elf.STT_TLS)       // thread-local data: the value is an offset, not an address
	TypeIFunc  = Type(elf.STT_GNU_IFUNC) // code that returns the function to use, called by the loader
	TypePLT    = Type(0x80)              // a stub that jumps to another object's function
)

func (t Type) String() string {
	switch t {
	case TypeNone:
		return "notype"
	case TypeObject:
		return "object"
	case TypeFunc:
		return "func"
	case TypeCommon:
		return "common"
	case TypeTLS:
		return "tls"
	case TypeIFunc:
		return "ifunc"
	case TypePLT:
		return "plt"
	}
	return "type" + strconv.Itoa(int(t))
}

// Binding is how far a symbol is visible (elf(5), STB_).
type Binding uint8

// The bindings.
const (
	BindLocal  = Binding(elf.STB_LOCAL)
	BindGlobal = Binding(elf.STB_GLOBAL)
	BindWeak   = Binding(elf.STB_WEAK)
	BindUnique = Binding(elf.STB_LOOS) // STB_GNU_UNIQUE
)

func (b Binding) String() string {
	switch b {
	case BindLocal:
		return "local"
	case BindGlobal:
		return "global"
	case BindWeak:
		return "weak"
	case BindUnique:
		return "unique"
	}
	return "bind" + strconv.Itoa(int(b))
}

// Source is where a symbol was found.
type Source uint8

// The sources.
const (
	SourceSymtab    Source = iota // .symtab of the file
	SourceDebugFile               // .symtab of a separate debug file
	SourceDebugData               // .gnu_debugdata: a compressed symbol table of the functions
	SourceDynsym                  // .dynsym: what other objects can see
	SourceGo                      // Go's function table
	SourcePLT                     // computed from the linkage table and its relocations
	SourceEntry                   // computed from the code at the entry point
)

var sourceNames = [...]string{"symtab", "debug-file", "gnu_debugdata", "dynsym", "gopclntab", "plt", "entry"}

func (s Source) String() string {
	if int(s) < len(sourceNames) {
		return sourceNames[s]
	}
	return "source" + strconv.Itoa(int(s))
}

// Symbol is a named place of a file.
type Symbol struct {
	Name    string // as in the file, mangled, without its version
	Version string // the symbol's version, as GLIBC_2.14; "" for none
	Default bool   // the version is the one that a program linked today gets (name@@VERSION)
	Addr    uint64 // in-file address; for TypeTLS the offset in the thread's block
	Size    uint64 // bytes; 0 where the file does not say
	Type    Type
	Binding Binding
	Source  Source
	Section int // number of the section it is in, or an SHN_ value
}

// VersionedName is the name as the linker writes it: name, name@VERSION or name@@VERSION.
func (s Symbol) VersionedName() string {
	switch {
	case s.Version == "":
		return s.Name
	case s.Default:
		return s.Name + "@@" + s.Version
	}
	return s.Name + "@" + s.Version
}

// Unversioned is a symbol's name without the version that .symtab has in it: name@VERSION.
func Unversioned(name string) string {
	if i := strings.IndexByte(name, '@'); i > 0 {
		return name[:i]
	}
	return name
}

// Demangled is the name as the program's author wrote it in C++ or Rust, with parameters; for
// other names the name itself.
func (s Symbol) Demangled() string { return Demangle(s.Name) }

// Limits on demangling: a mangled name of a few hundred bytes can stand for gigabytes.
const (
	maxMangled      = 1 << 13
	demangledLength = 15 // as a power of two
)

// mangled reports whether a name looks like one of C++ or Rust.
func mangled(name string) bool {
	if len(name) > maxMangled {
		return false
	}
	return strings.HasPrefix(name, "_Z") || strings.HasPrefix(name, "_R") || strings.HasPrefix(name, "__Z")
}

// Demangle turns a mangled C++ or Rust name into what its author wrote. Other names, and names too
// long, stay as they are. A suffix as in name@plt stays.
func Demangle(name string) string {
	if !mangled(name) {
		return name
	}
	base, suffix := name, ""
	if i := strings.LastIndexByte(name, '@'); i > 0 {
		base, suffix = name[:i], name[i:]
	}
	if s, err := demangle.ToString(underscored(base), demangle.MaxLength(demangledLength)); err == nil {
		return s + suffix
	}
	return name
}

// demangledForms are the ways in which a user may write the name: in full, without the parameters,
// and without template arguments either. None for a name that is not mangled.
func demangledForms(name string) []string {
	if !mangled(name) {
		return nil
	}
	var out []string
	for _, options := range [][]demangle.Option{
		{},
		{demangle.NoParams},
		{demangle.NoParams, demangle.NoTemplateParams, demangle.NoEnclosingParams},
	} {
		if s, err := demangle.ToString(underscored(name), append(options, demangle.MaxLength(demangledLength))...); err == nil {
			out = append(out, s)
		}
	}
	return out
}
