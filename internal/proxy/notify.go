package proxy

import (
	"context"
	"os/exec"

	"farcall"
)

func (p *Proxy) notify(ctx context.Context, cmd *exec.Cmd) (Status, error) {
	return Status{}, farcall.ErrNotSupported
}
