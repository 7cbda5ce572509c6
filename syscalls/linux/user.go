package linux

import (
	"fmt"
	"io/fs"
	"path"

	"farcall/syscalls"
)

// ParseDescriptions reads a user's descriptions, in the language of docs/HOWTO-add-a-system-call.md. They may use every
// set, structure and type of farcall's own, and describe variants of calls (such as the ioctls of a driver) or whole calls
// anew. The error is a *syscalls.SyntaxError, or one of reading the file.
func ParseDescriptions(fsys fs.FS, name string) (*syscalls.Table, error) {
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	base := Base()
	t, err := syscalls.Parse([]syscalls.Source{{Name: path.Base(name), Text: string(text)}}, constantsOf(base), base)
	if err != nil {
		return nil, err
	}
	for a := syscalls.ABI(0); a < syscalls.NumABI; a++ {
		for call := range t.Calls[a] {
			if _, ok := a.Number(call); !ok && base.Calls[a][call] == nil && !anywhere(call) {
				return nil, fmt.Errorf("%s: there is no system call %q", path.Base(name), call)
			}
		}
	}
	return t, nil
}

func anywhere(call string) bool {
	for a := syscalls.ABI(0); a < syscalls.NumABI; a++ {
		if _, ok := a.Number(call); ok {
			return true
		}
	}
	return false
}

// names resolves constants that some set of the tables names.
type names map[string]uint64

func constantsOf(t *syscalls.Table) names {
	n := names{}
	for _, s := range t.Sets {
		for _, v := range s.Vals {
			n[v.Name] = v.Value
		}
	}
	for _, c := range t.Calls[syscalls.AMD64] {
		for _, v := range c.Variants {
			for i := range v.Args {
				if a := v.Args[i].Type; a.Kind == syscalls.KindConst {
					n[a.Set.Vals[0].Name] = a.Set.Vals[0].Value
				}
			}
		}
	}
	return n
}

// Value implements syscalls.Consts.
func (n names) Value(_ syscalls.ABI, name string) (uint64, bool) {
	v, ok := n[name]
	return v, ok
}
