package view

import "testing"

func TestPlace(t *testing.T) {
	v := Overlay()
	for _, r := range []Rule{{"/home/*/src", Local, ""}, {"/usr/share/**/*.conf", Remote, ""}, {"/home/me/src/secret", Hide, ""}} {
		if err := v.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]Side{
		"/": Remote, "/etc/passwd": Remote, "/usr": Local, "/usr/lib/x": Local, "/usrx": Remote, "/etc/../usr/x": Local,
		"/home/me/src/a/b": Local, "/home/me/sr": Remote, "/home/a/b/src": Remote, "/usr/share/a/b/x.conf": Remote,
		"/usr/share/x.conf": Local, "/home/me/src/secret/x": Hide, "/dev/null": Local,
	} {
		if got, _, _ := v.Place(name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if err := v.Add(Rule{"relative", Local, ""}); err == nil {
		t.Error("a relative glob was accepted")
	}
	if err := v.Add(Rule{"/a[", Local, ""}); err == nil {
		t.Error("a broken glob was accepted")
	}
}

func TestPrefixView(t *testing.T) {
	v, err := PrefixView("/r/")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"/r": "/", "/r/etc/x": "/etc/x", "/r/../r/a": "/a"} {
		if side, far, _ := v.Place(name); side != Remote || far != want || v.Near(far) != "/r"+want && v.Near(far) != "/r" {
			t.Errorf("%s: %v %s", name, side, far)
		}
	}
	if side, _, _ := v.Place("/rr"); side != Local {
		t.Error("/rr is not below /r")
	}
	for _, bad := range []string{"", "/", "r", "/.."} {
		if _, err := PrefixView(bad); err == nil {
			t.Errorf("prefix %q was accepted", bad)
		}
	}
}

func TestJoin(t *testing.T) {
	for _, c := range [][3]string{
		{"/a/b", "c", "/a/b/c"}, {"/a/b", "../c", "/a/c"}, {"/a/b", "..", "/a"}, {"/a/b", ".", "/a/b"}, {"/", "x", "/x"},
		{"/a", "../../..", "/"}, {"/a/b", "./c/../d", "/a/b/c/../d"}, {"/a", "..x", "/a/..x"}, {"/a", ".x/", "/a/.x/"},
		{"/a/b", ".././/c", "/a/c"},
	} {
		if got := Join(c[0], c[1]); got != c[2] {
			t.Errorf("join(%q, %q) = %q, want %q", c[0], c[1], got, c[2])
		}
	}
}

func TestParseSide(t *testing.T) {
	for s := Local; s <= ReadOnly; s++ {
		if got, err := ParseSide(s.String()); got != s || err != nil {
			t.Errorf("%v: %v %v", s, got, err)
		}
	}
	if _, err := ParseSide("elsewhere"); err == nil {
		t.Error("accepted")
	}
}
