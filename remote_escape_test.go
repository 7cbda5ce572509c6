package farcall_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"farcall/remote/client"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// A canary are files outside of a server's root directory that nobody may see or change from within.
type canary struct {
	dir    string
	before string
}

// What is found in the canary, and nowhere else.
const (
	canarySecret = "SECRET"
	canaryTime   = 1111111111
)

func newCanary(t *testing.T, dir string) *canary {
	t.Helper()
	c := &canary{dir: dir}
	file := filepath.Join(dir, "file")
	if err := errors.Join(os.Mkdir(dir, 0o777), os.Mkdir(filepath.Join(dir, "dir"), 0o777), os.WriteFile(file, []byte(canarySecret), 0o666),
		os.WriteFile(filepath.Join(dir, "dir", canarySecret), []byte(canarySecret), 0o666), os.WriteFile(filepath.Join(dir, "dir/inner"), []byte(canarySecret), 0o666), os.Symlink(canarySecret, filepath.Join(dir, "link")),
		unix.Setxattr(file, "user."+canarySecret, []byte(canarySecret), 0)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"file", "dir/" + canarySecret, "dir/inner", "dir", "link", ""} {
		at := []unix.Timespec{{Sec: canaryTime}, {Sec: canaryTime}}
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(dir, name), at, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			t.Fatal(err)
		}
	}
	c.before = c.state(t)
	return c
}

// state describes all that can be changed: every change of a file changes its ctime, and every one of names that of the directory.
func (c *canary) state(t *testing.T) string {
	var b strings.Builder
	err := filepath.WalkDir(c.dir, func(name string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(name, &st); err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %o %d %d %d %d %v\n", name, st.Mode, st.Uid, st.Nlink, st.Size, st.Ino, st.Ctim)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// shows tells whether what a server has answered is of the canary.
func (c *canary) shows(b []byte) bool {
	return bytes.Contains(b, []byte(canarySecret)) || bytes.Contains(b, binary.LittleEndian.AppendUint64(nil, canaryTime))
}

// An intruder asks a server for what is outside of its root directory.
type intruder struct {
	*rand.Rand
	conn   *client.Conn
	canary *canary
	tops   []string // paths that would lead to the directory that everything is in
	open   []uint32
}

const atCWD = uint64(wire.CWD)

func (h *farHost) intrude(t *testing.T, c *canary, seed uint64) *intruder {
	t.Helper()
	nc, err := net.Dial("unix", h.sock)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := client.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	in := &intruder{Rand: rand.New(rand.NewPCG(seed, 11)), conn: conn, canary: c}
	up := strings.Repeat("/..", 12)
	in.tops = []string{"", up, "/proc/1/root", "/proc/self/root", "/proc/self/root" + up, "/proc/self/cwd" + up, "/proc/thread-self/root",
		fmt.Sprintf("/proc/%d/root", os.Getpid()), fmt.Sprintf("/proc/%d/cwd%s", os.Getpid(), up)}
	for fd := range 12 {
		in.tops = append(in.tops, fmt.Sprintf("/proc/self/fd/%d%s", fd, up), fmt.Sprintf("/proc/self/task/%d/fd/%d%s", h.pid, fd, up))
	}
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", h.pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		in.tops = append(in.tops, "/proc/self/task/"+task.Name()+"/root", "/proc/self/task/"+task.Name()+"/cwd"+up)
	}
	return in
}

func pick[T any](r *rand.Rand, all []T) T { return all[r.IntN(len(all))] }

// outside is a path that would lead to the canary.
func (in *intruder) outside() string {
	return pick(in.Rand, in.tops) + in.canary.dir + pick(in.Rand, []string{"/file", "/dir", "/link", "/new", "/dir/inner", "/file/", "/dir/", "/link/", "/dir/new"})
}

// path is one with which a call may be made: of the canary, or through names that lead there at times.
func (in *intruder) path() string {
	name := "x" + strconv.Itoa(in.IntN(4))
	switch in.IntN(8) {
	case 0, 1:
		return in.outside()
	case 2:
		return strings.TrimPrefix(in.outside(), "/")
	case 3:
		return "/home/" + name
	case 4:
		return "/home/" + name + "/"
	case 5:
		return "/home/" + name + pick(in.Rand, []string{"/file", "/dir", "/link", "/new", "/dir/inner"})
	case 6:
		return "/home/" + name + "/" + pick(in.Rand, []string{"root", "self/root", "fd/3", "cwd"}) + in.canary.dir + "/file"
	}
	return "/home/" + name + "/../" + "x" + strconv.Itoa(in.IntN(4))
}

// target is what a symbolic link leads to.
func (in *intruder) target() string {
	switch in.IntN(4) {
	case 0:
		return pick(in.Rand, in.tops[1:]) + in.canary.dir
	case 1:
		return "/proc/" + pick(in.Rand, []string{"self", "1"})
	}
	return in.outside()
}

func (in *intruder) dir() uint64 {
	if len(in.open) == 0 || in.IntN(2) == 0 {
		return atCWD
	}
	return uint64(pick(in.Rand, in.open))
}

// step makes a request. It returns what the server has let it see of the canary.
func (in *intruder) step() (seen string, err error) {
	if in.IntN(6) == 0 {
		o := &wire.OpenX{Dir: uint32(in.dir()), Path: in.path(), Flags: pick(in.Rand, []uint32{0, 0o2, 0o10000000, 0o10400000, 0o200000, 0o102}), Mode: 0o666, MaxData: 1000,
			MaxEntries: 10}
		r, err := in.conn.OpenX(o)
		if err != nil {
			return "", err
		}
		in.note(r.Ret)
		if in.canary.shows(r.Data) || in.canary.shows(r.Statx) || strings.HasPrefix(r.Path, in.canary.dir) {
			return fmt.Sprintf("open %+v: %+v", o, r), nil
		}
		for _, e := range r.Entries {
			if in.canary.shows(e.Statx) || strings.Contains(e.Name, canarySecret) {
				return fmt.Sprintf("open %+v: %+v", o, e), nil
			}
		}
		return "", nil
	}
	c := pick(in.Rand, intrusions)
	var s wire.Space
	var regs [6]uint64
	var said []string
	room := uint64(0)
	for i, kind := range c.args {
		switch kind {
		case 'd':
			regs[i] = in.dir()
		case 'p':
			name := in.path()
			said = append(said, name)
			regs[i] = s.PutString(name)
		case 't':
			name := in.target()
			said = append(said, name)
			regs[i] = s.PutString(name)
		case 'x':
			regs[i] = s.PutString("user.new")
		case 'o':
			room = s.Room(256)
			regs[i] = room
		case 's':
			regs[i] = 256
		case 'm':
			regs[i] = pick(in.Rand, []uint64{0, 0o100000, 0o10000, 0o777})
		case 'f':
			regs[i] = pick(in.Rand, []uint64{0, 0, unix.AT_SYMLINK_NOFOLLOW, unix.AT_REMOVEDIR, unix.AT_SYMLINK_FOLLOW, unix.AT_EMPTY_PATH, unix.RENAME_EXCHANGE, unix.RENAME_NOREPLACE, 0o2, 0o102})
		case 'h':
			if regs[i] = atCWD; len(in.open) > 0 {
				regs[i] = uint64(pick(in.Rand, in.open))
			}
		}
	}
	if c.name == "openat" {
		regs[2] |= 0o4000 // O_NONBLOCK: there are FIFOs
	}
	ret, err := in.conn.Syscall(c.name, regs, &s)
	if err != nil {
		return "", err
	}
	if c.name == "openat" {
		in.note(ret)
	}
	if room != 0 && in.canary.shows(s.Bytes(room, 256)) {
		return fmt.Sprintf("%s %x %q", c.name, regs, said), nil
	}
	return "", nil
}

// note keeps a handle, and closes another if there are many.
func (in *intruder) note(handle int64) {
	if handle < 0 {
		return
	}
	if in.open = append(in.open, uint32(handle)); len(in.open) > 20 {
		i := in.IntN(len(in.open))
		in.conn.CloseHandle(in.open[i])
		in.open = append(in.open[:i], in.open[i+1:]...)
	}
}

// intrusions are calls with paths, and those by which something would be seen. Their arguments are: d directory, p path, t target of a link, x name of an
// attribute, o room for an answer and s its size, m mode, f flags, h handle.
var intrusions = []struct{ name, args string }{
	{"openat", "dpf"}, {"statx", "dpf0o"}, {"readlinkat", "dpos"}, {"faccessat", "dpm"}, {"faccessat2", "dpmf"}, {"statfs", "po"},
	{"mkdirat", "dpm"}, {"mknodat", "dpm"}, {"unlinkat", "dpf"}, {"unlinkat", "dpf"}, {"renameat2", "dpdpf"}, {"renameat2", "dpdpf"}, {"renameat2", "dpdpf"},
	{"linkat", "dpdpf"}, {"symlinkat", "tdp"}, {"symlinkat", "tdp"}, {"fchmodat", "dpm"}, {"fchmodat2", "dpmf"}, {"fchownat", "dp00f"}, {"utimensat", "dp0f"},
	{"truncate", "p0"}, {"getxattr", "pxos"}, {"lgetxattr", "pxos"}, {"listxattr", "pos"}, {"llistxattr", "pos"}, {"setxattr", "pxos0"}, {"lsetxattr", "pxos0"},
	{"removexattr", "px"}, {"lremovexattr", "px"}, {"getdents64", "hos"}, {"pread64", "hos0"}, {"fgetxattr", "hxos"}, {"flistxattr", "hos"},
}

// TestRemoteOutside asks a server for what is outside of its root directory, by the ways that could lead there: what is there is neither seen nor changed. /proc is
// within, so that there are links that lead out. FARCALL_TEST_FRAMES says how many requests.
func TestRemoteOutside(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	c := newCanary(t, filepath.Join(filepath.Dir(h.root), "canary"))
	n := 20000
	if s := os.Getenv("FARCALL_TEST_FRAMES"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	h.reset()
	var all sync.WaitGroup
	const sessions = 4
	for i := range sessions {
		in := h.intrude(t, c, uint64(i))
		all.Go(func() {
			for range n / sessions {
				seen, err := in.step()
				if err != nil || seen != "" {
					t.Errorf("%s, %v", seen, err)
					return
				}
			}
		})
	}
	all.Wait()
	if after := c.state(t); after != c.before {
		t.Errorf("changed from\n%sto\n%s", c.before, after)
	}
}

// TestRemoteOutsideDirectly has single requests that would reach what is outside, and what they give.
func TestRemoteOutsideDirectly(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	h.reset()
	c := newCanary(t, filepath.Join(filepath.Dir(h.root), "canary"))
	in := h.intrude(t, c, 1)
	for _, call := range intrusions {
		if !strings.Contains(call.args, "p") {
			continue
		}
		for _, top := range in.tops[2:] {
			var s wire.Space
			var regs [6]uint64
			for i, kind := range call.args {
				switch kind {
				case 'd':
					regs[i] = atCWD
				case 'p', 't':
					regs[i] = s.PutString(top + c.dir + "/file")
				case 'x':
					regs[i] = s.PutString("user." + canarySecret)
				case 'o':
					regs[i] = s.Room(256)
				case 's':
					regs[i] = 256
				}
			}
			ret, err := in.conn.Syscall(call.name, regs, &s)
			if err != nil {
				t.Fatal(err)
			}
			if e := unix.Errno(-ret); e != unix.ELOOP && e != unix.ENOENT && e != unix.ENOTDIR && e != unix.EACCES {
				t.Errorf("%s %s: %d", call.name, top, ret)
			}
		}
	}
	if after := c.state(t); after != c.before {
		t.Errorf("changed from\n%sto\n%s", c.before, after)
	}
}
