package proxy

import "golang.org/x/sys/unix"

// execve of a program of the server is not carried: it would have to be fetched, with what it is linked to.
func execve(q *request) {
	q.counts.denied.Add(1)
	q.debug("%d execve%s: a program of the server: not carried", q.TID(), q.placesText())
	q.Return(-int64(unix.ENOEXEC))
}
