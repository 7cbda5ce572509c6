package filter

import (
	"iter"
	"time"

	"farcall/decode"
	"farcall/syscalls"
)

// Truth is what is known of a condition.
type Truth uint8

// The values. Unknown is for what only the end of the call will tell.
const (
	False Truth = iota
	True
	Unknown
)

func (t Truth) String() string { return [...]string{"false", "true", "unknown"}[t] }

func truth(b bool) Truth {
	if b {
		return True
	}
	return False
}

// Env is what a condition can ask about a call. What a nil field would tell does not exist: comparisons with it are
// false. It may be used again for other calls.
type Env struct {
	Call     *decode.Call
	TID, PID int
	Duration time.Duration // from entry to exit, when the call has returned

	// Memory is the program's. It is read for what decoding has cut short, such as the rest of a long string.
	Memory decode.Memory
	// Comm appends the name of the thread.
	Comm func(dst []byte) []byte
	// FDPath appends the path of what a descriptor refers to, nothing if it has none. AT_FDCWD is the working directory.
	FDPath func(dst []byte, fd int32) []byte
	// FDPeer appends the address that a socket is connected to, nothing if there is none.
	FDPeer func(dst []byte, fd int32) []byte
	// Region is the innermost region that the thread is in, and how many it is in.
	Region func() (name string, depth int)
	// Stack yields the functions that the thread is in, innermost first.
	Stack iter.Seq[string]
}

// A Program decides a condition for one call after the other. It keeps what it has found out about calls, and the count, and
// is for one goroutine; [Expr.Compile] makes another one.
type Program struct {
	table Table
	rest  *node       // all but the parts about count
	count []predicate // those
	n     uint64      // matches of rest so far
	needs Needs

	code    map[codeKey]predicate
	last    codeKey
	current predicate
	st      state
}

type codeKey struct {
	call *syscalls.Call
	abi  syscalls.ABI
}

// A state is what predicates look at.
type state struct {
	*Env
	final bool // nothing more will be known
	count uint64
	buf   []byte // scratch
	word  [8]byte
	found func(function string) bool
	want  *leaf // of found
	hit   bool
}

// A predicate decides a node for the calls of one description.
type predicate func(*state) Truth

// Compile makes a program, after having checked the condition against the table. Errors are those of [Expr.Check].
func (e *Expr) Compile(t Table) (*Program, error) {
	if err := e.Check(t); err != nil {
		return nil, err
	}
	p := &Program{table: t, needs: e.Needs(t), code: map[codeKey]predicate{}}
	var counts []*node
	p.rest, counts = e.root.split()
	for _, n := range counts {
		b := &binder{call: unnamedCall, family: unnamedCall}
		p.count = append(p.count, b.predicate(n).run)
	}
	p.st.found = p.st.function
	return p, nil
}

// split takes the parts about count out of a condition. rest is nil if there is nothing else.
func (n *node) split() (rest *node, count []*node) {
	parts := []*node{n}
	if n.kind == nodeAnd {
		parts = n.sub
	}
	var others []*node
	for _, part := range parts {
		counts := false
		part.leaves(func(l *leaf) bool {
			counts = l.field.kind == fieldCount
			return false // a part that asks for count asks for nothing else
		})
		if counts {
			count = append(count, part)
		} else {
			others = append(others, part)
		}
	}
	switch len(others) {
	case 0:
		return nil, count
	case 1:
		return others[0], count
	}
	return &node{kind: nodeAnd, sub: others}, count
}

// Entry decides the condition when a call begins, as far as that is possible: Unknown means that [Program.Exit] is to be asked
// when the call has ended. It is to be called once for each call.
func (p *Program) Entry(env *Env) Truth { return p.decide(env, false) }

// Exit decides the condition of a call for which Entry gave Unknown when it has returned, or its thread has ended within.
func (p *Program) Exit(env *Env) bool { return p.decide(env, true) == True }

func (p *Program) decide(env *Env, final bool) Truth {
	st := &p.st
	st.Env, st.final = env, final
	key := codeKey{env.Call.Desc, env.Call.ABI}
	if key != p.last || p.current == nil {
		p.last, p.current = key, p.lookup(key, env.Call)
	}
	t := p.current(st)
	if t != True || len(p.count) == 0 {
		return t
	}
	p.n++
	st.count = p.n
	for _, right := range p.count {
		if right(st) != True {
			return False
		}
	}
	return True
}

// maxCode bounds the descriptions that are remembered: there is one for each unknown number that a program tries.
const maxCode = 1 << 13

func (p *Program) lookup(key codeKey, c *decode.Call) predicate {
	code, ok := p.code[key]
	if !ok {
		if len(p.code) >= maxCode {
			clear(p.code)
		}
		code = always(True)
		if p.rest != nil {
			b := &binder{call: key.call, abi: key.abi, family: p.family(key, c.Number)}
			code = b.predicate(p.rest).run
		}
		p.code[key] = code
	}
	return code
}

// family is the call that a description is a variant of.
func (p *Program) family(key codeKey, nr uint64) *syscalls.Call {
	if call := p.table.describe(key.abi, nr); call != nil {
		for _, v := range call.Variants {
			if v == key.call {
				return call
			}
		}
	}
	return key.call
}

// A compiled node is its predicate and about what it costs, for the order in which they are asked.
type compiled struct {
	run   predicate
	truth Truth // True or False if the description decides
	cost  int
}

// Costs.
const (
	costRegisters = iota
	costValue
	costText
	costLookup // in /proc
	costStack
)

func always(t Truth) predicate { return func(*state) Truth { return t } }

// predicate compiles a node.
func (b *binder) predicate(n *node) compiled {
	switch n.kind {
	case nodeLeaf:
		return b.compile(n.leaf)
	case nodeNot:
		c := b.predicate(n.sub[0])
		switch c.truth {
		case True:
			return compiled{always(False), False, 0}
		case False:
			return compiled{always(True), True, 0}
		}
		run := c.run
		return compiled{func(st *state) Truth {
			switch run(st) {
			case True:
				return False
			case False:
				return True
			}
			return Unknown
		}, Unknown, c.cost}
	}
	// The truth that decides the whole: one false part does for and, one true part for or.
	absorbing, neutral := False, True
	if n.kind == nodeOr {
		absorbing, neutral = True, False
	}
	var parts []compiled
	cost := 0
	for _, s := range n.sub {
		c := b.predicate(s)
		switch c.truth {
		case absorbing:
			return compiled{always(absorbing), absorbing, 0}
		case neutral:
			continue
		}
		cost = max(cost, c.cost)
		i := len(parts)
		for i > 0 && parts[i-1].cost > c.cost {
			i--
		}
		parts = append(parts[:i], append([]compiled{c}, parts[i:]...)...)
	}
	switch len(parts) {
	case 0:
		return compiled{always(neutral), neutral, 0}
	case 1:
		return parts[0]
	case 2:
		first, second := parts[0].run, parts[1].run
		return compiled{func(st *state) Truth {
			t := first(st)
			if t == absorbing {
				return t
			}
			if u := second(st); u != neutral {
				return u
			}
			return t
		}, Unknown, cost}
	}
	runs := make([]predicate, len(parts))
	for i := range parts {
		runs[i] = parts[i].run
	}
	return compiled{func(st *state) Truth {
		out := neutral
		for _, run := range runs {
			switch t := run(st); t {
			case absorbing:
				return t
			case Unknown:
				out = t
			}
		}
		return out
	}, Unknown, cost}
}
