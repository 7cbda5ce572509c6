package proxy

import (
	"strings"

	"farcall/internal/proxy/cache"

	"golang.org/x/sys/unix"
)

// forget forgets what a call that has been carried has changed. What it is not sure of it forgets as a whole.
func (q *request) forget(name string, ret int64) {
	if ret < 0 && ret != -int64(unix.EIO) && ret != -int64(unix.EINTR) {
		return // calls on names do all or nothing
	}
	known := false
	switch name {
	case "mkdirat", "symlinkat", "mknodat", "unlinkat":
		known = ret == 0 && len(q.places) == 1 && q.cache.Renamed(strings.TrimRight(q.places[0].absolute(), "/"), name != "unlinkat")
	case "renameat2":
		// Of a directory everything below is moved.
		const flags = 0 // RENAME_EXCHANGE and the like are rare
		if len(q.places) == 2 && (q.name != "renameat2" || q.args[4] == flags) {
			from, to := q.places[0].absolute(), q.places[1].absolute()
			known = q.cache.Regular(from) && q.cache.Renamed(to, false) && q.cache.Renamed(from, false)
		}
	case "fchmod", "fchown", "fsetxattr", "fremovexattr":
		known = len(q.objs) == 1 && q.objs[0] != nil && q.objs[0].statx != nil
		if known {
			q.cache.Altered(q.objs[0].statx)
		}
	case "fchmodat", "fchownat", "utimensat", "setxattr", "lsetxattr", "removexattr", "lremovexattr":
		known = q.forgetAttributes()
	}
	if !known {
		q.cache.Flush()
	}
}

// forgetAttributes forgets the attributes of the file that a call names, and tells whether it knows which that is.
func (q *request) forgetAttributes() bool {
	var statx []byte
	switch {
	case len(q.places) != 1:
	case q.places[0].null || q.places[0].text == "":
		if b := q.places[0].base; b != nil && b.object != nil {
			statx = b.object.statx
		}
	default:
		if k := q.cache.Look(q.places[0].absolute(), false); k != nil && k.Errno == 0 && cache.ModeOf(k.Statx) != unix.S_IFLNK {
			statx = k.Statx
		}
	}
	if statx == nil {
		return false
	}
	q.cache.Altered(statx)
	return true
}
