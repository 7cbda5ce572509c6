package proxy

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"farcall/internal/proxy/attr"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// A program of the server is fetched into a file of ours, which is executed in its place. What it is linked to is found as its names are
// placed, like any other file that it opens.

// execve executes a program of the server.
func execve(q *request) {
	p := &q.places[0]
	copied, head, ret, err := q.program(p)
	if err == nil && ret == -int64(unix.ENOENT) && p.orHere {
		q.here()
		return
	}
	if err != nil || ret < 0 {
		q.result(ret, err)
		return
	}
	line, script := bytes.CutPrefix(head, []byte("#!"))
	if !script {
		q.debug("%d execve%s: as %s", q.TID(), q.placesText(), copied)
		q.Redirect(func(put func([]byte) uint64) (uint64, [6]uint64) {
			args := q.args
			args[0] = put(append([]byte(copied), 0))
			return q.nr, args
		})
		return
	}
	interpreter, args, ok := shebang(line)
	if !ok {
		q.result(-int64(unix.ENOEXEC), nil)
		return
	}
	argv, err := q.vector(q.args[1])
	if err != nil {
		q.result(0, err)
		return
	}
	// The call is made again with the interpreter, wherever that is.
	args = append(append([]string{interpreter}, args...), p.text)
	q.debug("%d execve%s: with %q", q.TID(), q.placesText(), args)
	q.Redirect(func(put func([]byte) uint64) (uint64, [6]uint64) {
		var b []byte
		for _, a := range args {
			b = binary.NativeEndian.AppendUint64(b, put(append([]byte(a), 0)))
		}
		for _, a := range argv[min(1, len(argv)):] {
			b = binary.NativeEndian.AppendUint64(b, a)
		}
		b = binary.NativeEndian.AppendUint64(b, 0)
		return q.nr, [6]uint64{put(append([]byte(interpreter), 0)), put(b), q.args[2]}
	})
}

// program fetches a program and returns the name of the copy, and the beginning of its content. A negative ret is the error.
func (q *request) program(p *place) (name string, head []byte, ret int64, err error) {
	dir, err := q.dir(p)
	if err != nil {
		return "", nil, 0, err
	}
	// May it be executed? The server's kernel knows.
	var s wire.Space
	const execute = 1 // X_OK
	ret, err = q.conn.Syscall("faccessat2", [6]uint64{uint64(dir), s.PutString(p.far), execute, unix.AT_EACCESS}, &s)
	if err != nil || ret < 0 {
		return "", nil, ret, err
	}
	if err := q.syncMappings(); err != nil {
		return "", nil, 0, err
	}
	o := &object{path: p.absolute(), flags: unix.O_RDONLY}
	content, ret, err := q.openX(p, o, unix.O_RDONLY, 0)
	defer q.release(o)
	switch {
	case err != nil || ret < 0:
		return "", nil, ret, err
	case attr.Statx(o.statx).Mode&unix.S_IFMT != unix.S_IFREG:
		return "", nil, -int64(unix.EACCES), nil
	case !o.filled.Load(): // empty, or too large
		return "", nil, -int64(unix.ENOEXEC), nil
	}
	head = content[:min(len(content), 256)] // BINPRM_BUF_SIZE, linux/binfmts.h
	if bytes.HasPrefix(head, []byte("#!")) {
		return "", head, 0, nil
	}
	// Named as the original, which is what the process is called then.
	at := filepath.Join(q.temp, "exec", strconv.FormatUint(q.copies.Add(1), 10))
	name = filepath.Join(at, filepath.Base(o.path))
	err = os.MkdirAll(at, 0o755)
	if err == nil {
		err = os.WriteFile(name, content, 0o755)
	}
	if err != nil {
		return "", nil, -int64(unix.EIO), nil
	}
	return name, head, 0, nil
}

// shebang takes the first line of a script apart, behind the #!, as execve(2) says: the interpreter, and at most one argument.
func shebang(line []byte) (interpreter string, args []string, ok bool) {
	text, _, whole := strings.Cut(string(line), "\n")
	text = strings.Trim(text, " \t")
	interpreter, rest, _ := strings.Cut(strings.ReplaceAll(text, "\t", " "), " ")
	if interpreter == "" || !whole && !strings.Contains(text, " ") && len(line) >= 254 {
		return "", nil, false
	}
	if rest = strings.Trim(rest, " "); rest != "" {
		args = []string{rest}
	}
	return interpreter, args, true
}

// maxVector is the largest number of arguments that are copied.
const maxVector = 1 << 16

// vector reads a NULL-terminated vector of pointers.
func (q *request) vector(addr uint64) (v []uint64, err error) {
	for addr != 0 && len(v) < maxVector {
		var b [8]byte
		if q.Read(addr, b[:]) < len(b) {
			return nil, unix.EFAULT
		}
		p := binary.NativeEndian.Uint64(b[:])
		if p == 0 {
			return v, nil
		}
		v = append(v, p)
		addr += 8
	}
	if addr == 0 {
		return nil, nil
	}
	return nil, unix.E2BIG
}
