package cli

import (
	"fmt"
	"io"
	"strings"
)

// A state is how well something works.
type state string

// The states.
const (
	stateOK      state = "ok"
	stateLimited state = "limited" // in part, or by other means
	stateNo      state = "no"
)

// A check is one line of a report.
type check struct {
	Group  string `json:"group"`
	Name   string `json:"name"`
	State  state  `json:"state"`
	Text   string `json:"text"`             // what was found, and what it means
	Remedy string `json:"remedy,omitempty"` // what can be done
}

// A doctorReport is all that the doctor says.
type doctorReport struct {
	Version   string        `json:"version"`
	Kernel    string        `json:"kernel"`
	Machine   string        `json:"machine"`
	Container string        `json:"container,omitempty"`
	Works     bool          `json:"works"` // programs can be started and traced
	Checks    []check       `json:"checks"`
	Process   *targetReport `json:"process,omitempty"`
}

// A targetReport says whether a process can be traced.
type targetReport struct {
	PID       int              `json:"pid"`
	Name      string           `json:"name,omitempty"`
	Traceable bool             `json:"traceable"`
	Obstacles []obstacleReport `json:"obstacles"`
}

// An obstacleReport is one reason why it cannot.
type obstacleReport struct {
	Kind   string `json:"kind"`
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"`
}

// good decides about the exit status.
func (r *doctorReport) good() bool {
	if r.Process != nil {
		return r.Process.Traceable
	}
	return r.Works
}

// add appends a check. State, text and remedy go together; an ok needs no remedy.
func (r *doctorReport) add(group, name string, s state, text, remedy string) {
	if s == stateOK {
		remedy = ""
	}
	r.Checks = append(r.Checks, check{group, name, s, text, remedy})
}

// The groups, in the order of the report.
const (
	groupTracing   = "tracing"
	groupFiltering = "filtering"
	groupMemory    = "memory"
	groupOther     = "other"
)

const (
	stateColumn = 8
	nameColumn  = 22
	lineWidth   = 100
)

// stateColors are SGR parameters: green, yellow, red.
var stateColors = map[state]string{stateOK: "32", stateLimited: "33", stateNo: "31"}

// print writes the report for people.
func (r *doctorReport) print(w io.Writer, color bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "farcall %s on Linux %s, %s", r.Version, r.Kernel, r.Machine)
	if r.Container != "" {
		fmt.Fprintf(&b, ", in a container (%s)", r.Container)
	}
	b.WriteByte('\n')
	for _, group := range []string{groupTracing, groupFiltering, groupMemory, groupOther} {
		fmt.Fprintf(&b, "\n%s\n", strings.ToUpper(group[:1])+group[1:])
		for _, c := range r.Checks {
			if c.Group == group {
				line(&b, c.State, c.Name, c.Text, c.Remedy, color)
			}
		}
	}
	if t := r.Process; t != nil {
		fmt.Fprintf(&b, "\nProcess %d", t.PID)
		if t.Name != "" {
			fmt.Fprintf(&b, " (%s)", t.Name)
		}
		b.WriteByte('\n')
		for _, o := range t.Obstacles {
			line(&b, stateNo, o.Kind, o.Text, o.Remedy, color)
		}
		if t.Traceable {
			line(&b, stateOK, "attach", "it can be traced", "", color)
		}
	}
	switch {
	case r.Process != nil:
	case r.Works:
		b.WriteString("\nTracing works here.\n")
	default:
		b.WriteString("\nTracing does not work here.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func line(b *strings.Builder, s state, name, text, remedy string, color bool) {
	const indent = 2 + stateColumn + nameColumn
	shown := string(s)
	if color {
		shown = "\x1b[" + stateColors[s] + "m" + shown + "\x1b[0m"
	}
	fmt.Fprintf(b, "  %s%s%-*s%s\n", shown, strings.Repeat(" ", stateColumn-len(s)), nameColumn-1, name,
		" "+wrap(text, indent, lineWidth))
	if remedy != "" {
		fmt.Fprintf(b, "%s%s\n", strings.Repeat(" ", indent), "-> "+wrap(remedy, indent+3, lineWidth))
	}
}
