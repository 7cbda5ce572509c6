package unwind

// ruleKind is how a register of the caller is found (DWARF 5, 6.4.1).
type ruleKind uint8

const (
	ruleNone     ruleKind = iota // nothing is said
	ruleUndef                    // not recoverable; for the return address: there is no caller
	ruleSame                     // the callee has not changed it
	ruleOffset                   // in memory at CFA+value
	ruleValue                    // is CFA+value
	ruleRegister                 // is in register reg
	ruleExpr                     // in memory at the value of the expression
	ruleValExpr                  // is the value of the expression
	ruleCFA                      // for the CFA: register reg + value
)

type rule struct {
	kind ruleKind
	reg  uint8
	off  int64
	expr []byte
}

// column is the rule of one register.
type column struct {
	reg  uint8
	rule rule
}

// row says how to get from a function's registers at an address to those of its caller.
type row struct {
	cfa    rule
	regs   []column
	ra     uint8 // number of the return address's column
	signal bool
	signed bool // the return address is signed (arm64)
}

func (r *row) set(reg uint64, to rule) {
	if reg >= maxRegs {
		return // vector registers and the like
	}
	for i := range r.regs {
		if r.regs[i].reg == uint8(reg) {
			r.regs[i].rule = to
			return
		}
	}
	r.regs = append(r.regs, column{uint8(reg), to})
}

func (r *row) get(reg uint8) rule {
	for i := range r.regs {
		if r.regs[i].reg == reg {
			return r.regs[i].rule
		}
	}
	return rule{}
}

// Limits on the programs of frame information. The longest that was found in 1,862 files has 33,659 bytes: rustc's
// driver.
const (
	maxSteps    = 1 << 17
	maxRemember = 64
)

// run executes the programs of an FDE up to an address, and takes its steps off work. It fails where they are malformed or
// work is used up.
func (d *fde) run(m *Machine, addr, tableAddr uint64, work *int) (*row, bool) {
	limit := min(maxSteps, *work)
	steps := 0
	defer func() { *work -= steps }()
	out := &row{ra: uint8(d.cie.ra), signal: d.cie.signal}
	p := program{m: m, cie: d.cie, row: out, at: d.start, target: addr, steps: &steps, limit: limit, here: tableAddr}
	if !p.run(d.cie.program) {
		return nil, false
	}
	p.initial = append([]column(nil), out.regs...)
	p.at = d.start
	if !p.run(d.program) || out.cfa.kind == ruleNone {
		return nil, false
	}
	return out, true
}

type program struct {
	m       *Machine
	cie     *cie
	row     *row
	initial []column // rules after the CIE's program
	at      uint64   // address that the row holds for
	target  uint64
	steps   *int
	limit   int // of steps
	here    uint64
	stack   []row
}

// run executes one program; false where it is malformed.
func (p *program) run(b []byte) bool {
	r := &reader{b: b, order: p.m.order}
	for r.rest() > 0 {
		if *p.steps++; *p.steps > p.limit {
			return false
		}
		op := r.byte()
		low := uint64(op & 0x3f)
		switch op >> 6 {
		case 1: // DW_CFA_advance_loc
			p.at += low * p.cie.code
		case 2: // DW_CFA_offset
			p.row.set(low, rule{kind: ruleOffset, off: int64(r.uleb()) * p.cie.data})
		case 3: // DW_CFA_restore
			p.restore(low)
		default:
			if !p.extended(op, r) {
				return false
			}
		}
		if r.bad {
			return false
		}
		if p.at > p.target {
			return true
		}
	}
	return true
}

func (p *program) restore(reg uint64) {
	for _, c := range p.initial {
		if uint64(c.reg) == reg {
			p.row.set(reg, c.rule)
			return
		}
	}
	p.row.set(reg, rule{})
}

// remember puts the row on the stack, which keeps the memory of what has been taken off it.
func (p *program) remember() bool {
	n := len(p.stack)
	if n >= maxRemember {
		return false
	}
	*p.steps += len(p.row.regs)
	if n == cap(p.stack) {
		p.stack = append(p.stack, row{})
	}
	p.stack = p.stack[:n+1]
	copyRow(&p.stack[n], p.row)
	return true
}

// recall takes the row off the stack.
func (p *program) recall() bool {
	n := len(p.stack) - 1
	if n < 0 {
		return false
	}
	copyRow(p.row, &p.stack[n])
	p.stack = p.stack[:n]
	return true
}

func copyRow(to, from *row) {
	regs := append(to.regs[:0], from.regs...)
	*to = *from
	to.regs = regs
}

// The instructions without an operand in their low bits (DWARF 5, 7.24, and vendors').
const (
	cfaNop            = 0x00
	cfaSetLoc         = 0x01
	cfaAdvance1       = 0x02
	cfaAdvance2       = 0x03
	cfaAdvance4       = 0x04
	cfaOffsetExt      = 0x05
	cfaRestoreExt     = 0x06
	cfaUndefined      = 0x07
	cfaSameValue      = 0x08
	cfaRegister       = 0x09
	cfaRemember       = 0x0a
	cfaRestoreState   = 0x0b
	cfaDefCFA         = 0x0c
	cfaDefCFAReg      = 0x0d
	cfaDefCFAOffset   = 0x0e
	cfaDefCFAExpr     = 0x0f
	cfaExpression     = 0x10
	cfaOffsetExtSF    = 0x11
	cfaDefCFASF       = 0x12
	cfaDefCFAOffsetSF = 0x13
	cfaValOffset      = 0x14
	cfaValOffsetSF    = 0x15
	cfaValExpression  = 0x16
	cfaNegateRAState  = 0x2d // arm64; elsewhere GNU_window_save
	cfaGNUArgsSize    = 0x2e
	cfaGNUNegOffset   = 0x2f
)

func (p *program) extended(op byte, r *reader) bool {
	row, factor := p.row, p.cie.data
	switch op {
	case cfaNop:
	case cfaSetLoc:
		at, ok := r.pointer(p.cie.enc, p.here, 0, p.m.Word)
		if !ok || p.cie.enc&0x70 != 0 {
			return false // counts from a place that is not known here
		}
		p.at = at
	case cfaAdvance1, cfaAdvance2, cfaAdvance4:
		p.at += r.fixed(1<<(op-cfaAdvance1)) * p.cie.code
	case cfaOffsetExt:
		row.set(r.uleb(), rule{kind: ruleOffset, off: int64(r.uleb()) * factor})
	case cfaOffsetExtSF:
		row.set(r.uleb(), rule{kind: ruleOffset, off: r.sleb() * factor})
	case cfaGNUNegOffset:
		row.set(r.uleb(), rule{kind: ruleOffset, off: -int64(r.uleb()) * factor})
	case cfaValOffset:
		row.set(r.uleb(), rule{kind: ruleValue, off: int64(r.uleb()) * factor})
	case cfaValOffsetSF:
		row.set(r.uleb(), rule{kind: ruleValue, off: r.sleb() * factor})
	case cfaRestoreExt:
		p.restore(r.uleb())
	case cfaUndefined:
		row.set(r.uleb(), rule{kind: ruleUndef})
	case cfaSameValue:
		row.set(r.uleb(), rule{kind: ruleSame})
	case cfaRegister:
		reg, from := r.uleb(), r.uleb()
		if from >= maxRegs {
			row.set(reg, rule{kind: ruleUndef})
		} else {
			row.set(reg, rule{kind: ruleRegister, reg: uint8(from)})
		}
	case cfaExpression:
		row.set(r.uleb(), rule{kind: ruleExpr, expr: r.block()})
	case cfaValExpression:
		row.set(r.uleb(), rule{kind: ruleValExpr, expr: r.block()})
	case cfaRemember:
		return p.remember()
	case cfaRestoreState:
		return p.recall()
	case cfaDefCFA, cfaDefCFASF:
		reg := r.uleb()
		if op == cfaDefCFA {
			return p.defCFA(reg, int64(r.uleb()))
		}
		return p.defCFA(reg, r.sleb()*factor)
	case cfaDefCFAReg:
		return row.cfa.kind == ruleCFA && p.defCFA(r.uleb(), row.cfa.off)
	case cfaDefCFAOffset:
		return row.cfa.kind == ruleCFA && p.defCFA(uint64(row.cfa.reg), int64(r.uleb()))
	case cfaDefCFAOffsetSF:
		return row.cfa.kind == ruleCFA && p.defCFA(uint64(row.cfa.reg), r.sleb()*factor)
	case cfaDefCFAExpr:
		row.cfa = rule{kind: ruleExpr, expr: r.block()}
	case cfaNegateRAState:
		row.signed = !row.signed
	case cfaGNUArgsSize:
		r.uleb()
	default:
		return false
	}
	return true
}

func (p *program) defCFA(reg uint64, off int64) bool {
	if reg >= maxRegs {
		return false
	}
	p.row.cfa = rule{kind: ruleCFA, reg: uint8(reg), off: off}
	return true
}
