package filter

// Needs says what has to be known to decide the condition for the calls of a table that can satisfy it.
func (e *Expr) Needs(t Table) Needs {
	var needs Needs
	var ofArgs []*leaf
	e.root.leaves(func(l *leaf) bool {
		needs |= l.field.needs
		if l.field.kind == fieldArgs || l.field.kind == fieldFD {
			ofArgs = append(ofArgs, l)
		}
		return true
	})
	if len(ofArgs) == 0 {
		return needs
	}
	for _, call := range t.list() {
		if e.root.byNumber(&call) == False {
			continue
		}
		for _, b := range bind(call.call, call.abi) {
			for _, l := range ofArgs {
				bound := b.leaf(l)
				if bound.truth != Unknown {
					continue
				}
				needs |= bound.needs()
			}
		}
	}
	return needs
}

// needs is what has to be known to decide a bound leaf about an argument.
func (l *binding) needs() Needs {
	if l.cond != nil && !l.missing {
		return 0
	}
	needs := NeedArgs
	for i := range l.places {
		p := &l.places[i]
		switch p.meaning {
		case "path":
			needs |= NeedFD
		case "peer":
			needs |= NeedPeer
		}
		if p.late {
			needs |= NeedExit
		}
	}
	return needs
}

// Needs says what the program asks of its [Env].
func (p *Program) Needs() Needs { return p.needs }
