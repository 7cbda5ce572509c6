package event

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"testing"

	"farcall/decode"
	"farcall/syscalls"
	"farcall/syscalls/linux"
)

// bytesMemory is a program's memory at 0x1000.
type bytesMemory []byte

func (m bytesMemory) Read(addr uint64, b []byte) int {
	if addr < 0x1000 || addr >= 0x1000+uint64(len(m)) {
		return 0
	}
	return copy(b, m[addr-0x1000:])
}

func (m bytesMemory) ReadV(ranges []decode.Range) {
	for i := range ranges {
		ranges[i].N = m.Read(ranges[i].Addr, ranges[i].Buf)
	}
}

// decodeLine encodes an event and reads it back with encoding/json.
func decodeLine(t *testing.T, e *Event) map[string]any {
	t.Helper()
	var b bytes.Buffer
	enc := NewJSON(&b, JSONOptions{Entries: true})
	if err := enc.Encode(e); err != nil {
		t.Fatal(err)
	}
	if err := enc.Flush(); err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(&b)
	d.UseNumber()
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	if d.More() {
		t.Fatal("more than one value in a line")
	}
	return v
}

func TestJSONBytes(t *testing.T) {
	for _, in := range []string{"", "hello", "a\x00b", "\xff\xfe", "\u2028 \U0001F600 \"quote\" \\ \n\r\t\x01\x7f", "half \xe2\x82"} {
		c := new(decode.Call)
		c.Enter(linux.Describe(syscalls.AMD64, nrWrite), syscalls.AMD64, nrWrite, [6]uint64{1, 0x1000, uint64(len(in))},
			bytesMemory(in+"rest"), decode.Options{StringLimit: 100})
		c.Exit(int64(len(in)), false)
		v := decodeLine(t, &Event{Kind: CallExit, TID: 1, PID: 1, Call: c})
		buf := v["args"].(map[string]any)["buf"].(map[string]any)
		got, ok := buf["string"].(string)
		if encoded, isBytes := buf["bytes"].(string); !ok && isBytes {
			b, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil {
				t.Fatal(err)
			}
			got = string(b)
		}
		if got != in {
			t.Errorf("%q became %q", in, got)
		}
	}
}

func TestJSONNumbers(t *testing.T) {
	for _, n := range []uint64{0, 1, math.MaxInt64, math.MaxUint64} {
		c := new(decode.Call)
		c.Enter(linux.Describe(syscalls.AMD64, nrWrite), syscalls.AMD64, nrWrite, [6]uint64{1, 8, n}, bytesMemory{}, decode.Options{})
		c.Exit(-14, true)
		v := decodeLine(t, &Event{Kind: CallExit, TID: 1, PID: 1, Call: c, Time: math.MaxInt64, Duration: math.MaxInt64, IP: math.MaxUint64})
		count := v["args"].(map[string]any)["count"].(map[string]any)["value"].(json.Number).String()
		if want := json.Number(string(appendDecimal(n))).String(); count != want {
			t.Errorf("%d became %s", n, count)
		}
		if v["error"] != "EFAULT" || v["ip"] != "0xffffffffffffffff" {
			t.Errorf("%v", v)
		}
	}
}

// TestJSONAddressResult: brk(2) and mmap(2) return an address.
func TestJSONAddressResult(t *testing.T) {
	const brk, end = 12, 0x5555_0000_1000
	c := new(decode.Call)
	c.Enter(linux.Describe(syscalls.AMD64, brk), syscalls.AMD64, brk, [6]uint64{}, memory{}, decode.Options{})
	c.Exit(end, false)
	result, _ := decodeLine(t, &Event{Kind: CallExit, Call: c})["result"].(map[string]any)
	if result["address"] != "0x555500001000" {
		t.Errorf("result %v", result)
	}
}

func appendDecimal(n uint64) []byte {
	b, _ := json.Marshal(n)
	return b
}

// TestJSONKinds gives every kind of event, with as little as it can have.
func TestJSONKinds(t *testing.T) {
	c := new(decode.Call)
	c.Enter(linux.Describe(syscalls.AMD64, nrGetppid), syscalls.AMD64, nrGetppid, [6]uint64{}, memory{}, decode.Options{})
	for k := range numKinds {
		v := decodeLine(t, &Event{Kind: k, TID: 2, PID: 1, Call: c, Comm: "a\"b", Signo: 9, Lost: true})
		if v["type"] != k.String() || v["tid"] != json.Number("2") || v["comm"] != "a\"b" {
			t.Errorf("%v", v)
		}
	}
}

func FuzzJSONString(f *testing.F) {
	f.Add([]byte("a\x00\xff\"\\"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var got string
		if err := json.Unmarshal(appendQuotedBytes(nil, in), &got); err != nil {
			t.Fatalf("%q: %v", in, err)
		}
		want, _ := json.Marshal(string(in)) // replaces invalid bytes alike
		var plain string
		if err := json.Unmarshal(want, &plain); err != nil || plain != got {
			t.Fatalf("%q became %q, not %q", in, got, plain)
		}
	})
}
