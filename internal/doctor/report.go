package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"farcall/internal/wrap"
)

// A State is how well something works.
type State string

// The states, from good to bad.
const (
	OK      State = "ok"
	Limited State = "limited" // in part, or by other means
	No      State = "no"
)

// A Check is one line of a report.
type Check struct {
	Group  string `json:"group"`
	Name   string `json:"name"`
	State  State  `json:"state"`
	Text   string `json:"text"`             // what was found, and what it means
	Remedy string `json:"remedy,omitempty"` // what can be done
}

// A Report is all that the doctor says. Its JSON form is that of [Report.WriteJSON].
type Report struct {
	Version   string   `json:"version"`
	Kernel    string   `json:"kernel"`
	Machine   string   `json:"machine"`
	Container string   `json:"container,omitempty"`
	Works     bool     `json:"works"` // programs can be started and traced
	Checks    []Check  `json:"checks"`
	Process   *Process `json:"process,omitempty"`
}

// A Process says whether a process can be traced; if it cannot, there is at least one obstacle, the decisive one first.
type Process struct {
	PID       int        `json:"pid"`
	Name      string     `json:"name,omitempty"`
	Traceable bool       `json:"traceable"`
	Obstacles []Obstacle `json:"obstacles"`
}

// An Obstacle is one reason why a process cannot be traced.
type Obstacle struct {
	Kind   string `json:"kind"` // the name of a linux.Kind
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"`
}

// OK says whether what was asked about can be done: tracing the process where one was asked about, else tracing programs.
func (r *Report) OK() bool {
	if r.Process != nil {
		return r.Process.Traceable
	}
	return r.Works
}

// add appends a check. State, text and remedy go together; an ok needs no remedy.
func (r *Report) add(group, name string, s State, text, remedy string) {
	if s == OK {
		remedy = ""
	}
	r.Checks = append(r.Checks, Check{group, name, s, text, remedy})
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
var stateColors = map[State]string{OK: "32", Limited: "33", No: "31"}

// WriteText writes the report for people, in lines of at most 100 columns, with the states in colour if color is set.
func (r *Report) WriteText(w io.Writer, color bool) error {
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
			line(&b, No, o.Kind, o.Text, o.Remedy, color)
		}
		if t.Traceable {
			line(&b, OK, "attach", "it can be traced", "", color)
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

// WriteJSON writes the report as one indented JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

func line(b *strings.Builder, s State, name, text, remedy string, color bool) {
	const indent = 2 + stateColumn + nameColumn
	shown := string(s)
	if color {
		shown = "\x1b[" + stateColors[s] + "m" + shown + "\x1b[0m"
	}
	fmt.Fprintf(b, "  %s%s%-*s%s\n", shown, strings.Repeat(" ", stateColumn-len(s)), nameColumn-1, name,
		" "+wrap.Text(text, indent, lineWidth))
	if remedy != "" {
		fmt.Fprintf(b, "%s%s\n", strings.Repeat(" ", indent), "-> "+wrap.Text(remedy, indent+3, lineWidth))
	}
}
