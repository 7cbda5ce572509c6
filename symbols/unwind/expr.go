package unwind

// Limits on expressions: those of frame information have about ten operations.
const (
	maxExprSteps = 1024
	maxExprStack = 64
)

// The operations (DWARF 5, 7.7.1).
const (
	opAddr       = 0x03
	opDeref      = 0x06
	opConst1u    = 0x08
	opConst8s    = 0x0f
	opConstu     = 0x10
	opConsts     = 0x11
	opDup        = 0x12
	opDrop       = 0x13
	opOver       = 0x14
	opPick       = 0x15
	opSwap       = 0x16
	opRot        = 0x17
	opAbs        = 0x19
	opAnd        = 0x1a
	opDiv        = 0x1b
	opMinus      = 0x1c
	opMod        = 0x1d
	opMul        = 0x1e
	opNeg        = 0x1f
	opNot        = 0x20
	opOr         = 0x21
	opPlus       = 0x22
	opPlusUconst = 0x23
	opShl        = 0x24
	opShr        = 0x25
	opShra       = 0x26
	opXor        = 0x27
	opBra        = 0x28
	opEq         = 0x29
	opGe         = 0x2a
	opGt         = 0x2b
	opLe         = 0x2c
	opLt         = 0x2d
	opNe         = 0x2e
	opSkip       = 0x2f
	opLit0       = 0x30
	opLit31      = 0x4f
	opBreg0      = 0x70
	opBreg31     = 0x8f
	opBregx      = 0x92
	opDerefSize  = 0x94
	opNop        = 0x96
)

// evaluate runs an expression. push, if true, puts cfa on the stack first. bias is added to
// addresses in it.
func (u *Unwinder) evaluate(m *Machine, expr []byte, regs *Regs, cfa uint64, push bool, bias uint64) (uint64, bool) {
	var stack [maxExprStack]uint64
	n := 0
	if push {
		stack[0], n = cfa, 1
	}
	r := &reader{b: expr, order: m.order}
	for steps := 0; r.rest() > 0; steps++ {
		u.work--
		op := r.byte()
		need, makes := arity(op)
		if steps > maxExprSteps || n < need || n-need+makes > maxExprStack {
			return 0, false
		}
		top := stack[n-need : n]
		var v uint64
		switch {
		case op >= opLit0 && op <= opLit31:
			v = uint64(op - opLit0)
		case op >= opBreg0 && op <= opBreg31, op == opBregx:
			reg := uint64(op) - opBreg0
			if op == opBregx {
				reg = r.uleb()
			}
			base, ok := regs.Get(int(min(reg, maxRegs)))
			if !ok {
				return 0, false
			}
			v = base + uint64(r.sleb())
		case op >= opConst1u && op <= opConst8s:
			size := 1 << ((op - opConst1u) / 2)
			if op&1 == 0 {
				v = r.fixed(size)
			} else {
				v = uint64(r.signed(size))
			}
		case op == opAddr:
			v = r.fixed(m.Word) + bias
		case op == opConstu:
			v = r.uleb()
		case op == opConsts:
			v = uint64(r.sleb())
		case op == opDeref, op == opDerefSize:
			size := m.Word
			if op == opDerefSize {
				size = int(r.byte())
			}
			var ok bool
			if v, ok = u.load(m, top[0], size); !ok {
				return 0, false
			}
		case op == opPick:
			i := int(r.byte())
			if i >= n {
				return 0, false
			}
			v = stack[n-1-i]
		case op == opDup:
			v = top[0]
			need = 0
		case op == opOver:
			v = top[0]
			need = 0
		case op == opSwap:
			top[0], top[1] = top[1], top[0]
			continue
		case op == opRot:
			top[0], top[1], top[2] = top[2], top[0], top[1]
			continue
		case op == opPlusUconst:
			v = top[0] + r.uleb()
		case op == opSkip, op == opBra:
			d := int(r.signed(2))
			if op == opBra {
				n--
				if top[0] == 0 {
					continue
				}
			}
			if r.at+d < 0 || r.at+d > len(expr) {
				return 0, false
			}
			r.at += d
			continue
		case op == opNop:
			continue
		case op == opDrop:
			n--
			continue
		case need == 1:
			v = unary(op, top[0])
		case need == 2:
			var ok bool
			if v, ok = binaryOp(op, top[0], top[1]); !ok {
				return 0, false
			}
		default:
			return 0, false
		}
		if r.bad {
			return 0, false
		}
		n -= need
		stack[n] = m.narrow(v)
		n++
	}
	if n == 0 {
		return 0, false
	}
	return stack[n-1], true
}

// arity is how many values an operation takes and how many it leaves.
func arity(op byte) (need, makes int) {
	switch op {
	case opDeref, opDerefSize, opAbs, opNeg, opNot, opPlusUconst:
		return 1, 1
	case opDup:
		return 1, 2
	case opDrop, opBra:
		return 1, 0
	case opOver:
		return 2, 3
	case opSwap:
		return 2, 2
	case opRot:
		return 3, 3
	case opSkip, opNop:
		return 0, 0
	case opAnd, opDiv, opMinus, opMod, opMul, opOr, opPlus, opShl, opShr, opShra, opXor,
		opEq, opGe, opGt, opLe, opLt, opNe:
		return 2, 1
	}
	return 0, 1
}

func unary(op byte, a uint64) uint64 {
	switch op {
	case opAbs:
		if int64(a) < 0 {
			return -a
		}
		return a
	case opNeg:
		return -a
	}
	return ^a
}

func binaryOp(op byte, a, b uint64) (uint64, bool) {
	truth := func(t bool) (uint64, bool) {
		if t {
			return 1, true
		}
		return 0, true
	}
	switch op {
	case opAnd:
		return a & b, true
	case opDiv:
		if b == 0 || int64(a) == -1<<63 && int64(b) == -1 {
			return 0, false
		}
		return uint64(int64(a) / int64(b)), true
	case opMinus:
		return a - b, true
	case opMod:
		if b == 0 {
			return 0, false
		}
		return a % b, true
	case opMul:
		return a * b, true
	case opOr:
		return a | b, true
	case opPlus:
		return a + b, true
	case opShl:
		return a << b, true
	case opShr:
		return a >> b, true
	case opShra:
		return uint64(int64(a) >> b), true
	case opXor:
		return a ^ b, true
	case opEq:
		return truth(a == b)
	case opGe:
		return truth(int64(a) >= int64(b))
	case opGt:
		return truth(int64(a) > int64(b))
	case opLe:
		return truth(int64(a) <= int64(b))
	case opLt:
		return truth(int64(a) < int64(b))
	case opNe:
		return truth(a != b)
	}
	return 0, false
}
