package compare

import (
	"cmp"
	"slices"
)

// couple is a thread of each trace; one of them may be nil.
type couple struct{ a, b *Thread }

// pairThreads pairs the threads of two traces: the first with the first, then the processes that paired processes
// created and the threads within paired processes, in order of creation. Where the counts differ, or where another pairing
// of threads of one process has clearly more in common (runtimes create threads from any thread), likeness decides.
func pairThreads(a, b *Trace) []couple {
	p := pairer{childrenA: family(a), childrenB: family(b), bags: map[*Thread]map[string]int{}}
	p.roots(p.childrenA[nil], p.childrenB[nil])
	return p.out
}

// kin is what a thread has below it; that of nil is the threads nobody in the trace created.
type kin struct{ processes, threads []*Thread }

func family(t *Trace) map[*Thread]*kin {
	out := map[*Thread]*kin{nil: {}}
	for _, th := range t.Threads {
		out[th] = &kin{}
	}
	for _, th := range t.Threads { // in order of their first lines
		switch {
		case th.group != nil:
			out[th.group].threads = append(out[th.group].threads, th)
		case th.parent != nil && th.parent.group != nil:
			out[th.parent.group].processes = append(out[th.parent.group].processes, th)
		default:
			out[th.parent].processes = append(out[th.parent].processes, th)
		}
	}
	for _, k := range out {
		byCreation := func(x, y *Thread) int { return cmp.Compare(x.created, y.created) }
		slices.SortStableFunc(k.processes, byCreation)
		slices.SortStableFunc(k.threads, byCreation)
	}
	return out
}

type pairer struct {
	childrenA, childrenB map[*Thread]*kin
	bags                 map[*Thread]map[string]int
	out                  []couple
}

func (p *pairer) roots(a, b *kin) {
	for _, c := range p.inOrder(a.processes, b.processes) {
		p.descend(c)
	}
}

// descend records a pair of process leaders, the threads of their processes, and the processes below.
func (p *pairer) descend(c couple) {
	p.out = append(p.out, c)
	ka, kb := &kin{}, &kin{}
	if c.a != nil {
		ka = p.childrenA[c.a]
	}
	if c.b != nil {
		kb = p.childrenB[c.b]
	}
	p.out = append(p.out, p.likeliest(ka.threads, kb.threads)...)
	for _, child := range p.inOrder(ka.processes, kb.processes) {
		p.descend(child)
	}
}

// pairingLimit bounds the quadratic search for likeness.
const pairingLimit = 300

// inOrder pairs processes in order; where the counts differ, so that what is paired has the most lines in common.
func (p *pairer) inOrder(a, b []*Thread) []couple {
	if len(a) == len(b) || len(a) > pairingLimit || len(b) > pairingLimit {
		return zip(a, b)
	}
	// best[i][j]: the most lines in common among a[i:] and b[j:].
	best := make([][]int, len(a)+1)
	for i := range best {
		best[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			best[i][j] = max(best[i+1][j], best[i][j+1], best[i+1][j+1]+p.likeness(a[i], b[j]))
		}
	}
	var out []couple
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case best[i][j] == best[i+1][j+1]+p.likeness(a[i], b[j]):
			out = append(out, couple{a[i], b[j]})
			i++
			j++
		case best[i][j] == best[i+1][j]:
			out = append(out, couple{a[i], nil})
			i++
		default:
			out = append(out, couple{nil, b[j]})
			j++
		}
	}
	return append(out, zip(a[i:], b[j:])...)
}

func zip(a, b []*Thread) []couple {
	var out []couple
	for i := range max(len(a), len(b)) {
		var c couple
		if i < len(a) {
			c.a = a[i]
		}
		if i < len(b) {
			c.b = b[i]
		}
		out = append(out, c)
	}
	return out
}

// likeliest pairs the threads of one process: in order of creation, unless pairing the most alike first gives at least
// a twentieth more lines in common.
func (p *pairer) likeliest(a, b []*Thread) []couple {
	ordered := zip(a, b)
	if len(a) > pairingLimit || len(b) > pairingLimit || len(a)+len(b) < 3 {
		return ordered
	}
	type candidate struct{ i, j, score int }
	var all []candidate
	for i := range a {
		for j := range b {
			all = append(all, candidate{i, j, p.likeness(a[i], b[j])})
		}
	}
	slices.SortStableFunc(all, func(x, y candidate) int {
		return cmp.Or(cmp.Compare(y.score, x.score), cmp.Compare(max(x.i-x.j, x.j-x.i), max(y.i-y.j, y.j-y.i)))
	})
	partner, taken, total := map[int]int{}, map[int]bool{}, 0
	for _, c := range all {
		if _, done := partner[c.i]; !done && !taken[c.j] {
			partner[c.i], taken[c.j] = c.j, true
			total += c.score
		}
	}
	inOrder := 0
	for _, c := range ordered {
		if c.a != nil && c.b != nil {
			inOrder += p.likeness(c.a, c.b)
		}
	}
	if total <= inOrder+inOrder/20 {
		return ordered
	}
	var out []couple
	for i := range a {
		if j, ok := partner[i]; ok {
			out = append(out, couple{a[i], b[j]})
		} else {
			out = append(out, couple{a[i], nil})
		}
	}
	for j := range b {
		if !taken[j] {
			out = append(out, couple{nil, b[j]})
		}
	}
	return out
}

// likeness counts the lines that two threads have in common, addresses and pids aside, in whatever order.
func (p *pairer) likeness(a, b *Thread) int {
	bagA, bagB, common := p.bag(a), p.bag(b), 0
	for text, n := range bagA {
		common += min(n, bagB[text])
	}
	return common
}

func (p *pairer) bag(t *Thread) map[string]int {
	if bag := p.bags[t]; bag != nil {
		return bag
	}
	var n normaliser
	bag := map[string]int{}
	for i := range t.Lines {
		_, key := n.normalise(&t.Lines[i])
		bag[key]++
	}
	p.bags[t] = bag
	return bag
}
