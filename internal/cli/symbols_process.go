package cli

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"io/fs"
	"strconv"

	"farcall/internal/cmdline"
	"farcall/internal/linux"
	"farcall/internal/message"
	"farcall/symbols"

	"golang.org/x/sys/unix"
)

// errnoText is the kernel's word for an error.
func errnoText(err error) string {
	var e unix.Errno
	if !errors.As(err, &e) {
		return err.Error()
	}
	if s := strerrors[e]; s != "" {
		return s
	}
	return e.Error()
}

// strerrors are libc's words for the errors that opening a file brings most.
var strerrors = map[unix.Errno]string{
	unix.ENOENT: "No such file or directory",
	unix.EACCES: "Permission denied",
	unix.EISDIR: "Is a directory",
	unix.EPERM:  "Operation not permitted",
	unix.ESRCH:  "No such process",
}

// processObjects opens everything a process has loaded, in order of address. What cannot be opened
// is left out with a warning.
func processObjects(pid int, messages *message.Printer) ([]object, error) {
	id := strconv.Itoa(pid)
	im, err := linux.ReadImages(pid)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH):
		return nil, &message.Error{Text: "process " + id + ": No such process", Remedy: cmdline.PIDHint}
	case err != nil:
		return nil, &message.Error{Text: "process " + id + ": " + errnoText(err), Remedy: "'farcall doctor -p " + id + "' says what stands in the way"}
	case len(im.Files) == 0:
		return nil, &message.Error{Text: "process " + id + ": nothing is loaded", Remedy: "it is a kernel thread, or it has ended"}
	}
	var out []object
	for i, image := range im.Files {
		f, err := im.Open(i)
		if err != nil {
			if !errors.Is(err, symbols.ErrNotELF) {
				messages.Warn("warning: " + image.Path + ": " + errnoText(err))
			}
			continue
		}
		ob := object{name: image.Path, file: f, program: i == im.Exe}
		placements, err := f.Placements(image.Mappings)
		if err == nil {
			for _, p := range placements {
				ob.biases = append(ob.biases, p.Bias)
			}
		}
		if ob.program {
			order := f.ByteOrder()
			if order == nil {
				order = binary.LittleEndian
			}
			if bias, err := f.BiasFromAuxv(symbols.ParseAuxv(im.Auxv, f.Class, order)); err == nil {
				ob.biases = []uint64{bias}
			}
		}
		if len(ob.biases) > 0 {
			out = append(out, ob)
		}
	}
	if f, start, err := im.VDSO(); err == nil {
		for _, s := range f.Segments() {
			if s.Type == elf.PT_LOAD {
				out = append(out, object{name: "[vdso]", file: f, biases: []uint64{start - s.Vaddr}})
				break
			}
		}
	}
	if len(out) == 0 {
		return nil, &message.Error{Text: "process " + id + ": none of its files can be read", Remedy: "'farcall doctor -p " + id + "' says what stands in the way"}
	}
	return out, nil
}
