package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A schema checks values against the part of JSON Schema 2020-12 that docs/event.schema.json uses; a keyword beyond it is
// an error.
type schema struct{ defs map[string]any }

func (s *schema) check(at string, rule map[string]any, v any) error {
	for key, want := range rule {
		var err error
		switch key {
		case "$schema", "$id", "$defs", "title", "description":
		case "$ref":
			name, _ := strings.CutPrefix(want.(string), "#/$defs/")
			err = s.check(at, s.defs[name].(map[string]any), v)
		case "type":
			err = checkType(at, want.(string), v)
		case "enum":
			if !slices.Contains(want.([]any), v) {
				err = fmt.Errorf("%s: %v is none of %v", at, v, want)
			}
		case "const":
			if v != want {
				err = fmt.Errorf("%s: %v is not %v", at, v, want)
			}
		case "pattern":
			if !regexp.MustCompile(want.(string)).MatchString(v.(string)) {
				err = fmt.Errorf("%s: %q does not match %s", at, v, want)
			}
		case "minimum":
			if n, ok := v.(json.Number); ok && strings.HasPrefix(n.String(), "-") {
				err = fmt.Errorf("%s: %v is negative", at, v)
			}
		case "required":
			for _, name := range want.([]any) {
				if _, ok := v.(map[string]any)[name.(string)]; !ok {
					err = fmt.Errorf("%s: no %q", at, name)
				}
			}
		case "items":
			for i, e := range v.([]any) {
				if err = s.check(fmt.Sprintf("%s[%d]", at, i), want.(map[string]any), e); err != nil {
					break
				}
			}
		case "properties", "additionalProperties":
			err = s.members(at, rule, v.(map[string]any))
		default:
			err = fmt.Errorf("%s: the schema has %q", at, key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *schema) members(at string, rule, v map[string]any) error {
	known, _ := rule["properties"].(map[string]any)
	for name, m := range v {
		r, ok := known[name].(map[string]any)
		if !ok {
			if r, ok = rule["additionalProperties"].(map[string]any); !ok {
				return fmt.Errorf("%s: member %q is not in the schema", at, name)
			}
		}
		if err := s.check(at+"."+name, r, m); err != nil {
			return err
		}
	}
	return nil
}

func checkType(at, want string, v any) error {
	ok := false
	switch v := v.(type) {
	case map[string]any:
		ok = want == "object"
	case []any:
		ok = want == "array"
	case string:
		ok = want == "string"
	case bool:
		ok = want == "boolean"
	case json.Number:
		ok = want == "number" || want == "integer" && !strings.ContainsAny(v.String(), ".eE")
	}
	if !ok {
		return fmt.Errorf("%s: %v is no %s", at, v, want)
	}
	return nil
}

// TestJSONKeepsItsSchema traces real programs as JSON and holds every line to the published schema.
func TestJSONKeepsItsSchema(t *testing.T) {
	text, err := os.ReadFile("../../docs/event.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var rule map[string]any
	if err := json.Unmarshal(text, &rule); err != nil {
		t.Fatal(err)
	}
	s := &schema{defs: rule["$defs"].(map[string]any)}
	tr := needTracers(t)
	seen := map[string]int{}
	hold := func(name string, argv ...string) {
		var pid int
		out := runTracer(t, tr.farcall, append([]string{"trace"}, argv...), &pid)["file out"]
		if out == "" {
			t.Errorf("%s: nothing: the trace is empty", name)
		}
		for line := range strings.Lines(out) {
			d := json.NewDecoder(bytes.NewReader([]byte(line)))
			d.UseNumber()
			var v map[string]any
			if err := d.Decode(&v); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, line)
			}
			if err := s.check("event", rule, v); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, line)
			}
			seen[v["type"].(string)]++
			for _, member := range []string{"injected", "marked"} {
				if v[member] != nil {
					seen[member]++
				}
			}
		}
	}
	for _, program := range []string{"hello", "calls", "dumps", "signals", "segv", "threads", "blocked-exit", "child-killed 9", "exec-thread", "exec-leader",
		"vfork", "stopped 19", "interrupted", "modes", "paths", "die 15", "$ls -l / | sort; (exit 3); sleep 0"} {
		row := conformanceRow{program: program}
		for _, options := range []string{"-f", "-f -v -y -s 4096", "-f -e raw=all -s 0", "-f -b execve", "-f --in main", "-f -kk --stack-trace-frame-limit=4",
			"-f -e inject=getppid:error=EINTR:delay_exit=1:when=1 -e inject=write:delay_exit=1:when=1"} {
			row.options = options + " --format=json -o out"
			hold(row.name(), row.argv(tr.fixture)...)
		}
	}
	marked := filepath.Join(t.TempDir(), "marked")
	if msg, err := exec.Command("gcc", "-I../../include", "-o", marked, "../../testdata/marks/seed.c").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, msg)
	}
	hold("marks", "--marks", "--format=json", "-o", "out", marked)
	for _, kind := range []string{"syscall", "signal", "stop", "exit", "killed", "superseded", "detach", "injected", "enter", "return", "marked"} {
		if seen[kind] == 0 {
			t.Errorf("no event of type %s", kind)
		}
	}
	t.Logf("%v", seen)
}

// TestSchemaSees makes sure that the schema can be broken.
func TestSchemaSees(t *testing.T) {
	text, err := os.ReadFile("../../docs/event.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var rule map[string]any
	if err := json.Unmarshal(text, &rule); err != nil {
		t.Fatal(err)
	}
	s := &schema{defs: rule["$defs"].(map[string]any)}
	for _, bad := range []string{`{}`, `{"type":"x","time":1,"pid":1,"tid":1}`, `{"type":"exit","time":"1","pid":1,"tid":1}`,
		`{"type":"exit","time":1,"pid":1.5,"tid":1}`, `{"type":"exit","time":1,"pid":1,"tid":1,"more":1}`,
		`{"type":"syscall","time":1,"pid":1,"tid":1,"args":{"a":{"x":1}}}`, `{"type":"syscall","time":1,"pid":1,"tid":1,"ip":"12"}`} {
		d := json.NewDecoder(strings.NewReader(bad))
		d.UseNumber()
		var v map[string]any
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		if s.check("event", rule, v) == nil {
			t.Errorf("%s passes", bad)
		}
	}
}
