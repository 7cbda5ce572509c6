package view

import (
	"fmt"
	"strings"
)

// ParseRule reads GLOB=SIDE. from says where it comes from.
func ParseRule(text, from string) (Rule, error) {
	i := strings.LastIndexByte(text, '=')
	if i < 0 {
		return Rule{}, fmt.Errorf("rule %q: not GLOB=SIDE", text)
	}
	side, err := ParseSide(text[i+1:])
	if err != nil {
		return Rule{}, fmt.Errorf("rule %q: %w", text, err)
	}
	r := Rule{Glob: text[:i], Side: side, From: from}
	return r, new(View).Add(r)
}

// ParseRules reads rules, one a line. Empty lines, and those that begin with #, are comments. Errors tell the line.
func ParseRules(text, file string) (rules []Rule, err error) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		at := fmt.Sprintf("%s:%d", file, n)
		r, err := ParseRule(line, at)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
		rules = append(rules, r)
	}
	return rules, nil
}
