// Package cnumber reads numbers and durations as C programs, and strace among them, do.
package cnumber

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Uint reads a number of at most limit as strace does: decimal, with white space and a plus
// sign allowed before it and nothing after it.
func Uint(s string, limit int) (int, bool) {
	n, rest, ok := Scan(s, limit)
	return n, ok && rest == ""
}

// Scan reads a number like strtol(3) and returns what follows it.
func Scan(s string, limit int) (n int, rest string, ok bool) {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	negative := false
	if s != "" && (s[0] == '+' || s[0] == '-') {
		negative = s[0] == '-'
		s = s[1:]
	}
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	v, err := strconv.ParseInt(s[:i], 10, 64)
	if err != nil || v > int64(limit) || negative && v != 0 {
		return 0, "", false
	}
	return int(v), s[i:], true
}

// Duration reads a time such as 1.5ms; without a unit it is in microseconds. A fraction of
// a nanosecond is dropped.
func Duration(s string) (time.Duration, bool) {
	n := len(s) - len(strings.TrimLeft(s, "0123456789.eE+-"))
	v, err := strconv.ParseFloat(s[:n], 64)
	if err != nil || v < 0 {
		return 0, false
	}
	unit := float64(time.Microsecond)
	switch s[n:] {
	case "", "us":
	case "s":
		unit = float64(time.Second)
	case "ms":
		unit = float64(time.Millisecond)
	case "ns":
		unit = 1
	default:
		return 0, false
	}
	v *= unit
	if v > float64(math.MaxInt64/2) {
		return 0, false
	}
	return time.Duration(v), true
}
