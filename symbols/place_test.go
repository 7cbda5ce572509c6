package symbols

import (
	"bufio"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

func TestParseMaps(t *testing.T) {
	text := "555555554000-555555555000 r--p 00000000 08:01 1234                       /usr/bin/a b\n" +
		"555555555000-555555556000 r-xp 00001000 08:01 1234                       /usr/bin/a b\n" +
		"7ffff7fc1000-7ffff7fc3000 r-xp 00000000 00:00 0                          [vdso]\n" +
		"7ffff7d00000-7ffff7d01000 rwxs 00002000 00:01 77                         /memfd:code (deleted)\n" +
		"7ffff7e00000-7ffff7e01000 rw-p 00000000 00:00 0 \n" +
		"7ffff7f00000-7ffff7f01000 r-xp 00000000 08:01 9                          /tmp/x\\012y (deleted)\n"
	maps, err := ParseMaps(text)
	if err != nil || len(maps) != 6 {
		t.Fatalf("%v, %v", maps, err)
	}
	if m := maps[1]; m.Start != 0x555555555000 || m.End != 0x555555556000 || !m.Exec || m.Write || m.Offset != 0x1000 || m.Inode != 1234 || m.Path != "/usr/bin/a b" {
		t.Errorf("%+v", m)
	}
	if m := maps[3]; !m.Deleted || m.Path != "/memfd:code" || !m.Shared || !m.IsFile() {
		t.Errorf("%+v", m)
	}
	if m := maps[5]; m.Path != "/tmp/x\ny" {
		t.Errorf("%+v", m)
	}
	images := Images(maps)
	if len(images) != 3 || images[0].Path != "/usr/bin/a b" || len(images[0].Mappings) != 2 || images[1].Path != "/memfd:code" {
		t.Errorf("%+v", images)
	}
	for _, bad := range []string{"x", "1-2", "1-2 r--p zz 08:01 5 /x", "2-1 r--p 0 0:0 0", "1-2 r-p 0 0:0 0"} {
		if maps, err := ParseMaps(bad); err == nil {
			t.Errorf("%q: %+v", bad, maps)
		}
	}
}

func TestParseAuxv(t *testing.T) {
	var wide, narrow []byte
	for _, v := range [][2]uint64{{3, 0x1040}, {33, 7}, {9, 0x2000}, {7, 0x3000}, {0, 0}, {9, 1}} {
		wide = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(wide, v[0]), v[1])
		narrow = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(narrow, uint32(v[0])), uint32(v[1]))
	}
	want := Auxv{Phdr: 0x1040, Entry: 0x2000, Base: 0x3000, VDSO: 7}
	if got := ParseAuxv(wide, elf.ELFCLASS64, binary.LittleEndian); got != want {
		t.Errorf("%+v", got)
	}
	if got := ParseAuxv(narrow, elf.ELFCLASS32, binary.BigEndian); got != want {
		t.Errorf("%+v", got)
	}
	if got := ParseAuxv(wide[:20], elf.ELFCLASS64, binary.LittleEndian); got != (Auxv{Phdr: 0x1040}) {
		t.Errorf("%+v", got)
	}
}

// TestPlacements computes biases for made-up program headers.
func TestPlacements(t *testing.T) {
	file := func(kind elf.Type, segments ...Segment) *File {
		return &File{Header: Header{Type: kind}, image: &image{segments: segments}}
	}
	load := func(flags elf.ProgFlag, off, vaddr, size uint64) Segment {
		return Segment{Type: elf.PT_LOAD, Flags: flags, Offset: off, Vaddr: vaddr, Filesz: size, Memsz: size}
	}
	m := func(start, size, off uint64, exec bool) Mapping {
		return Mapping{Start: start, End: start + size, Offset: off, Exec: exec, Read: true, Inode: 1, Path: "/x"}
	}
	pie := file(elf.ET_DYN, load(elf.PF_R, 0, 0, 0x640), load(elf.PF_R|elf.PF_X, 0x1000, 0x1000, 0x200), load(elf.PF_R|elf.PF_W, 0x2dd0, 0x3dd0, 0x260))
	prelinked := file(elf.ET_DYN, load(elf.PF_R|elf.PF_X, 0, 0x3000000000, 0x1800), load(elf.PF_W, 0x1800, 0x3000201800, 0x100))
	fixed := file(elf.ET_EXEC, load(elf.PF_R, 0, 0x400000, 0x500), load(elf.PF_R|elf.PF_X, 0x1000, 0x401000, 0x200))
	for _, tt := range []struct {
		name string
		file *File
		maps []Mapping
		want string // bias start-end count, separated by "; "
	}{
		{"pie", pie, []Mapping{m(0x555500000000, 0x1000, 0, false), m(0x555500001000, 0x1000, 0x1000, true), m(0x555500003000, 0x1000, 0x2000, false)},
			"555500000000 555500000000-555500004000 3"},
		{"text only", pie, []Mapping{m(0x555500001000, 0x1000, 0x1000, true)}, "555500000000 555500001000-555500002000 1"},
		{"twice", pie, []Mapping{m(0x10000, 0x1000, 0, false), m(0x11000, 0x1000, 0x1000, true), m(0x20000, 0x1000, 0, false), m(0x21000, 0x1000, 0x1000, true)},
			"10000 10000-12000 2; 20000 20000-22000 2"},
		{"read as data as well", pie, []Mapping{m(0x8000, 0x4000, 0, false), m(0x11000, 0x1000, 0x1000, true)}, "10000 11000-12000 1"},
		{"only read as data", pie, []Mapping{m(0x8000, 0x4000, 0, false)}, ""},
		{"prelinked in place", prelinked, []Mapping{m(0x3000000000, 0x2000, 0, true), m(0x3000201000, 0x1000, 0x1000, false)}, "0 3000000000-3000202000 2"},
		{"prelinked elsewhere", prelinked, []Mapping{m(0x7000000000, 0x2000, 0, true)}, "4000000000 7000000000-7000002000 1"},
		{"split by mprotect", pie, []Mapping{m(0x11000, 0x800, 0x1000, true)}, "10000 11000-11800 1"},
		{"fixed", fixed, []Mapping{m(0x400000, 0x1000, 0, false), m(0x401000, 0x1000, 0x1000, true)}, "0 400000-402000 2"},
		{"fixed elsewhere", fixed, []Mapping{m(0x501000, 0x1000, 0x1000, true)}, ""},
		{"none", pie, nil, ""},
	} {
		all, err := tt.file.Placements(tt.maps)
		var got []string
		for _, p := range all {
			got = append(got, fmt.Sprintf("%x %x-%x %d", p.Bias, p.Start, p.End, len(p.Mappings)))
		}
		if s := strings.Join(got, "; "); s != tt.want || (err != nil) != (tt.want == "") || err != nil && !errors.Is(err, ErrNotMapped) {
			t.Errorf("%s: %q, %v; want %q", tt.name, s, err, tt.want)
		}
	}
}

const sourceAddresses = `#include <stdio.h>
#include <unistd.h>
int variable = 3;
int function(void) { return 1; }
int main(void) {
	printf("%lx %lx %lx %lx\n", (long)&main, (long)&function, (long)&variable, (long)&puts);
	fflush(stdout);
	for (char c; read(0, &c, 1) > 0;) ;
	return 0;
}
`

// TestBiasOfProcess runs programs that print their addresses, and compares. One is deleted while
// it runs.
func TestBiasOfProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	for _, flags := range [][]string{{"-pie", "-fPIE"}, {"-no-pie"}, {"-static"}, {"-static-pie"}, {"-pie", "-fPIE", "-Wl,-z,noseparate-code"}, {"-pie", "-fPIE", "-Wl,-z,max-page-size=0x200000"}} {
		name := compile(t, "gcc", "a.c", sourceAddresses, flags...)
		cmd := exec.Command(name)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		proc := "/proc/" + strconv.Itoa(cmd.Process.Pid)
		f := open(t, name, none{})
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		text, err1 := os.ReadFile(proc + "/maps")
		auxv, err2 := os.ReadFile(proc + "/auxv")
		in.Close()
		if err3 := cmd.Wait(); errors.Join(err, err1, err2, err3) != nil {
			t.Fatal(err, err1, err2, err3)
		}

		maps, err := ParseMaps(string(text))
		if err != nil {
			t.Fatal(err)
		}
		bias, err := f.BiasFromAuxv(ParseAuxv(auxv, f.Class, f.ByteOrder()))
		if err != nil {
			t.Fatal(err)
		}
		images := Images(maps)
		places, err := f.Placements(images[0].Mappings)
		if err != nil || len(places) != 1 || places[0].Bias != bias || !images[0].Deleted {
			t.Errorf("%v: placements %+v, %v; auxv says 0x%x; %+v", flags, places, err, bias, images[0])
		}
		words := strings.Fields(line)
		for i, sym := range []string{"main", "function", "variable"} {
			want, _ := strconv.ParseUint(words[i], 16, 64)
			if got := resolve(t, f, sym).Addr + bias; got != want {
				t.Errorf("%v: %s is at 0x%x, the program says 0x%x", flags, sym, got, want)
			}
		}
		// Another program's auxiliary vector does not fit.
		if _, err := open(t, libc(t), none{}).BiasFromAuxv(ParseAuxv(auxv, f.Class, f.ByteOrder())); !errors.Is(err, ErrNotMapped) {
			t.Errorf("libc fits: %v", err)
		}
		for _, image := range images[1:] {
			if !strings.Contains(image.Path, "libc.so") {
				continue
			}
			c := open(t, image.Path, none{})
			places, err := c.Placements(image.Mappings)
			if err != nil || len(places) != 1 {
				t.Fatalf("libc: %+v, %v", places, err)
			}
			want, _ := strconv.ParseUint(words[3], 16, 64)
			if got := resolve(t, c, "puts").Addr + places[0].Bias; got != want && flags[0] != "-no-pie" { // there it may be the stub
				t.Errorf("%v: puts is at 0x%x, the program says 0x%x", flags, got, want)
			}
		}
	}
}
