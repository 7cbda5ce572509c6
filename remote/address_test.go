package remote

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseAddress(t *testing.T) {
	for text, want := range map[string]string{
		"unix:///a/b": "unix /a/b", "tcp://[::1]:80": "tcp [::1]:80", "vsock://any:70": "vsock any:70", "vsock://3:4294967295": "vsock 3:4294967295",
		"ssh://me@host:22": "ssh me@host:22", "kubectl://ns/pod/c": "kubectl ns/pod/c",
	} {
		a, err := ParseAddress(text)
		if err != nil || a.Network+" "+a.Addr != want || a.String() != text {
			t.Errorf("%s: %+v, %v", text, a, err)
		}
	}
	for text, says := range map[string]string{
		"": "no scheme", "unix://a": "begin with a slash", "tcp://host": "not tcp://HOST:PORT", "vsock://1:x": "not vsock://CID:PORT",
		"vsock://one:1": "the CID is", "vsock://1:4294967296": "not vsock", "ssh://-oProxyCommand=x": "not ssh://", "kubectl://a": "not kubectl://",
		"kubectl://a/-b": "not kubectl://", "http://a": "unknown scheme http",
	} {
		if _, err := ParseAddress(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %s", text, err, says)
		}
	}
}

func TestParseVsock(t *testing.T) {
	for text, want := range map[string]VsockAddr{
		"any:1": {unix.VMADDR_CID_ANY, 1}, "host:1024": {unix.VMADDR_CID_HOST, 1024}, "local:5": {unix.VMADDR_CID_LOCAL, 5}, "7:8": {7, 8},
	} {
		if a, err := parseVsock(text); err != nil || a != want || a.Privileged() != (want.Port < 1024) {
			t.Errorf("%s: %v, %v", text, a, err)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"unix:///a", "tcp://a:1", "vsock://any:2", "ssh://a@b:3", "kubectl://a/b/c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			return
		}
		if b, err := ParseAddress(a.String()); err != nil || b != a {
			t.Errorf("%q: %+v, again %+v, %v", s, a, b, err)
		}
		for _, arg := range a.command() {
			if strings.HasPrefix(arg, "-o") {
				t.Errorf("%q: an option of ssh: %s", s, arg)
			}
		}
	})
}
