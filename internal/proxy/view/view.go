// Package view decides which host a path leads to.
package view

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// A Side is where a path leads.
type Side uint8

// The sides.
const (
	Local           Side = iota // this host
	Remote                      // the server
	RemoteThenLocal             // the server, or this host where the server has no such file
	LocalThenRemote             // this host, or the server where this host has no such file
	Hide                        // nowhere: there is no such file
	ReadOnly                    // the server, but nothing can be changed
)

var sideNames = [...]string{"local", "remote", "remote-then-local", "local-then-remote", "hide", "readonly"}

func (s Side) String() string {
	if int(s) < len(sideNames) {
		return sideNames[s]
	}
	return fmt.Sprintf("Side(%d)", uint8(s))
}

// ParseSide reads a side's name.
func ParseSide(s string) (Side, error) {
	if i := slices.Index(sideNames[:], s); i >= 0 {
		return Side(i), nil
	}
	return 0, fmt.Errorf("unknown side %q: one of %s", s, strings.Join(sideNames[:], ", "))
}

// A Rule says where the paths lead that a glob matches, and everything below them.
type Rule struct {
	Glob string // absolute; * and ? do not match a slash, ** matches anything
	Side Side
	From string // where the rule comes from, for explanations
}

// A View says which paths lead to the server. The zero value leads none there.
type View struct {
	Prefix string // not "": only paths below it lead to the server, which does not see it
	Rules  []Rule // the last one that matches decides
	Else   Side   // without a rule
}

// programs are the parts of a system that a program itself consists of; with the view overlay they are those of this host.
var programs = []string{
	"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/dev", "/sys",
	"/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/locale.alias", "/etc/alternatives",
}

// Overlay is the view in which everything leads to the server, except what programs consist of.
func Overlay() View {
	v := View{Else: Remote}
	for _, p := range programs {
		v.Rules = append(v.Rules, Rule{p, Local, "default"})
	}
	return v
}

// PrefixView is the view in which the server's files are below a directory.
func PrefixView(dir string) (View, error) {
	clean := path.Clean(dir)
	if !path.IsAbs(dir) || clean == "/" {
		return View{}, fmt.Errorf("prefix %q: not the absolute path of a directory other than /", dir)
	}
	return View{Prefix: clean}, nil
}

// Add adds a rule.
func (v *View) Add(r Rule) error {
	if !path.IsAbs(r.Glob) {
		return fmt.Errorf("glob %q: not absolute", r.Glob)
	}
	if _, err := path.Match(r.Glob, "/"); err != nil {
		return fmt.Errorf("glob %q: %w", r.Glob, err)
	}
	v.Rules = append(v.Rules, r)
	return nil
}

// Place says where an absolute path leads, under which name the server knows it, and which rule says so, nil for none. The path
// is cleaned for that; links are not followed.
func (v *View) Place(name string) (Side, string, *Rule) {
	name = path.Clean(name)
	for i := range slices.Backward(v.Rules) {
		if r := &v.Rules[i]; r.matches(name) {
			return r.Side, v.far(name), r
		}
	}
	if v.Prefix != "" {
		if Below(name, v.Prefix) {
			return Remote, v.far(name), nil
		}
		return Local, name, nil
	}
	return v.Else, name, nil
}

// far is the server's name of a path.
func (v *View) far(name string) string {
	if v.Prefix == "" || !Below(name, v.Prefix) {
		return name
	}
	return path.Join("/", name[len(v.Prefix):])
}

// Near is the program's name of a path of the server.
func (v *View) Near(name string) string { return path.Join(v.Prefix, name) }

func Below(name, dir string) bool {
	return name == dir || strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/")
}

// matches tells whether the rule is about a path or a directory above it.
func (r *Rule) matches(name string) bool {
	if !strings.ContainsAny(r.Glob, `*?[\`) {
		return Below(name, path.Clean(r.Glob))
	}
	for at := name; ; at = path.Dir(at) {
		if globMatch(r.Glob, at) {
			return true
		}
		if at == "/" {
			return false
		}
	}
}

// globMatch is path.Match with ** for any number of components.
func globMatch(glob, name string) bool {
	before, after, ok := strings.Cut(glob, "**")
	if !ok {
		m, err := path.Match(glob, name)
		return m && err == nil
	}
	for i := range len(name) + 1 {
		if m, err := path.Match(before, name[:i]); !m || err != nil {
			continue
		}
		for j := i; j <= len(name); j++ {
			if globMatch(after, name[j:]) {
				return true
			}
		}
	}
	return false
}

// Join is the absolute path of rel as seen from the directory base, whose path has no links in it: a leading .. can be taken back
// there, one behind a name cannot.
func Join(base, rel string) string {
	for {
		rest, ok := strings.CutPrefix(rel, "..")
		if ok && (rest == "" || rest[0] == '/') {
			base = path.Dir(base)
		} else if rest, ok = strings.CutPrefix(rel, "."); !ok || rest != "" && rest[0] != '/' {
			break
		}
		rel = strings.TrimLeft(rest, "/")
	}
	switch {
	case rel == "":
		return base
	case base == "/":
		return "/" + rel
	}
	return base + "/" + rel
}
