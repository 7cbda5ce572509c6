package cache

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestProfile(t *testing.T) {
	key := ProfileKey("unix:///s", []string{"/usr/bin/cat", "x"}, "/home")
	p := &Profile{Key: key}
	for _, u := range []Use{
		{UseLink, 0, "/l"}, {UseFile, 0, "/o"}, {UseContent, 7, "/o"}, {UseFile, 0, "/o"}, {UseNames, 0, "/d"}, {UseEntries, 0, "/d"},
		{UseNames, 0, "/d"}, {UseNames, 0, "/n\n\"x\xff"}, {UseLink, 0, "/l"}, {UseLink, 0, "relative"}, {UseLink, 0, "/a/../b"},
	} {
		p.Note(u.Kind, u.Path, u.Size)
	}
	want := []Use{{UseLink, 0, "/l"}, {UseContent, 7, "/o"}, {UseEntries, 0, "/d"}, {UseNames, 0, "/n\n\"x\xff"}}
	if !reflect.DeepEqual(p.Uses, want) {
		t.Errorf("%+v, want %+v", p.Uses, want)
	}
	file := ProfileFile(filepath.Join(t.TempDir(), "a/b"), key)
	if none, err := ReadProfile(file, key); err != nil || len(none.Uses) > 0 {
		t.Errorf("%+v %v", none, err)
	}
	if err := p.Write(file); err != nil {
		t.Fatal(err)
	}
	got, err := ReadProfile(file, key)
	if err != nil || got.Key != key || !reflect.DeepEqual(got.Uses, want) {
		t.Errorf("%+v %v", got, err)
	}
	other := ProfileKey("unix:///s", []string{"dog"}, "/home")
	if got, err := ReadProfile(file, other); !errors.Is(err, errProfile) || len(got.Uses) > 0 || got.Key != other {
		t.Errorf("%+v %v", got, err)
	}
	if err := os.WriteFile(file, make([]byte, maxProfile+10), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadProfile(file, key); !errors.Is(err, errProfile) {
		t.Errorf("one that is too large: %v", err)
	}
	var none *Profile
	none.Note(UseLink, "/x", 0)
}

func TestProfileLimits(t *testing.T) {
	dir := t.TempDir()
	p := &Profile{Key: "k"}
	for i := range maxUses + 10 {
		p.Note(UseLink, "/"+strings.Repeat("x", 200)+string(rune('a'+i%26))+strings.Repeat("y", i/26), 0)
	}
	if len(p.Uses) != maxUses {
		t.Errorf("%d uses", len(p.Uses))
	}
	b := p.Format()
	if got, err := ParseProfile(b); err != nil || len(b) > maxProfile || len(got.Uses) == 0 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	p.Uses = nil
	for i := range maxProfiles + 3 {
		if err := p.Write(ProfileFile(dir, string(rune('a'+i)))); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := os.ReadDir(dir); err != nil || len(all) != maxProfiles {
		t.Errorf("%d files, %v", len(all), err)
	}
}

func TestProfileKey(t *testing.T) {
	same := func(a, b []string) bool { return ProfileKey("s", a, "/") == ProfileKey("s", b, "/") }
	for _, c := range []struct {
		a, b []string
		same bool
	}{
		{[]string{"cat", "a"}, []string{"/bin/cat", "b"}, true},
		{[]string{"bash", "a"}, []string{"bash", "b"}, false},
		{[]string{"python3.11", "a"}, []string{"python3.11", "b"}, false},
		{[]string{"bash", "-c", "a"}, []string{"bash", "-c", "b"}, true},
		{[]string{"git", "log"}, []string{"git", "status"}, false},
	} {
		if same(c.a, c.b) != c.same {
			t.Errorf("%q, %q", c.a, c.b)
		}
	}
	if ProfileKey("s", []string{"a"}, "/x") == ProfileKey("s", []string{"a"}, "/") || ProfileKey("s\n", []string{"a"}, "/x") == ProfileKey("s", []string{"a"}, "/x") {
		t.Error("keys do not differ")
	}
}

func FuzzParseProfile(f *testing.F) {
	p := &Profile{Key: ProfileKey("s", []string{"a b"}, "/\n")}
	p.Note(UseContent, "/a \"b", 5)
	p.Note(UseEntries, "/\xff", 0)
	f.Add(p.Format())
	f.Add([]byte(profileHeading + "\nk\nd 0 \"/x/../y\"\n"))
	f.Add([]byte(profileHeading + "\nk\no -1 \"/x\"\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseProfile(b)
		if err != nil {
			if !errors.Is(err, errProfile) {
				t.Fatal(err)
			}
			return
		}
		for _, u := range p.Uses {
			if !Plain(u.Path) || u.Size < 0 {
				t.Fatalf("%+v", u)
			}
		}
		again, err := ParseProfile(p.Format())
		if err != nil || again.Key != p.Key || len(again.Uses) > len(p.Uses) {
			t.Fatalf("%v: %+v", err, again)
		}
	})
}

func TestParseSavers(t *testing.T) {
	for list, want := range map[string]Savers{
		"all": AllSavers, "none": 0, "start": SaveStart, "lists,writes": SaveLists | SaveWrites, "-profile": AllSavers &^ SaveProfile,
		"all,-start,-lists": AllSavers &^ (SaveStart | SaveLists), "none,contents": SaveContents,
	} {
		if got, err := ParseSavers(list); err != nil || got != want {
			t.Errorf("%s: %v %v", list, got, err)
		}
	}
	for _, list := range []string{"", "x", "-all", "start,", "-none"} {
		if _, err := ParseSavers(list); err == nil {
			t.Errorf("%q is accepted", list)
		}
	}
	if s := (SaveStart | SaveWrites).String() + " " + NoSavers.String(); s != "start,writes none" {
		t.Error(s)
	}
}
