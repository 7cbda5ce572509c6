package wire

import "strings"

// An Invalidate tells that something has changed that a server has leased: what is known about it must not be believed any more.
type Invalidate struct {
	All     bool // everything: too much has changed to be told
	Changes []Change
}

// A Change is one of an Invalidate.
type Change struct {
	Dir   string // its absolute path without links
	Name  string // in it, "" for the directory itself, whose path may lead elsewhere or nowhere now
	Names bool   // there is a name less or more; without, the file of that name has changed
}

const (
	bitNames = 1
	bitAll   = 2
)

// Encode makes the payload.
func (i *Invalidate) Encode() []byte {
	if i.All {
		return []byte{bitAll, 0, 0, 0, 0}
	}
	var b []byte
	for _, c := range i.Changes {
		b = append(b, setBits(c.Names))
		b = appendText(appendText(b, c.Dir), c.Name)
	}
	return b
}

// Decode reads the payload.
func (i *Invalidate) Decode(b []byte) error {
	c := cursor{b: b}
	*i = Invalidate{}
	for !c.bad && len(c.b) > 0 {
		set := c.u8()
		ch := Change{c.text(), c.text(), set&bitNames != 0}
		if set&bitAll != 0 {
			i.All = true
			continue
		}
		if !c.bad && (!strings.HasPrefix(ch.Dir, "/") || strings.Contains(ch.Name, "/")) {
			return corrupt("INVALIDATE of %q in %q", ch.Name, ch.Dir)
		}
		i.Changes = append(i.Changes, ch)
	}
	return c.end(OpInvalidate)
}
