package cli

import (
	"fmt"
	"io"
	"os"
	"sync"

	"farcall/event"
	"farcall/internal/message"
	"farcall/internal/proxy/view"
)

// A proxyTrace writes the calls of a proxied program, and where they were executed, to a file.
type proxyTrace struct {
	file *os.File
	text *event.Text // or
	json *event.JSON
	err  error
}

func newProxyTrace(name, format string) (*proxyTrace, error) {
	if format != "text" && format != "json" {
		return nil, &message.Error{Text: "invalid --trace-format argument: '" + format + "'", Remedy: "it is text or json"}
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, message.Fail("%v", err)
	}
	t := &proxyTrace{file: f}
	if format == "json" {
		t.json = event.NewJSON(f, event.JSONOptions{Entries: true})
	} else {
		t.text = event.NewText(f, event.TextOptions{PID: event.ColumnPID, Durations: true, DurPrecision: 6, Columns: 40})
	}
	return t, nil
}

// tell writes an event.
func (t *proxyTrace) tell(e *event.Event) {
	var err error
	if t.json != nil {
		err = t.json.Encode(e)
	} else {
		e.Kind = event.CallExit // in one line, whether or not the result is known
		err = t.text.Encode(e)
	}
	if t.err == nil {
		t.err = err
	}
}

// close writes what is left.
func (t *proxyTrace) close() error {
	err := t.err
	if err == nil && t.json != nil {
		err = t.json.Flush()
	} else if err == nil {
		err = t.text.Flush()
	}
	if cerr := t.file.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return message.Fail("trace: %v", err)
	}
	return nil
}

// explainTo says where each path leads when it is met first, and which rule says so.
func explainTo(w io.Writer) func(name string, side view.Side, rule *view.Rule) {
	var seen sync.Map
	return func(name string, side view.Side, rule *view.Rule) {
		if _, again := seen.LoadOrStore(name, true); !again {
			fmt.Fprintf(w, "farcall: %s: %v (%s)\n", name, side, ruleText(rule))
		}
	}
}

func ruleText(r *view.Rule) string {
	if r == nil {
		return "no rule"
	}
	return "rule " + r.Glob + ", " + r.From
}
