// Package remote says where servers of remote execution are and connects to them. What is spoken over a connection is in
// the packages wire, client and server below it.
package remote

import (
	"fmt"
	"net"
	"strings"
)

// An Address is where a server is.
type Address struct {
	Network string // "unix", "tcp", "vsock", "ssh" or "kubectl"
	Addr    string // a path; HOST:PORT; CID:PORT; [USER@]HOST[:PORT]; NAMESPACE/POD[/CONTAINER]
}

func (a Address) String() string { return a.Network + "://" + a.Addr }

// ParseAddress reads unix:///PATH, tcp://HOST:PORT, vsock://CID:PORT, ssh://[USER@]HOST[:PORT] or kubectl://NAMESPACE/POD[/CONTAINER].
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
	case "ssh":
		if rest == "" || strings.HasPrefix(rest, "-") || strings.Contains(rest, "/") {
			return Address{}, fmt.Errorf("address %q: not ssh://[USER@]HOST[:PORT]", s)
		}
		return Address{"ssh", rest}, nil
	case "kubectl":
		parts := strings.Split(rest, "/")
		bad := len(parts) < 2 || len(parts) > 3
		for _, p := range parts {
			bad = bad || p == "" || p[0] == '-'
		}
		if bad {
			return Address{}, fmt.Errorf("address %q: not kubectl://NAMESPACE/POD[/CONTAINER]", s)
		}
		return Address{"kubectl", rest}, nil
	case "vsock":
		if _, err := parseVsock(rest); err != nil {
			return Address{}, err
		}
		return Address{"vsock", rest}, nil
	}
	return Address{}, fmt.Errorf("address %q: unknown scheme %s: unix, tcp, vsock, ssh or kubectl", s, scheme)
}

// serveCommand is what is run there: whoever may run commands there may do all this without us.
const serveCommand = "farcall serve --stdio --allow rw --connect all --connect unix --bind all --bind unix"

// command is the user's command that reaches the address, nil if it is connected to.
func (a Address) command() []string {
	switch a.Network {
	case "ssh":
		host, port, ok := strings.Cut(a.Addr, ":")
		args := []string{"ssh", "-T"}
		if ok {
			args = append(args, "-p", port)
		}
		return append(args, "--", host, serveCommand)
	case "kubectl":
		parts := strings.Split(a.Addr, "/")
		args := []string{"kubectl", "exec", "-i", "-n", parts[0], parts[1]}
		if len(parts) == 3 {
			args = append(args, "-c", parts[2])
		}
		return append(append(args, "--"), strings.Fields(serveCommand)...)
	}
	return nil
}

// StartsServer tells that connecting starts a server, which ends with the connection.
func (a Address) StartsServer() bool { return a.command() != nil }

// Host is the host of a TCP address.
func (a Address) Host() string {
	host, _, _ := net.SplitHostPort(a.Addr)
	return host
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
