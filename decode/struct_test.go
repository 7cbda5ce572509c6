package decode_test

import (
	"encoding/binary"
	"testing"

	"farcall/decode"
	"farcall/syscalls"
	"farcall/syscalls/linux"
)

// TestStruct decodes siginfo_t of several kinds from bytes.
func TestStruct(t *testing.T) {
	for _, c := range []struct {
		name    string
		signo   uint32
		code    int32
		put     map[int]uint64 // 8-byte words by offset
		want    map[string]uint64
		without []string
	}{
		{"exited child", 17, 1, map[int]uint64{16: 77 | 1000<<32, 24: 3, 32: 5}, map[string]uint64{"si_pid": 77, "si_uid": 1000, "si_status": 3, "si_utime": 5}, []string{"si_addr"}},
		{"fault", 11, 1, map[int]uint64{16: 0x1234}, map[string]uint64{"si_addr": 0x1234}, []string{"si_pid", "si_int"}},
		{"queued", 10, -1, map[int]uint64{16: 9, 24: 42}, map[string]uint64{"si_pid": 9, "si_int": 42, "si_ptr": 42}, []string{"si_addr"}},
		{"timer", 14, -2, map[int]uint64{16: 6 | 2<<32, 24: 1}, map[string]uint64{"si_timerid": 6, "si_overrun": 2, "si_int": 1}, []string{"si_pid"}},
		{"seccomp", 31, 1, map[int]uint64{16: 0x400, 24: 2 | 0xc000003e<<32}, map[string]uint64{"si_call_addr": 0x400, "si_syscall": 2, "si_arch": 0xc000003e}, nil},
		{"bounds", 11, 3, map[int]uint64{16: 1, 32: 2, 40: 3}, map[string]uint64{"si_lower": 2, "si_upper": 3}, []string{"si_pkey"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := make([]byte, 128)
			binary.LittleEndian.PutUint32(b, c.signo)
			binary.LittleEndian.PutUint32(b[8:], uint32(c.code))
			for at, x := range c.put {
				binary.LittleEndian.PutUint64(b[at:], x)
			}
			var call decode.Call
			v := call.Struct(linux.Siginfo(), syscalls.AMD64, b, decode.Options{})
			for name, want := range c.want {
				m := decode.Member(v.Sub, name)
				if m == nil {
					t.Errorf("no %s", name)
				} else if m.Num != want {
					t.Errorf("%s is %#x, want %#x", name, m.Num, want)
				}
			}
			for _, name := range c.without {
				if decode.Member(v.Sub, name) != nil {
					t.Errorf("there is a %s", name)
				}
			}
		})
	}
}
