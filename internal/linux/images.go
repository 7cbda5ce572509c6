package linux

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"farcall/symbols"

	"golang.org/x/sys/unix"
)

// DebugFiles opens separate debug files for package symbols, below the root directory Root, "" for
// this process's own.
type DebugFiles struct{ Root string }

// Open opens a regular file.
func (d DebugFiles) Open(name string) (io.ReaderAt, int64, error) {
	f, st, err := openRegular(filepath.Join(d.Root, name))
	if err != nil {
		return nil, 0, err
	}
	return f, st.Size, nil
}

// openRegular opens a file if it is a regular one: opening a FIFO would wait, and a device act.
func openRegular(name string) (*os.File, *unix.Stat_t, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		f.Close()
		return nil, nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		f.Close()
		return nil, nil, &fs.PathError{Op: "read", Path: name, Err: unix.EISDIR}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		f.Close()
		return nil, nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("not a regular file")}
	}
	return f, &st, nil
}

// OpenSymbols opens an ELF file for its symbols, with its separate debug file where this machine
// has it. The file is closed when the result is unreachable.
func OpenSymbols(name string) (*symbols.File, error) {
	f, st, err := openRegular(name)
	if err != nil {
		return nil, err
	}
	if abs, err := filepath.Abs(name); err == nil {
		name = abs
	}
	if real, err := filepath.EvalSymlinks(name); err == nil {
		name = real
	}
	return newSymbols(f, st.Size, name, "")
}

func newSymbols(f *os.File, size int64, name, root string) (*symbols.File, error) {
	out, err := symbols.NewFile(f, size, symbols.Options{Name: name, Finder: DebugFiles{root}})
	if err != nil {
		f.Close()
	}
	return out, err
}

// Images is what a process has loaded.
type Images struct {
	PID   int
	Auxv  []byte // as the kernel gives it; see symbols.ParseAuxv
	Files []symbols.Image
	Exe   int // index in Files of the program itself, -1 when it is not there
}

// ReadImages reads what the process has loaded now. It does not stop it.
func ReadImages(pid int) (*Images, error) {
	proc := "/proc/" + strconv.Itoa(pid)
	text, err := os.ReadFile(proc + "/maps")
	if err != nil {
		return nil, err
	}
	maps, err := symbols.ParseMaps(string(text))
	if err != nil {
		return nil, err
	}
	im := &Images{PID: pid, Files: symbols.Images(maps)}
	if im.Auxv, err = os.ReadFile(proc + "/auxv"); err != nil {
		return nil, err
	}
	var st unix.Stat_t
	im.Exe = -1
	if unix.Stat(proc+"/exe", &st) == nil {
		im.Exe = slices.IndexFunc(im.Files, func(f symbols.Image) bool { return sameInode(f, &st) })
	}
	return im, nil
}

// ImagesOf groups mappings of a process that were read already. Auxv and Exe are not filled in.
func ImagesOf(pid int, maps []symbols.Mapping) *Images {
	return &Images{PID: pid, Files: symbols.Images(maps), Exe: -1}
}

// OpenKey opens a loaded file without reading it, and says what a cache is to know it by.
func (im *Images) OpenKey(i int) (*os.File, symbols.Key, error) {
	f, st, err := im.open(i)
	if err != nil {
		return nil, symbols.Key{}, err
	}
	return f, SymbolKey(st), nil
}

// Read reads the headers of a file that OpenKey opened, and closes it if that fails.
func (im *Images) Read(i int, f *os.File) (*symbols.File, error) {
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return newSymbols(f, st.Size(), im.Files[i].Path, "/proc/"+strconv.Itoa(im.PID)+"/root")
}

// sameInode compares with what maps shows. On some file systems (btrfs, overlays) maps has another
// device than stat, so where the devices differ the inodes alone decide.
func sameInode(f symbols.Image, st *unix.Stat_t) bool { return st.Ino == f.Inode }

// Open opens a loaded file: also one that was deleted or replaced since, where the kernel lets us,
// and one of another mount namespace.
func (im *Images) Open(i int) (*symbols.File, error) {
	f, st, err := im.open(i)
	if err != nil {
		return nil, err
	}
	return im.read(i, f, st)
}

func (im *Images) open(i int) (*os.File, *unix.Stat_t, error) {
	image := im.Files[i]
	proc := "/proc/" + strconv.Itoa(im.PID)
	first := image.Mappings[0]
	ways := []string{fmt.Sprintf("%s/map_files/%x-%x", proc, first.Start, first.End)}
	if i == im.Exe {
		ways = append(ways, proc+"/exe")
	}
	if !image.Deleted {
		ways = append(ways, proc+"/root"+image.Path)
	}
	var problem error
	for _, name := range ways {
		f, st, err := openRegular(name)
		if err == nil && !sameInode(image, st) {
			f.Close()
			err = fmt.Errorf("%s: another file is there now", image.Path)
		}
		if err == nil {
			return f, st, nil
		}
		problem = err
	}
	return nil, nil, problem
}

// read reads the headers of an opened file, and closes it if that fails.
func (im *Images) read(i int, f *os.File, st *unix.Stat_t) (*symbols.File, error) {
	return newSymbols(f, st.Size, im.Files[i].Path, "/proc/"+strconv.Itoa(im.PID)+"/root")
}

// VDSO copies the vDSO, the library that the kernel maps into every process, out of the process's
// memory, and says at which address it is. It fails where the memory may not be read.
func (im *Images) VDSO() (*symbols.File, uint64, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(im.PID) + "/maps")
	if err != nil {
		return nil, 0, err
	}
	maps, err := symbols.ParseMaps(string(text))
	if err != nil {
		return nil, 0, err
	}
	i := slices.IndexFunc(maps, func(m symbols.Mapping) bool { return m.Path == "[vdso]" })
	if i < 0 || maps[i].End-maps[i].Start > 1<<20 {
		return nil, 0, fmt.Errorf("vdso: %w", symbols.ErrNotMapped)
	}
	mem, err := os.Open("/proc/" + strconv.Itoa(im.PID) + "/mem")
	if err != nil {
		return nil, 0, err
	}
	defer mem.Close()
	b := make([]byte, maps[i].End-maps[i].Start)
	if _, err := mem.ReadAt(b, int64(maps[i].Start)); err != nil {
		return nil, 0, err
	}
	f, err := symbols.NewFile(bytes.NewReader(b), int64(len(b)), symbols.Options{Name: "[vdso]"})
	return f, maps[i].Start, err
}

// SymbolKey is what a cache of symbols knows a file by.
func SymbolKey(st *unix.Stat_t) symbols.Key {
	return symbols.Key{Dev: st.Dev, Inode: st.Ino, Size: st.Size, MTime: st.Mtim.Nano()}
}

// OpenCached is Open through a cache: a file that several processes have loaded, or that was
// looked at before, is read once. A separate debug file is that of the first process's root.
func (im *Images) OpenCached(i int, c *symbols.Cache) (*symbols.File, error) {
	f, st, err := im.open(i)
	if err != nil {
		return nil, err
	}
	used := false
	out, err := c.Get(SymbolKey(st), func() (*symbols.File, error) {
		used = true
		return im.read(i, f, st)
	})
	if !used {
		f.Close()
	}
	return out, err
}
