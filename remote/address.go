// Package remote says where servers of remote execution are and connects to them. What is spoken over a connection is in
// the packages wire, client and server below it.
package remote

import (
	"fmt"
	"net"
	"strings"
)

// An Address is where a server listens.
type Address struct {
	Network string // "unix" or "tcp"
	Addr    string // a path, or HOST:PORT
}

func (a Address) String() string { return a.Network + "://" + a.Addr }

// ParseAddress reads unix:///PATH or tcp://HOST:PORT.
func ParseAddress(s string) (Address, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return Address{}, fmt.Errorf("address %q: no scheme: unix:///PATH or tcp://HOST:PORT", s)
	}
	switch scheme {
	case "unix":
		if !strings.HasPrefix(rest, "/") {
			return Address{}, fmt.Errorf("address %q: the path has to begin with a slash: unix:///PATH", s)
		}
		return Address{"unix", rest}, nil
	case "tcp":
		if host, port, err := net.SplitHostPort(rest); err != nil || host == "" || port == "" {
			return Address{}, fmt.Errorf("address %q: not tcp://HOST:PORT", s)
		}
		return Address{"tcp", rest}, nil
	case "ssh", "kubectl", "vsock":
		return Address{}, fmt.Errorf("address %q: %s:// is not in this version of farcall; a command that speaks over its standard streams can be used: --command", s, scheme)
	}
	return Address{}, fmt.Errorf("address %q: unknown scheme %s: unix:///PATH or tcp://HOST:PORT", s, scheme)
}

// Loopback tells that an address can be reached from this host only.
func (a Address) Loopback() bool {
	if a.Network == "unix" {
		return true
	}
	host, _, err := net.SplitHostPort(a.Addr)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}
