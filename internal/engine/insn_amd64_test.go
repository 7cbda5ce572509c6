package engine

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// TestDecodeSweep compares what decodeInsn says with a disassembler, over all instructions of the C library and the C++ library.
func TestDecodeSweep(t *testing.T) {
	for _, file := range []string{"libc.so.6", "libstdc++.so.6", "libm.so.6"} {
		path, err := exec.Command("gcc", "-print-file-name="+file).Output()
		if err != nil {
			t.Fatal(err)
		}
		code, err := exec.Command("objdump", "-d", "-w", strings.TrimSpace(string(path))).Output()
		if err != nil {
			t.Fatal(err)
		}
		n := sweep(t, code)
		if n < 20_000 {
			t.Errorf("%s: only %d instructions", file, n)
		}
		t.Logf("%s: %d instructions", file, n)
	}
}

func sweep(t *testing.T, raw []byte) (n int) {
	r := bufio.NewScanner(bytes.NewReader(raw))
	r.Buffer(nil, 1<<20)
	for r.Scan() {
		f := strings.Split(r.Text(), "\t")
		if len(f) < 3 || !strings.HasSuffix(f[0], ":") {
			continue
		}
		b, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(f[1]), " ", ""))
		if err != nil || strings.Contains(f[2], "(bad)") {
			continue
		}
		n++
		text, _, _ := strings.Cut(f[2], "#")
		padded := append(bytes.Clone(b), bytes.Repeat([]byte{0x90}, maxInstruction)...)
		in := decodeInsn(padded[:maxInstruction])
		words := strings.Fields(text)
		name := words[0]
		for i := 0; i < len(words)-1 && prefix(words[i]); i++ {
			name = words[i+1]
		}
		wantOK := name != "syscall" && name != "sysenter" && name != "int" && name != "xbegin"
		if in.ok != wantOK {
			t.Errorf("% x %s: ok %v", b, text, in.ok)
			continue
		}
		if !in.ok {
			continue
		}
		if rip := strings.Contains(text, "(%rip)"); rip != (in.disp != 0) {
			t.Errorf("% x %s: disp at %d", b, text, in.disp)
		} else if rip {
			i := strings.Index(text, "(%rip)")
			j := i
			for j > 0 && strings.ContainsRune("-0123456789abcdefx", rune(text[j-1])) {
				j--
			}
			want, err := strconv.ParseInt(text[j:i], 0, 64)
			got := int64(int32(uint32(b[in.disp]) | uint32(b[in.disp+1])<<8 | uint32(b[in.disp+2])<<16 | uint32(b[in.disp+3])<<24))
			if err != nil || got != want {
				t.Errorf("% x %s: distance %#x", b, text, got)
			}
		}
		if call := strings.HasPrefix(name, "call"); call != in.call {
			t.Errorf("% x %s: call %v", b, text, in.call)
		}
		indirect := strings.HasPrefix(name, "ret") || name == "iret" || name == "lret" ||
			(strings.HasPrefix(name, "jmp") || in.call) && strings.Contains(text, " *") && !strings.Contains(text, "*ABS*")
		if indirect != in.absolute {
			t.Errorf("% x %s: absolute %v", b, text, in.absolute)
		}
		if in.push >= 0 && (!strings.HasPrefix(name, "push") || in.skip != len(b)) {
			t.Errorf("% x %s: taken for a push of %d bytes", b, text, in.skip)
		}
		if in.push < 0 && in.skip > 0 && (name != "nop" && name != "endbr64" || in.skip != len(b)) {
			t.Errorf("% x %s: skipped", b, text)
		}
		if in.flags != (name == "pushf" || name == "pushfq") {
			t.Errorf("% x %s: flags %v", b, text, in.flags)
		}
	}
	return n
}

func prefix(s string) bool {
	switch s {
	case "rep", "repz", "repnz", "lock", "bnd", "notrack", "data16", "cs", "ds", "es", "ss", "fs", "gs", "addr32", "xacquire", "xrelease":
		return true
	}
	return strings.HasPrefix(s, "rex")
}

func FuzzDecodeInsn(f *testing.F) {
	for _, s := range []string{"f30f1efa", "55", "4157", "488b0500000000", "c5f877", "62f1fe086f0500000000", "0f05", "ff1500000000", "f3a4", "66"} {
		b, _ := hex.DecodeString(s)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in := decodeInsn(b)
		if in.disp != 0 && (in.disp+4 > len(b) || !in.ok) || in.skip > len(b) {
			t.Errorf("% x: %+v", b, in)
		}
		if _, ok := in.relocated(b, 1<<40, 1<<40+4096); !ok && in.disp == 0 {
			t.Errorf("% x cannot be relocated", b)
		}
	})
}
