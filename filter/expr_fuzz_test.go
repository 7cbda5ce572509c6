package filter

import (
	"errors"
	"testing"

	"farcall/decode"
	"farcall/syscalls"
	"farcall/syscalls/linux"
)

// exprSeeds are conditions, good and bad, for the fuzz targets.
var exprSeeds = []string{
	`name == openat and args.filename glob "/etc/*" and args.flags has O_CLOEXEC`, `args.flags has any O_CREAT|0x40`,
	`errno in (ENOENT, EACCES) or ret in 1..4k`, `not (failed and duration > 1.5ms)`, `args.vec[*].iov_len & 0xff != -1`,
	`fd.peer =~ /^10\./ && !ok`, `count % 3 == 2 and name in (%file, read)`, `stack has glob "x\x41*"`, `arg0 >= 0xffffffffffffffff`,
	`args.uservaddr.sin_port == 80`, `class has %net`, `abi != i386`, `args.dfd < -100`, `(((`, `"`, `args.`, `ret == 1e5`, `ret == 0x`,
	`args.filename == NULL`, `args.buf contains ("a", 'b')`, `region == "x" and depth >= 2`, `name glob "[a-z]*[!a]"`, "\x80", `ret == 9.9s`,
}

// checkExprError fails unless an error can be shown.
func checkExprError(t *testing.T, text string, err error) {
	t.Helper()
	var ee *ExprError
	if !errors.As(err, &ee) || ee.Message == "" || ee.Offset < 0 || ee.Length < 0 || ee.Offset+ee.Length > len(text) {
		t.Fatalf("%q: %#v", text, err)
	}
	ee.Caret()
	_ = ee.Error()
}

// FuzzParseExpr: what is parsed is written so that it is parsed as the same; what is accepted by the descriptions
// compiles and decides calls.
func FuzzParseExpr(f *testing.F) {
	for _, s := range exprSeeds {
		f.Add(s)
	}
	samples := []*sample{&openatSample, &failedOpen, &noPath, &readSample, &exitSample, &writevSample, &connectIP, &ioctlSample, &i386Pread, &execSample, &masks}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text)
		if err != nil {
			checkExprError(t, text, err)
			return
		}
		again, err := Parse(e.String())
		if err != nil || again.String() != e.String() {
			t.Fatalf("%q: %q: %v, %v", text, e, again, err)
		}
		err = e.Check(Table{})
		if other := again.Check(Table{}); (err == nil) != (other == nil) {
			t.Fatalf("%q: %v; written anew: %v", text, err, other)
		}
		if err != nil {
			checkExprError(t, text, err)
			return
		}
		p, err := e.Compile(Table{})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range samples {
			env := s.env(t)
			entry := p.Entry(env)
			s.exit(env)
			if entry == Unknown {
				entry = truth(p.Exit(env))
			}
			if r := e.Registers(Table{}, s.abi, env.Call.Number); entry == True && !r.Cond.Holds(&env.Call.Regs) || r.Exact && r.Cond.Holds(&env.Call.Regs) != (entry == True) {
				t.Fatalf("%q: %s: %v, registers %v (exact %v)", text, s.name, entry, r.Cond, r.Exact)
			}
		}
	})
}

// FuzzRegisters: what the registers of any call refuse, the whole condition refuses; where they decide, they decide
// as it does.
func FuzzRegisters(f *testing.F) {
	for i, s := range exprSeeds {
		f.Add(s, uint8(i), uint16(257), uint64(3), ^uint64(99), uint64(0xffffffff_00000041))
	}
	f.Fuzz(func(t *testing.T, text string, abi uint8, nr uint16, a, b, c uint64) {
		e, err := Parse(text)
		if err != nil || e.Check(Table{}) != nil {
			return
		}
		kind := syscalls.ABI(abi % uint8(syscalls.NumABI))
		desc := linux.Describe(kind, uint64(nr))
		if desc == nil || linux.Multiplexes(kind, desc.Name) {
			return
		}
		regs := [6]uint64{a, b, c, c, b, a}
		if kind == syscalls.I386 {
			for i := range regs {
				regs[i] &= 0xffffffff
			}
		}
		p, err := e.Compile(Table{})
		if err != nil {
			t.Fatal(err)
		}
		var call decode.Call
		call.Enter(desc, kind, uint64(nr), regs, space{b: "x\x00", c: words(a, b)}, decode.Options{})
		env := &Env{Call: &call}
		truth := p.Entry(env)
		if truth == Unknown {
			call.Exit(int64(a), int64(a) < 0 && int64(a) > -4096)
			truth = False
			if p.Exit(env) {
				truth = True
			}
		}
		r := e.Registers(Table{}, kind, uint64(nr))
		if holds := r.Cond.Holds(&regs); truth == True && !holds || r.Exact && holds != (truth == True) {
			t.Fatalf("%q: %v %s %#x: %v, registers %v (exact %v)", text, kind, desc.Name, regs, truth, r.Cond, r.Exact)
		}
	})
}

// FuzzParseCalls: every line has a set and a rest, or an error that can be shown.
func FuzzParseCalls(f *testing.F) {
	for _, s := range []string{"openat if ok", "%file|/^open/ then", "any", "/a\\/b/@64,read", "?x|", "512@x32", "/(/", "read@", "%%stat"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		set, rest, err := ParseCalls(text, 0)
		if err != nil {
			checkExprError(t, text, err)
			return
		}
		if set == nil || rest < 0 || rest > len(text) {
			t.Fatalf("%q: rest %d", text, rest)
		}
	})
}
