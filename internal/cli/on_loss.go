package cli

import (
	"strings"
	"time"

	"farcall/internal/message"
	"farcall/remote"
)

// defaultPatience is how long calls wait for another connection.
const defaultPatience = time.Minute

// parseOnLoss reads --on-loss. A session can only be resumed at a server that was there before and stays: not one that ssh or a command has started.
func (o *proxyOptions) parseOnLoss() (patience time.Duration, kill bool, err error) {
	mode, value, given := strings.Cut(o.onLoss, "=")
	starts := o.command != ""
	if a, err := remote.ParseAddress(o.to); err == nil {
		starts = starts || a.StartsServer()
	}
	switch {
	case mode == "" && !given:
		return defaultPatience, false, nil
	case mode == "eio" && !given:
		return 0, false, nil
	case mode == "kill" && !given:
		return 0, true, nil
	case mode == "wait" && starts:
		return 0, false, &message.Error{
			Text:   "--on-loss wait: the server ends with the connection that has started it",
			Remedy: "run 'farcall serve --listen unix:///PATH' there, and connect through ssh -L /SOCKET:/PATH, with --to unix:///SOCKET",
		}
	case mode == "wait" && !given:
		return defaultPatience, false, nil
	case mode == "wait":
		if patience, err = time.ParseDuration(value); err == nil && patience > 0 {
			return patience, false, nil
		}
	}
	return 0, false, &message.Error{
		Text: "invalid --on-loss argument: '" + o.onLoss + "'", Remedy: "it is eio, kill, wait, or wait=TIME, with a time such as 30s",
	}
}
