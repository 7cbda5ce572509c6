package view

import (
	"strings"
	"testing"
)

func TestParseRules(t *testing.T) {
	rules, err := ParseRules("# what is where\n\n/a/**=hide\n  /b = x=local \n/c=remote-then-local", "rules")
	if err != nil || len(rules) != 3 {
		t.Fatalf("%v, %v", rules, err)
	}
	if want := (Rule{"/b = x", Local, "rules:4"}); rules[1] != want {
		t.Errorf("%+v, want %+v", rules[1], want)
	}
	for text, says := range map[string]string{
		"/a=local\nb=local": `rules:2: glob "b": not absolute`,
		"/a":                `rules:1: rule "/a": not GLOB=SIDE`,
		"/a=nowhere":        `unknown side "nowhere"`,
		"/[=local":          "syntax error in pattern",
	} {
		if _, err := ParseRules(text, "rules"); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %s", text, err, says)
		}
	}
}

// FuzzRules reads rules, and places a path by those that are right.
func FuzzRules(f *testing.F) {
	f.Add("/etc/**=hide\n# comment\n/x/[a-z]*=readonly\n", "/etc/a/b")
	f.Add("/**a**b**=local", "/xaxbx/..")
	f.Fuzz(func(t *testing.T, text, name string) {
		rules, err := ParseRules(text, "rules")
		if err != nil || len(name) > 100 || strings.Count(text, "**") > 3 {
			return
		}
		v := View{Rules: rules, Else: Remote}
		side, _, rule := v.Place("/" + name)
		if rule != nil && rule.Side != side {
			t.Errorf("%v by a rule for %v", side, rule.Side)
		}
	})
}
