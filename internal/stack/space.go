package stack

import (
	"bytes"
	"debug/elf"
	"os"
	"slices"
	"sort"
	"strconv"

	"farcall/internal/linux"
	"farcall/symbols"
	"farcall/symbols/unwind"

	"golang.org/x/sys/unix"
)

// Space is what a process has mapped. It is for one goroutine.
type Space struct {
	PID    int
	Thread int           // a thread of it that is stopped; the first one may have ended
	Memory unwind.Memory // as that thread has it

	files  *Files
	areas  []*area
	statm  int       // descriptor of /proc/PID/statm plus 1
	buf    [128]byte // its text; a variable is allocated each time under the race detector
	size   sizes
	missed map[uint64]bool // pages that were in no mapping, since the last reading
	known  map[fileID]*module
	last   *area
	stale  bool // see Stale
}

// area is a mapping with the file that it shows.
type area struct {
	unwind.Area
	mapping symbols.Mapping
	module  *module
}

type fileID struct {
	dev   string
	inode uint64
	path  string
}

// NewSpace returns the space of a process. Close it when the process is gone.
func NewSpace(pid int, mem unwind.Memory, files *Files) *Space {
	return &Space{PID: pid, Thread: pid, Memory: mem, files: files}
}

// Close releases what the space holds.
func (s *Space) Close() {
	s.closeSizes()
	s.Forget()
}

func (s *Space) closeSizes() {
	if s.statm != 0 {
		_ = unix.Close(s.statm - 1)
		s.statm = 0
	}
}

// Forget makes the space read everything again: the process has another program now.
func (s *Space) Forget() {
	s.areas, s.last, s.known, s.missed, s.size = nil, nil, nil, nil, sizes{}
}

// sizes are numbers of pages that change with the mappings (proc_pid_statm(5)): all that is mapped,
// and of it what is private and writable, the heap and the stacks.
type sizes struct{ all, data uint64 }

// fixed is how much is mapped beside heap and stacks: program files, and memory that is shared or only read.
func (z sizes) fixed() uint64 { return z.all - z.data }

// current reads the sizes; false where that is not possible.
func (s *Space) current() (z sizes, ok bool) {
	if s.statm == 0 {
		fd, err := unix.Open("/proc/"+strconv.Itoa(s.PID)+"/statm", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return z, false
		}
		s.statm = fd + 1
	}
	n, err := unix.Pread(s.statm-1, s.buf[:], 0)
	if err != nil || n <= 0 {
		return z, false
	}
	// size resident shared text lib data dirty
	field, v := 0, uint64(0)
	for _, c := range s.buf[:n] {
		switch {
		case c >= '0' && c <= '9':
			v = v*10 + uint64(c-'0')
		default:
			switch field {
			case 0:
				z.all = v
			case 5:
				z.data = v
				return z, true
			}
			field, v = field+1, 0
		}
	}
	return z, false
}

// refresh reads the mappings again if they have changed.
func (s *Space) refresh() {
	z, ok := s.current()
	if s.areas != nil && ok && !s.stale && z.fixed() == s.size.fixed() {
		return
	}
	s.read()
}

// Stale has the mappings read again for the next stack: code may have been mapped in the place of other code, which
// sizes do not tell.
func (s *Space) Stale() { s.stale = true }

// read reads the mappings. Where that fails, nothing is mapped.
func (s *Space) read() {
	z, _ := s.current()
	s.size, s.last, s.missed, s.stale = z, nil, nil, false
	s.areas = s.areas[:0:0]
	text, err := os.ReadFile("/proc/" + strconv.Itoa(s.PID) + "/maps")
	if len(text) == 0 && s.PID != s.Thread { // a thread that has ended has no memory
		s.closeSizes()
		s.PID = s.Thread
		s.size, _ = s.current()
		text, err = os.ReadFile("/proc/" + strconv.Itoa(s.PID) + "/maps")
	}
	if err != nil {
		return
	}
	maps, err := symbols.ParseMaps(string(text))
	if err != nil {
		return
	}
	bases := s.place(maps)
	s.areas = make([]*area, 0, len(maps))
	for _, m := range maps {
		a := &area{mapping: m}
		a.Start, a.End, a.Exec, a.Anonymous = m.Start, m.End, m.Exec, !m.IsFile()
		if b, ok := bases[m.Start]; ok {
			a.module, a.Bias, a.Table = b.module, b.bias, b.module.table
		}
		a.User = a
		s.areas = append(s.areas, a)
	}
}

// base is a file loaded at a place.
type base struct {
	module *module
	bias   uint64
}

// place finds, for the mappings of executable files, by their start, what they show.
func (s *Space) place(maps []symbols.Mapping) map[uint64]base {
	images := linux.ImagesOf(s.PID, maps)
	known := map[fileID]*module{}
	out := map[uint64]base{}
	for i, image := range images.Files {
		id := fileID{image.Dev, image.Inode, image.Path}
		m, ok := s.known[id]
		if !ok {
			m = s.open(images, i)
		}
		known[id] = m
		if m == nil {
			continue
		}
		placements, err := m.file.Placements(image.Mappings)
		if err != nil {
			continue
		}
		for _, p := range placements {
			for _, mapping := range p.Mappings {
				out[mapping.Start] = base{m, p.Bias}
			}
		}
	}
	s.known = known
	return out
}

func (s *Space) open(images *linux.Images, i int) *module {
	f, key, err := images.OpenKey(i)
	if err != nil {
		return nil
	}
	used := false
	m := s.files.get(key, func() (*symbols.File, error) {
		used = true
		return images.Read(i, f)
	})
	if !used {
		f.Close()
	}
	return m
}

// Area implements unwind.Space. An address that belongs to nothing, or to no code where it should, has
// the mappings read again, once for each page.
func (s *Space) Area(addr uint64, code bool) *unwind.Area {
	a := s.search(addr)
	if code || a == nil {
		a = s.find(addr)
	}
	if a != nil {
		return &a.Area
	}
	return nil
}

// find is the area of an address of code.
func (s *Space) find(addr uint64) *area {
	if a := s.last; a != nil && addr >= a.Start && addr < a.End {
		return a
	}
	a := s.search(addr)
	if a == nil || !a.Exec {
		page := addr >> 12
		if s.missed[page] || addr < 4096 {
			return a
		}
		if len(s.missed) > 4096 {
			s.missed = nil
		}
		missed := s.missed
		s.read()
		a = s.search(addr)
		if a == nil || !a.Exec {
			if missed == nil {
				missed = map[uint64]bool{}
			}
			missed[page] = true
			s.missed = missed
		}
	}
	if a != nil && a.module == nil && a.mapping.Path == "[vdso]" {
		s.loadVDSO(a)
	}
	if a != nil && a.Exec {
		s.last = a
	}
	return a
}

func (s *Space) search(addr uint64) *area {
	i := sort.Search(len(s.areas), func(i int) bool { return s.areas[i].End > addr })
	if i == len(s.areas) || addr < s.areas[i].Start {
		return nil
	}
	return s.areas[i]
}

// maxVDSO bounds what is read as the vDSO, which has a few pages.
const maxVDSO = 1 << 18

// loadVDSO copies the kernel's library out of the process's memory: it is no file.
func (s *Space) loadVDSO(a *area) {
	n := a.End - a.Start
	if n > maxVDSO {
		return
	}
	b := make([]byte, n)
	b = b[:s.Memory.Read(a.Start, b)]
	f, err := symbols.NewFile(bytes.NewReader(b), int64(len(b)), symbols.Options{Name: "[vdso]"})
	if err != nil {
		return
	}
	segments := f.Segments()
	i := slices.IndexFunc(segments, func(s symbols.Segment) bool { return s.Type == elf.PT_LOAD })
	if i < 0 {
		return
	}
	a.module = newModule(f)
	a.Bias, a.Table = a.Start-segments[i].Vaddr, a.module.table
}
