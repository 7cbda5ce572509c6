package syscalls

// An Op is an operation of an Expr.
type Op uint8

// The operations. Binary ones use L and R; comparisons and logic give 0 or 1.
const (
	OpNum   Op = iota // Num
	OpArg             // the register of argument Num
	OpField           // the value of member Num of the structure that is being read
	OpParam           // parameter Num ($1 is 0) that the place using the structure gave it
	OpRet             // the call's result, 0 before it is known or when it failed
	OpDeref           // the integer behind pointer argument Num, as it is now
	OpAdd
	OpSub
	OpMul
	OpDiv
	OpAnd
	OpOr
	OpShr
	OpEq
	OpNe
	OpLt
	OpGt
	OpLand
	OpLor
	OpNot
	OpErr     // the error number of a call that failed, else 0
	OpNetlink // 1 more than the family of the netlink socket with descriptor L, 0 if it is none
	OpMin     // the smaller of two signed numbers, 0 if it is negative
)

// An Expr computes a length, a selector or a condition from numbers that are known when a
// value is read.
type Expr struct {
	Op   Op
	Num  uint64
	L, R *Expr
}

// A Scope gives the values that an Expr refers to.
type Scope interface {
	Arg(i int) uint64
	Field(i int) uint64
	Param(i int) uint64
	Ret() uint64
	Err() uint64
	Deref(i int) uint64
	Netlink(fd int32) uint64
}

// Eval computes the expression. Division by zero gives 0.
func (e *Expr) Eval(s Scope) uint64 {
	switch e.Op {
	case OpNum:
		return e.Num
	case OpArg:
		return s.Arg(int(e.Num))
	case OpField:
		return s.Field(int(e.Num))
	case OpParam:
		return s.Param(int(e.Num))
	case OpRet:
		return s.Ret()
	case OpErr:
		return s.Err()
	case OpDeref:
		return s.Deref(int(e.Num))
	case OpNetlink:
		return s.Netlink(int32(e.L.Eval(s)))
	case OpNot:
		return truth(e.L.Eval(s) == 0)
	case OpLand:
		return truth(e.L.Eval(s) != 0 && e.R.Eval(s) != 0)
	case OpLor:
		return truth(e.L.Eval(s) != 0 || e.R.Eval(s) != 0)
	}
	l, r := e.L.Eval(s), e.R.Eval(s)
	switch e.Op {
	case OpMin:
		return uint64(max(0, min(int64(l), int64(r))))
	case OpAdd:
		return l + r
	case OpSub:
		return l - r
	case OpMul:
		return l * r
	case OpDiv:
		if r == 0 {
			return 0
		}
		return l / r
	case OpAnd:
		return l & r
	case OpOr:
		return l | r
	case OpShr:
		return l >> (r & 63)
	case OpEq:
		return truth(l == r)
	case OpNe:
		return truth(l != r)
	case OpLt:
		return truth(l < r)
	case OpGt:
		return truth(l > r)
	}
	return 0
}

func truth(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// UsesResult tells whether the value depends on what became of the call.
func (e *Expr) UsesResult() bool {
	return e != nil && (e.Op == OpRet || e.Op == OpErr || e.L.UsesResult() || e.R.UsesResult())
}
