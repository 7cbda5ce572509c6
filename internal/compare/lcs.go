package compare

// pair is two indices that a longest common subsequence joins.
type pair struct{ a, b int }

// align returns a longest common subsequence of a and b, in order, by Myers' O(ND) algorithm in its linear-space form
// (E. W. Myers, An O(ND) Difference Algorithm and Its Variations, 1986).
func align(a, b []int) []pair {
	al := aligner{a: a, b: b}
	size := 2*(len(a)+len(b)) + 4
	al.forward, al.backward = make([]int, size), make([]int, size)
	al.run(0, len(a), 0, len(b))
	return al.out
}

type aligner struct {
	a, b              []int
	forward, backward []int // furthest reaching x by diagonal
	out               []pair
}

func (al *aligner) run(a0, a1, b0, b1 int) {
	for a0 < a1 && b0 < b1 && al.a[a0] == al.b[b0] {
		al.out = append(al.out, pair{a0, b0})
		a0++
		b0++
	}
	tail := 0
	for a0 < a1 && b0 < b1 && al.a[a1-1] == al.b[b1-1] {
		a1--
		b1--
		tail++
	}
	if a0 < a1 && b0 < b1 {
		x, y := al.split(a0, a1, b0, b1)
		al.run(a0, x, b0, y)
		al.run(x, a1, y, b1)
	}
	for i := range tail {
		al.out = append(al.out, pair{a1 + i, b1 + i})
	}
}

// split returns a point on an optimal path through the box that is neither its first nor its last corner.
func (al *aligner) split(a0, a1, b0, b1 int) (x, y int) {
	n, m := a1-a0, b1-b0
	delta := n - m
	odd := delta&1 != 0
	off := n + m + 1 // diagonals run from -(n+m) to n+m
	f, r := al.forward, al.backward
	f[off+1], r[off+1] = 0, 0
	for d := 0; ; d++ {
		low, high := -(d - 2*max(0, d-m)), d-2*max(0, d-n) // the diagonals that lie within the box
		for k := low; k <= high; k += 2 {
			x := f[off+k-1] + 1
			if k == -d || k != d && f[off+k-1] < f[off+k+1] {
				x = f[off+k+1]
			}
			y := x - k
			for x < n && y < m && y >= 0 && al.a[a0+x] == al.b[b0+y] {
				x++
				y++
			}
			f[off+k] = x
			if c := delta - k; odd && c >= -(d-1) && c <= d-1 && x+r[off+c] >= n {
				return a0 + x, b0 + y
			}
		}
		for k := low; k <= high; k += 2 {
			x := r[off+k-1] + 1
			if k == -d || k != d && r[off+k-1] < r[off+k+1] {
				x = r[off+k+1]
			}
			y := x - k
			for x < n && y < m && y >= 0 && al.a[a1-1-x] == al.b[b1-1-y] {
				x++
				y++
			}
			r[off+k] = x
			if c := delta - k; !odd && c >= -d && c <= d && x+f[off+c] >= n {
				return a1 - x, b1 - y
			}
		}
	}
}
