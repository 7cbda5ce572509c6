package symbols

import (
	"bufio"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The words of relocations are those that readelf lists.
func TestSlotsAgainstReadelf(t *testing.T) {
	name := libc(t)
	f := open(t, name, none{})
	want := map[string][]uint64{} // by resolver or name
	lines := bufio.NewScanner(strings.NewReader(run(t, "readelf", "-rW", name)))
	for lines.Scan() {
		w := strings.Fields(lines.Text())
		if len(w) < 4 || !strings.HasPrefix(w[2], "R_") {
			continue
		}
		at, err := strconv.ParseUint(w[0], 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		switch kind := w[2]; {
		case strings.Contains(kind, "IRELATIV"):
			want["0x"+w[3]] = append(want["0x"+w[3]], at)
		case strings.Contains(kind, "JUMP_SLO") || strings.Contains(kind, "GLOB_DAT"):
			key := Unversioned(w[4])
			want[key] = append(want[key], at)
		}
	}
	if len(want) < 20 {
		t.Fatalf("readelf lists %d", len(want))
	}
	for key, slots := range want {
		var got []uint64
		if strings.HasPrefix(key, "0x") {
			resolver, err := strconv.ParseUint(key, 0, 64)
			if err != nil {
				t.Fatal(err)
			}
			got = f.ResolverSlots(resolver)
		} else {
			got = f.ImportSlots(key)
		}
		slices.Sort(got)
		slices.Sort(slots)
		if !slices.Equal(got, slots) {
			t.Errorf("%s: %#x, readelf has %#x", key, got, slots)
		}
	}
	if f.ImportSlots("no such function") != nil || f.ResolverSlots(1) != nil {
		t.Error("slots of nothing")
	}
}
