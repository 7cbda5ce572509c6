package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
)

// Dial connects to a server. For ssh and kubectl it runs the user's own command, with all its configuration, and a server there: what it says goes
// to stderr. secure, if not nil, is how a TCP server proves what it is.
func Dial(ctx context.Context, a Address, secure *tls.Config, stderr io.Writer) (io.ReadWriteCloser, error) {
	if c := a.command(); c != nil {
		return start(exec.Command(c[0], c[1:]...), stderr)
	}
	if a.Network == "vsock" {
		to, err := parseVsock(a.Addr)
		if err != nil {
			return nil, err
		}
		return dialVsock(to)
	}
	if secure != nil {
		return (&tls.Dialer{Config: secure}).DialContext(ctx, a.Network, a.Addr)
	}
	return new(net.Dialer).DialContext(ctx, a.Network, a.Addr)
}

// DialCommand starts a shell command that runs a server over its standard streams: ssh, kubectl exec. Closing the connection ends
// its input and waits for it.
func DialCommand(command string, stderr io.Writer) (io.ReadWriteCloser, error) {
	return start(exec.Command("/bin/sh", "-c", command), stderr)
}

func start(cmd *exec.Cmd, stderr io.Writer) (io.ReadWriteCloser, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", cmd, err)
	}
	// Not StdoutPipe: Wait would close it under a reader.
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", cmd, err)
	}
	cmd.Stdout, cmd.Stderr = w, stderr
	err = cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("run %s: %w", cmd, err)
	}
	return &process{r, in, cmd}, nil
}

// A process is a connection to a command that we have started.
type process struct {
	*os.File
	in  io.WriteCloser
	cmd *exec.Cmd
}

func (p *process) Write(b []byte) (int, error) { return p.in.Write(b) }

func (p *process) Close() error {
	err := p.in.Close()
	if errors.Is(err, os.ErrClosed) { // closed before
		return nil
	}
	return errors.Join(err, p.cmd.Wait(), p.File.Close())
}
