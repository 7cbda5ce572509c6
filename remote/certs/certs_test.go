package certs_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"farcall/remote"
	"farcall/remote/certs"
	"farcall/remote/client"
	"farcall/remote/server"
)

// TestMutual has clients with different certificates come to a server: only those of the same authority are served.
func TestMutual(t *testing.T) {
	dir, other := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	for _, d := range []string{dir, other} {
		if err := certs.Make(d, []string{"localhost", "127.0.0.1"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := certs.Make(dir, []string{"x"}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("made again: %v", err)
	}
	if st, err := os.Stat(filepath.Join(dir, "server.key")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("key: %v %v", st, err)
	}
	secure, err := certs.Server(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	l, err := server.Listen(ctx, remote.Address{Network: "tcp", Addr: "127.0.0.1:0"}, secure, false)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- server.New(server.Options{}).ServeListener(ctx, l, nil, nil) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	a := remote.Address{Network: "tcp", Addr: l.Addr().String()}
	config := func(dir, name string) *tls.Config {
		c, err := certs.Client(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	nobody := config(dir, "127.0.0.1")
	nobody.Certificates = nil
	asServer, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	wrongKind := config(dir, "127.0.0.1")
	wrongKind.Certificates = []tls.Certificate{asServer}
	foreign := config(other, "127.0.0.1")
	foreign.RootCAs = config(dir, "").RootCAs // it knows the server, which does not know it
	for _, c := range []struct {
		who    string
		config *tls.Config
		served bool
	}{
		{"the client", config(dir, "127.0.0.1"), true},
		{"the client, by another name of the server", config(dir, "localhost"), true},
		{"the client, which looks for another server", config(dir, "elsewhere"), false},
		{"a client of another authority", config(other, "127.0.0.1"), false},
		{"a client that the server does not know", foreign, false},
		{"a client without certificate", nobody, false},
		{"a client with a server's certificate", wrongKind, false},
		{"a client without TLS", nil, false},
	} {
		conn, err := remote.Dial(t.Context(), a, c.config, os.Stderr)
		if err == nil {
			var session *client.Conn
			if session, err = client.New(conn); err == nil {
				session.Close()
			}
		}
		if (err == nil) != c.served {
			t.Errorf("%s: %v", c.who, err)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	if _, err := certs.Server(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	dir := filepath.Join(t.TempDir(), "c")
	if err := certs.Make(dir, nil); err == nil {
		t.Error("made without a name")
	}
	if err := certs.Make(dir, []string{"x"}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := certs.Client(dir, "x"); err == nil {
		t.Error("an empty authority was accepted")
	}
}
