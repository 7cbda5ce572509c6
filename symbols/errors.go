package symbols

import (
	"debug/elf"
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrNotELF says that the file does not begin as an ELF file does.
	ErrNotELF = errors.New("not an ELF file")

	// ErrMalformed says that the file contradicts itself or its format.
	ErrMalformed = errors.New("malformed ELF file")

	// ErrTruncated says that the file ends before something that it refers to. It is ErrMalformed
	// as well.
	ErrTruncated = fmt.Errorf("%w: truncated", ErrMalformed)

	// ErrTooLarge says that a table is larger than this package is willing to hold in memory.
	ErrTooLarge = errors.New("table too large")

	// ErrNoSymbols says that a file has no symbols at all: it was stripped, and no debug file of it
	// was found.
	ErrNoSymbols = errors.New("no symbols")

	// ErrNoLines says that there is no line table to answer with.
	ErrNoLines = errors.New("no line numbers")

	// ErrNotMapped says that no mapping of a process shows the file being executed.
	ErrNotMapped = errors.New("not mapped")
)

// ArchError says that a file is for another architecture than what was asked of it works for.
type ArchError struct {
	Have, Want elf.Machine
}

func (e *ArchError) Error() string {
	return fmt.Sprintf("the file is for %s, not for %s", machineName(e.Have), machineName(e.Want))
}

// machineName is the name users know where it differs from the constant's.
func machineName(m elf.Machine) string {
	switch m {
	case elf.EM_X86_64:
		return "x86-64"
	case elf.EM_386:
		return "i386"
	case elf.EM_AARCH64:
		return "arm64"
	}
	return strings.ToLower(strings.TrimPrefix(m.String(), "EM_"))
}

// NotFoundError says that no symbol matches a pattern.
type NotFoundError struct {
	Pattern string
	Near    []string // names that may have been meant, best first; at most 3
	Empty   bool     // the file has no symbols at all
}

func (e *NotFoundError) Error() string {
	if e.Empty {
		return fmt.Sprintf("no symbol '%s': the file has no symbols", e.Pattern)
	}
	return fmt.Sprintf("no symbol '%s'", e.Pattern)
}

// Is makes the error ErrNoSymbols where the file has none.
func (e *NotFoundError) Is(target error) bool { return target == ErrNoSymbols && e.Empty }

// Hint proposes what may have been meant, "" where nothing is near.
func (e *NotFoundError) Hint() string {
	switch {
	case e.Empty:
		return "it was stripped, and no debug file was found by its build-id or debug link; main, exported names and 0xADDRESS still work where they exist"
	case len(e.Near) == 0:
		return ""
	}
	return "did you mean '" + strings.Join(e.Near, "' or '") + "'?"
}

// AmbiguousError says that a pattern that has to name one place names several.
type AmbiguousError struct {
	Pattern    string
	Candidates []Match
}

// shownCandidates is how many of the candidates the message lists.
const shownCandidates = 8

func (e *AmbiguousError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "'%s' names %d places:", e.Pattern, len(e.Candidates))
	for i, m := range e.Candidates {
		if i == shownCandidates {
			fmt.Fprintf(&b, ", and %d more", len(e.Candidates)-i)
			break
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, " %s (0x%x)", m.label(), m.Addr)
	}
	return b.String()
}

// Hint says how to choose.
func (e *AmbiguousError) Hint() string {
	if len(e.Candidates) == 0 {
		return ""
	}
	return fmt.Sprintf("name one by its address, 0x%x, by its version, or as file:line", e.Candidates[0].Addr)
}
