package cache

import (
	"fmt"
	"slices"
	"strings"
)

// Savers are ways to save round trips, each of which can be left out to see what it saves.
type Savers uint

// The savers.
const (
	SaveStart    Savers = 1 << iota // the working directory's names come with the session's beginning
	SaveLists                       // directories come before they are read: those of which names are asked for, and those below others
	SaveContents                    // what was read once, or is going to be, is opened without asking
	SaveWrites                      // a program goes on while what it writes is on its way
	SaveProfile                     // what a command asked for last time is asked for at its start

	NoSavers  Savers = 0
	AllSavers        = SaveStart | SaveLists | SaveContents | SaveWrites | SaveProfile
)

var saverNames = []string{"start", "lists", "contents", "writes", "profile"}

// Has tells whether a saver is among them.
func (s Savers) Has(one Savers) bool { return s&one != 0 }

// ParseSavers reads a list: all, none, names, and names with a minus sign for what is left out. A list that begins with one of those
// begins with all.
func ParseSavers(list string) (Savers, error) {
	var s Savers
	if strings.HasPrefix(list, "-") {
		s = AllSavers
	}
	for _, word := range strings.Split(list, ",") {
		name, out := strings.CutPrefix(word, "-")
		bit := Savers(0)
		switch i := slices.Index(saverNames, name); {
		case i >= 0:
			bit = 1 << i
		case name == "all" && !out:
			bit = AllSavers
		case name == "none" && !out:
			s = 0
		default:
			return 0, fmt.Errorf("unknown saver %q: all, none, or of %s", word, strings.Join(saverNames, ", "))
		}
		if out {
			s &^= bit
		} else {
			s |= bit
		}
	}
	return s, nil
}

func (s Savers) String() string {
	var names []string
	for i, name := range saverNames {
		if s.Has(1 << i) {
			names = append(names, name)
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, ",")
}
