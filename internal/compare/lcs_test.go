package compare

import "testing"

// lcsLength is the textbook table, quadratic and plainly right.
func lcsLength(a, b []int) int {
	row := make([]int, len(b)+1)
	for _, x := range a {
		diagonal := 0
		for j, y := range b {
			above := row[j+1]
			if x == y {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(row[j], above)
			}
			diagonal = above
		}
	}
	return row[len(b)]
}

func checkAlign(t *testing.T, a, b []int) {
	t.Helper()
	got := align(a, b)
	last := pair{-1, -1}
	for _, p := range got {
		if p.a <= last.a || p.b <= last.b || a[p.a] != b[p.b] {
			t.Fatalf("align(%v, %v): pair %v after %v", a, b, p, last)
		}
		last = p
	}
	if want := lcsLength(a, b); len(got) != want {
		t.Fatalf("align(%v, %v) has %d pairs, want %d", a, b, len(got), want)
	}
}

func FuzzAlign(f *testing.F) {
	f.Add([]byte("abcabba"), []byte("cbabac"))
	f.Add([]byte(""), []byte("x"))
	f.Add([]byte("aaaa"), []byte("aa"))
	f.Add([]byte("abcdefgh"), []byte("hgfedcba"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		// Few symbols, so that much is common; short, for the quadratic check.
		toInts := func(s []byte) []int {
			out := make([]int, min(len(s), 60))
			for i := range out {
				out[i] = int(s[i] % 4)
			}
			return out
		}
		checkAlign(t, toInts(a), toInts(b))
	})
}

func TestAlignRandom(t *testing.T) {
	seed := uint32(1)
	next := func(n uint32) int { // xorshift: the same sequences in every run
		seed ^= seed << 13
		seed ^= seed >> 17
		seed ^= seed << 5
		return int(seed % n)
	}
	for range 3000 {
		a, b := make([]int, next(30)), make([]int, next(30))
		symbols := uint32(1 + next(6))
		for i := range a {
			a[i] = next(symbols)
		}
		for i := range b {
			b[i] = next(symbols)
		}
		checkAlign(t, a, b)
	}
}
