package event

import (
	"strconv"

	"farcall/decode"
	"farcall/syscalls"
)

// appendFields writes a number of several fields with a value each, and flags beside them: the
// form of terminal modes. Each field is shown, also when it is zero; the flags stand at the end.
// Such a set's Unknown begins with a plus, behind which stands the comment for a field's unknown value;
// without one the bar before the flags is there even if there are none.
func (s *Style) appendFields(b []byte, set *syscalls.Set, n uint64, abi syscalls.ABI) []byte {
	vals := set.For(abi)
	rest := n
	var masks [16]uint64 // of the fields, each of which has a value that is wholly zero or a shifted name
	fields := 0
	first := true
	for i := range vals {
		m := vals[i].Mask
		if m&(m-1) == 0 && vals[i].Value != 0 || seen(masks[:fields], m) || fields == len(masks) {
			continue
		}
		masks[fields] = m
		fields++
		name := ""
		for k := range vals {
			if vals[k].Mask == m && vals[k].Value == n&m {
				name = vals[k].Name
				break
			}
		}
		if name == "" && n&m == 0 {
			continue
		}
		rest &^= m
		if !first {
			b = append(b, '|')
		}
		first = false
		if name != "" {
			b = s.appendNamed(b, name, n&m, false, abi)
			continue
		}
		b = appendHex(b, n&m)
		if len(set.Unknown) > 1 && s.Consts != Raw {
			b = append(append(append(b, " /* "...), set.Unknown[1:]...), " */"...)
		}
	}
	if !first && (rest != 0 || len(set.Unknown) == 1) {
		b = append(b, '|')
	}
	if s.Consts == Raw {
		if rest != 0 {
			b = appendHex(b, rest)
		}
		return b
	}
	if rest == 0 {
		return b
	}
	start := len(b)
	if s.Consts == Verbose {
		b = append(appendHex(b, rest), " /* "...)
	}
	known := false
	left := rest
	for i := range vals {
		f := &vals[i]
		if f.Value == 0 || f.Mask != f.Value || seen(masks[:fields], f.Mask) || left&f.Mask == 0 {
			continue
		}
		if known {
			b = append(b, '|')
		}
		b = append(b, f.Name...)
		known, left = true, left&^f.Mask
	}
	if !known {
		return appendHex(b[:start], rest)
	}
	if left != 0 {
		b = appendHex(append(b, '|'), left)
	}
	if s.Consts == Verbose {
		b = append(b, " */"...)
	}
	return b
}

func seen(masks []uint64, m uint64) bool {
	for _, x := range masks {
		if x == m {
			return true
		}
	}
	return false
}

// appendIoctl writes a command of ioctl that has no name by its parts (asm-generic/ioctl.h).
func (s *Style) appendIoctl(b []byte, n uint64) []byte {
	if s.Consts != Abbrev {
		b = appendHex(b, n)
		if s.Consts == Raw {
			return b
		}
		b = append(b, " /* "...)
	}
	dirs := [...]string{"_IOC_NONE", "_IOC_WRITE", "_IOC_READ", "_IOC_READ|_IOC_WRITE"}
	b = append(append(b, "_IOC("...), dirs[n>>30&3]...)
	b = appendHex(append(b, ", "...), n>>8&0xff)
	b = appendHex(append(b, ", "...), n&0xff)
	b = appendHex(append(b, ", "...), n>>16&0x3fff)
	b = append(b, ')')
	if s.Consts == Verbose {
		b = append(b, " */"...)
	}
	return b
}

// controls are the names of the control characters of a terminal by index (asm-generic/termbits.h).
var controls = [...]string{"VINTR", "VQUIT", "VERASE", "VKILL", "VEOF", "VTIME", "VMIN", "VSWTC", "VSTART", "VSTOP",
	"VSUSP", "VEOL", "VREPRINT", "VDISCARD", "VWERASE", "VLNEXT", "VEOL2"}

func (s *Style) appendControls(b []byte, v *decode.Value) []byte {
	b = append(b, '[')
	for i := range v.Sub {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, '[')
		if i < len(controls) {
			b = s.appendNamed(b, controls[i], uint64(i), false, syscalls.AMD64)
		} else {
			b = strconv.AppendInt(b, int64(i), 10)
		}
		b = appendHex(append(b, "]="...), v.Sub[i].Num)
	}
	return append(b, ']')
}

// appendFDSet writes the descriptors of a set of select(2).
func (s *Style) appendFDSet(b []byte, v *decode.Value, abi syscalls.ABI) []byte {
	b = append(b, '[')
	for i := range v.Sub {
		if i > 0 {
			b = append(b, ' ')
		}
		b = s.appendValue(b, &v.Sub[i], abi)
	}
	return append(b, ']')
}

// appendPolled writes what poll(2) and select(2) found, each part with its name in front.
func (s *Style) appendPolled(b []byte, v *decode.Value, abi syscalls.ABI) []byte {
	b = append(b, " ("...)
	if v.Num == 0 {
		return append(b, "Timeout)"...)
	}
	for i := range v.Sub {
		p := &v.Sub[i]
		if i > 0 {
			b = append(b, ", "...)
		}
		if p.Attr&syscalls.AttrPlain == 0 {
			b = append(append(b, p.Name...), ' ')
		}
		b = s.appendValue(b, p, abi)
	}
	return append(b, ')')
}
