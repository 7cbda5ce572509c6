package symbols

import (
	"math/bits"
	"strconv"
	"strings"
)

// Rust's older mangling is C++'s nested name, the last part of which is h and a hash of 16 digits.
const (
	rustPrefix = "_ZN"
	rustHash   = "17h"
	rustTail   = len(rustHash) + 16 + len("E")
)

// underscored gives a name in Rust's older mangling to package demangle such that it shows it right: that takes an underscore at the
// beginning of a part for a separator, which is one in the newer mangling only, and leaves it out. Other names stay as they are.
func underscored(name string) string {
	if !strings.HasPrefix(name, rustPrefix) || len(name) < len(rustPrefix)+rustTail || !hashed(name[len(name)-rustTail:]) {
		return name
	}
	parts, hash := name[len(rustPrefix):len(name)-rustTail], name[len(name)-rustTail:]
	out := []byte(rustPrefix)
	for parts != "" {
		digits := 0
		for digits < len(parts) && parts[digits] >= '0' && parts[digits] <= '9' {
			digits++
		}
		n, err := strconv.Atoi(parts[:digits])
		if err != nil || n <= 0 || n > len(parts)-digits {
			return name
		}
		part := parts[digits : digits+n]
		parts = parts[digits+n:]
		if part[0] == '_' && !strings.HasPrefix(part, "_$") { // that one stands before an escape sequence
			part = "_" + part
		}
		out = strconv.AppendInt(out, int64(len(part)), 10)
		out = append(out, part...)
	}
	return string(append(out, hash...))
}

// hashed tells whether the end of a name is that of Rust's mangling, by what others, package demangle among them, go by: a hash has five
// different digits at least.
func hashed(tail string) bool {
	digits, ok := strings.CutPrefix(tail, rustHash)
	if !ok {
		return false
	}
	seen := uint16(0)
	for _, c := range digits[:16] {
		d := strings.IndexRune("0123456789abcdef", c)
		if d < 0 {
			return false
		}
		seen |= 1 << d
	}
	return digits[16:] == "E" && bits.OnesCount16(seen) >= 5
}
