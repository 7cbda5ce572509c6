package profile

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"farcall/decode"
	"farcall/event"
	"farcall/syscalls"
	"farcall/syscalls/linux"

	"github.com/google/pprof/profile"
)

// TestMoves: these calls, and no others of amd64, return how many bytes went through a descriptor.
func TestMoves(t *testing.T) {
	want := strings.Fields(`read write pread64 pwrite64 readv writev preadv pwritev preadv2 pwritev2 sendfile copy_file_range
		splice tee vmsplice sendto recvfrom sendmsg recvmsg getdents getdents64 mq_timedreceive`)
	var got []string
	for nr := range syscalls.AMD64.Names() {
		if d := linux.Describe(syscalls.AMD64, nr); d != nil && Moves(d) {
			got = append(got, d.Name)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestProfile reads a profile with the package that pprof reads it with.
func TestProfile(t *testing.T) {
	p := New("/bin/prog", "prog -x")
	stack := []event.StackFrame{
		{IP: 0x7f0000000010, Object: "/lib/libc.so", Position: 0x10, BuildID: "ab", Symbol: "write"},
		{IP: 0x400020, Object: "/bin/prog", Position: 0x20, Symbol: "inlined", File: "a.c", Line: 3, Inline: true},
		{IP: 0x400020, Object: "/bin/prog", Position: 0x20, Symbol: "main", File: "a.c", Line: 9},
		{IP: 0x400030, Object: "/bin/prog", Position: 0x30},
	}
	add := func(name string, ret int64, region string) {
		t.Helper()
		nr, ok := syscalls.AMD64.Number(name)
		if !ok {
			t.Fatalf("no %s", name)
		}
		call := decode.Call{Desc: linux.Describe(syscalls.AMD64, nr), Ret: ret, Failed: ret < 0}
		p.Add(&event.Event{Call: &call, Duration: 5, Stack: stack}, region)
	}
	add("write", 100, "")
	add("write", 20, "")
	add("write", -9, "")
	add("write", -1000, "") // no errno has this number
	add("write", 1, "load")
	add("close", 0, "")
	var out bytes.Buffer
	if err := p.Write(&out); err != nil {
		t.Fatal(err)
	}
	got, err := profile.Parse(&out)
	if err != nil {
		t.Fatal(err)
	}
	types := []string{}
	for _, v := range got.SampleType {
		types = append(types, v.Type+"/"+v.Unit)
	}
	if !slices.Equal(types, []string{"calls/count", "time/nanoseconds", "bytes/bytes"}) || got.DefaultSampleType != "time" {
		t.Errorf("types %q, %s by default", types, got.DefaultSampleType)
	}
	if got.Mapping[0].File != "/bin/prog" {
		t.Errorf("the first mapping is %s", got.Mapping[0].File)
	}
	want := []struct {
		call, errno, region string
		values              []int64
	}{
		{"write", "", "", []int64{2, 10, 120}}, {"write", "EBADF", "", []int64{1, 5, 0}}, {"write", "1000", "", []int64{1, 5, 0}},
		{"write", "", "load", []int64{1, 5, 1}}, {"close", "", "", []int64{1, 5, 0}},
	}
	if len(got.Sample) != len(want) {
		t.Fatalf("%d samples, want %d", len(got.Sample), len(want))
	}
	label := func(s *profile.Sample, key string) string { return strings.Join(s.Label[key], ",") }
	for i, w := range want {
		s := got.Sample[i]
		if !slices.Equal(s.Value, w.values) || label(s, "syscall") != w.call || label(s, "errno") != w.errno || label(s, "region") != w.region {
			t.Errorf("sample %d: %v %v, want %v", i, s.Value, s.Label, w)
		}
		var names []string
		for _, l := range s.Location {
			for _, line := range l.Line {
				names = append(names, line.Function.Name)
			}
		}
		if !slices.Equal(names, []string{w.call, "write", "inlined", "main", "[prog]+0x30"}) {
			t.Errorf("sample %d: %q", i, names)
		}
		if leaf := s.Location[0]; leaf.Mapping.File != kernel || len(s.Location) != 4 {
			t.Errorf("sample %d: a leaf in %s, %d locations", i, leaf.Mapping.File, len(s.Location))
		}
	}
}
