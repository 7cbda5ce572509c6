package event

import (
	"net/netip"
	"strconv"
)

// AppendQuoted writes bytes as a C string literal in double quotes.
func (s *Style) AppendQuoted(b, str []byte) []byte {
	b = append(b, '"')
	b = s.AppendEscaped(b, str, '"')
	return append(b, '"')
}

// AppendEscaped writes bytes with the escapes of C: the shortest octal form, or hexadecimal as
// the style asks. quote is escaped too.
func (s *Style) AppendEscaped(b, str []byte, quote byte) []byte {
	hexAll := s.Hex == HexAll
	if s.Hex == HexNonASCII {
		for _, c := range str {
			if c < ' ' && (c < '\t' || c > '\r') || c >= 0x7f {
				hexAll = true
				break
			}
		}
	}
	const digits = "0123456789abcdef"
	for i, c := range str {
		if hexAll {
			b = append(b, '\\', 'x', digits[c>>4], digits[c&15])
			continue
		}
		switch {
		case c == quote && c != '>' && c != '<' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\t':
			b = append(b, '\\', 't')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\v':
			b = append(b, '\\', 'v')
		case c == '\f':
			b = append(b, '\\', 'f')
		case c >= ' ' && c < 0x7f && c != quote:
			b = append(b, c)
		case s.Hex == HexNonASCIIChars:
			b = append(b, '\\', 'x', digits[c>>4], digits[c&15])
		default:
			b = append(b, '\\')
			if i+1 < len(str) && str[i+1] >= '0' && str[i+1] <= '7' { // an octal digit would be read as part of the escape
				b = append(b, '0'+c>>6, '0'+c>>3&7, '0'+c&7)
			} else {
				b = strconv.AppendUint(b, uint64(c), 8)
			}
		}
	}
	return b
}

func appendIPv6(b, ip []byte) []byte {
	b = append(b, "inet_pton(AF_INET6, \""...)
	b = appendIP(b, ip)
	return append(b, "\")"...)
}

func appendIP(b, ip []byte) []byte {
	if a, ok := netip.AddrFromSlice(ip); ok {
		b = a.AppendTo(b)
	}
	return b
}
