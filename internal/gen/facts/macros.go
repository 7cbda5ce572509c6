package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// includeEnv names the include directory of the kernel headers to observe, so that an unpacked
// linux-libc-dev newer than the machine's own can be read.
const includeEnv = "FACTS_INCLUDE"

// A target is an architecture whose constants are observed with this machine's gcc. Constants
// depend on the headers and on the sizes of C's types, so that amd64's compiler also serves arm64.
type target struct {
	arch   string // GOARCH
	triple string // include/TRIPLE/asm is the architecture's part of the headers
	flags  []string
}

var targets = []target{
	{"amd64", "x86_64-linux-gnu", nil},
	{"arm64", "aarch64-linux-gnu", []string{"-U__x86_64__", "-D__aarch64__", "-funsigned-char"}},
	{"386", "i386-linux-gnu", []string{"-m32"}},
}

// preludes replace the C library's headers where kernel headers include them.
var preludes = map[string]string{
	"sys/types.h":         "#pragma once\n#include <stdint.h>\n#include <stddef.h>\n#include <linux/types.h>\ntypedef long ssize_t; typedef long time_t; typedef int pid_t; typedef unsigned uid_t; typedef unsigned gid_t; typedef long off_t; typedef unsigned mode_t;\n",
	"sys/socket.h":        "#pragma once\n#include <sys/types.h>\n#include <linux/socket.h>\ntypedef unsigned short sa_family_t;\nstruct sockaddr { sa_family_t sa_family; char sa_data[14]; };\n#define sockaddr_storage __kernel_sockaddr_storage\n",
	"sys/ioctl.h":         "#include <linux/ioctl.h>\n#include <asm/ioctls.h>\n",
	"sys/time.h":          "#pragma once\nstruct timeval { long tv_sec; long tv_usec; };\nstruct timespec { long tv_sec; long tv_nsec; };\n",
	"time.h":              "#include <sys/time.h>\n",
	"stdlib.h":            "",
	"string.h":            "",
	"unistd.h":            "",
	"endian.h":            "",
	"xen/interface/xen.h": "",
	"features.h":          "",
	"netinet/in.h":        "#include <linux/in.h>\n",
	"netinet/if_ether.h":  "#include <linux/if_ether.h>\n",
}

// A macro is one integer constant of a header.
type macro struct {
	name   string
	value  uint64 // of a negative constant the two's complement
	minus  bool
	header string // under include/ that defines it
	ioctl  bool   // an ioctl command
	size   string // the type whose size an ioctl command encodes, "" if none
}

func (m macro) number() string {
	if m.minus {
		return strconv.FormatInt(int64(m.value), 10)
	}
	return fmt.Sprintf("%#x", m.value)
}

// A compiler runs gcc for one target over the headers under include.
type compiler struct {
	target
	include string
	work    string // holds the preludes
	flags   []string
}

func newCompiler(t target, include, work string) (*compiler, error) {
	builtin, err := exec.Command("gcc", "-print-file-name=include").Output()
	if err != nil {
		return nil, fmt.Errorf("gcc: %w", err)
	}
	c := &compiler{target: t, include: include, work: work}
	c.flags = append([]string{
		"-x", "c", "-std=gnu11", "-w", "-ffreestanding", "-nostdinc", "-ftrack-macro-expansion=0", "-fmax-errors=0",
		"-I", filepath.Join(work, "include"), "-I", filepath.Join(include, t.triple), "-I", include,
		"-isystem", strings.TrimSpace(string(builtin)),
	}, t.flags...)
	return c, nil
}

// gcc compiles source from its standard input.
func (c *compiler) gcc(source []byte, args ...string) (stdout, stderr []byte, err error) {
	cmd := exec.Command("gcc", append(append(slices.Clone(c.flags), args...), "-")...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(source), &out, &errs
	err = cmd.Run()
	return out.Bytes(), errs.Bytes(), err
}

// prefix is what stands before every header; some assume that their includer did this.
const prefix = "#include <linux/types.h>\n#include <linux/ioctl.h>\n#include <linux/major.h>\n#include <linux/fiemap.h>\n#include <linux/blktrace_api.h>\n#include <linux/filter.h>\n#include <linux/serial.h>\n#include <stddef.h>\n#include <stdint.h>\n#include <sys/types.h>\n"

// fallback is added for headers that do not compile otherwise. What other headers define
// themselves cannot stand in prefix.
const fallback = "#include <sys/time.h>\n#include <sys/socket.h>\n#include <asm/signal.h>\n#include <asm/sigcontext.h>\n" +
	"#define MSG_FIN 0x200\ntypedef __u32 grant_ref_t;\ntypedef __u16 domid_t;\ntypedef __u64 xen_pfn_t;\ntypedef __u64 xen_ulong_t;\n"

var (
	lineMarker = regexp.MustCompile(`^# \d+ "([^"]*)"`)
	defineLine = regexp.MustCompile(`^#define ([A-Z][A-Za-z0-9_]*|_LINUX_[A-Z0-9_]+) (.+)$`)
	enumBlock  = regexp.MustCompile(`\benum\b[^;{}()]*\{([^{}]*)\}`)
	enumName   = regexp.MustCompile(`^\s*([A-Za-z_][A-Za-z0-9_]*)`)
	errorLine  = regexp.MustCompile(`(?m)^farcall:(\d+):(?:\d+:)? (?:fatal )?error:`)
	ioctlText  = regexp.MustCompile(`FARCALL_IOC\s*\(`)
	sizeText   = regexp.MustCompile(`sizeof\s*\(\s*([A-Za-z_][A-Za-z0-9_ *]*(?:\[[^]]*\])?)\s*\)`)
)

// constants are the integer constants that header defines, and those of the headers that it
// includes and that want accepts.
func (c *compiler) constants(header string, want func(string) bool) ([]macro, error) {
	var include string
	for _, include = range []string{prefix, prefix + fallback} {
		include += "#include <" + header + ">\n"
		if _, _, err := c.gcc([]byte(include), "-fsyntax-only"); err == nil {
			break
		}
	}
	text, errs, err := c.gcc([]byte(include), "-E", "-dD")
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", header, err, firstLine(errs))
	}
	macros := c.names(text, want)
	if len(macros) == 0 {
		return nil, nil
	}
	if macros, err = c.evaluate(include, macros); err != nil {
		return nil, fmt.Errorf("%s: %w", header, err)
	}
	return macros, c.markIoctls(include, macros)
}

// names finds the macros and enumerators in preprocessed text with directives kept.
func (c *compiler) names(text []byte, want func(string) bool) []macro {
	var macros []macro
	at := map[string]int{}
	add := func(name, header string) {
		if _, ok := at[name]; !ok && want(header) {
			at[name] = len(macros)
			macros = append(macros, macro{name: name, header: header})
		}
	}
	var code strings.Builder // what is no directive, with markers of the header
	header := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if m := lineMarker.FindStringSubmatch(line); m != nil {
			header = c.relative(m[1])
			continue
		}
		if m := defineLine.FindStringSubmatch(line); m != nil {
			if !strings.ContainsAny(m[2], `"{};`) && !strings.HasPrefix(m[2], "__attribute__") {
				add(m[1], header)
			}
			continue
		}
		if !strings.HasPrefix(line, "#") && want(header) {
			fmt.Fprintf(&code, "\x01%s\x02%s\n", header, line)
		}
	}
	marker := regexp.MustCompile(`\x01([^\x02]*)\x02`)
	all := code.String()
	for _, m := range enumBlock.FindAllStringSubmatchIndex(all, -1) {
		where := ""
		if found := marker.FindAllStringSubmatch(all[:m[1]], -1); found != nil {
			where = found[len(found)-1][1]
		}
		body := marker.ReplaceAllString(all[m[2]:m[3]], "")
		for part := range strings.SplitSeq(body, ",") {
			if name := enumName.FindStringSubmatch(part); name != nil && !strings.HasPrefix(name[1], "__") {
				add(name[1], where)
			}
		}
	}
	return macros
}

// relative is the name of a header as one would include it.
func (c *compiler) relative(path string) string {
	for _, dir := range []string{filepath.Join(c.include, c.triple), c.include, filepath.Join(c.work, "include")} {
		if rest, ok := strings.CutPrefix(path, dir+"/"); ok {
			return rest
		}
	}
	return ""
}

// evaluate compiles a table of the values and drops, line by line, what is no constant.
func (c *compiler) evaluate(include string, macros []macro) ([]macro, error) {
	for range 100 { // gcc tells an undeclared identifier once
		if len(macros) == 0 {
			return nil, nil
		}
		var src bytes.Buffer
		src.WriteString(include)
		src.WriteString("const unsigned long long table[][3] __attribute__((section(\".farcall\"), used)) = {\n#line 1 \"farcall\"\n")
		for _, m := range macros {
			fmt.Fprintf(&src, "{(unsigned long long)(%s), (%s) < 0, __builtin_classify_type(%s)},\n", m.name, m.name, m.name)
		}
		src.WriteString("};\n")
		object := filepath.Join(c.work, "table.o")
		_, errs, err := c.gcc(src.Bytes(), "-c", "-o", object)
		if err == nil {
			return readTable(object, macros)
		}
		bad := map[int]bool{}
		for _, m := range errorLine.FindAllSubmatch(errs, -1) {
			n, _ := strconv.Atoi(string(m[1]))
			bad[n] = true
		}
		kept := macros[:0:0]
		for i, m := range macros {
			if !bad[i+1] {
				kept = append(kept, m)
			}
		}
		if len(kept) == len(macros) {
			return nil, fmt.Errorf("gcc: %w: %s", err, firstLine(errs))
		}
		macros = kept
	}
	return nil, fmt.Errorf("the table still does not compile")
}

// Classes of __builtin_classify_type (gcc's typeclass.h).
const integerClass, enumClass, boolClass = 1, 3, 4

func readTable(object string, macros []macro) ([]macro, error) {
	f, err := elf.Open(object)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	section := f.Section(".farcall")
	if section == nil || section.Size != uint64(24*len(macros)) {
		return nil, fmt.Errorf("%s: no table of %d rows", object, len(macros))
	}
	data, err := section.Data()
	if err != nil {
		return nil, err
	}
	kept := macros[:0:0]
	for i, m := range macros {
		row := data[24*i:]
		m.value = binary.LittleEndian.Uint64(row)
		m.minus = binary.LittleEndian.Uint64(row[8:]) != 0
		switch binary.LittleEndian.Uint64(row[16:]) {
		case integerClass, enumClass, boolClass:
			kept = append(kept, m)
		}
	}
	return kept, nil
}

// markIoctls expands every name with _IOC replaced by a word that leaves a trace.
func (c *compiler) markIoctls(include string, macros []macro) error {
	var src bytes.Buffer
	src.WriteString(include + "#undef _IOC\n#define _IOC(dir, type, nr, size) FARCALL_IOC(dir, type, nr, size)\n")
	for i, m := range macros {
		fmt.Fprintf(&src, "@%d@ %s @@\n", i, m.name)
	}
	out, errs, err := c.gcc(src.Bytes(), "-E", "-P")
	if err != nil {
		return fmt.Errorf("%w: %s", err, firstLine(errs))
	}
	for i := range macros {
		start, end := fmt.Sprintf("@%d@", i), "@@"
		_, rest, ok := strings.Cut(string(out), start)
		if !ok {
			continue
		}
		body, _, _ := strings.Cut(rest, end)
		m := &macros[i]
		// A command is one _IOC, not an expression of several, nor a mask over one.
		if text := strings.Trim(strings.TrimSpace(body), "( "); strings.HasPrefix(text, "FARCALL_IOC") && len(ioctlText.FindAllString(body, -1)) == 1 {
			m.ioctl = true
			if size := sizeText.FindStringSubmatch(body); size != nil {
				m.size = strings.Join(strings.Fields(size[1]), " ")
			}
		} else if pattern, ok := plainIoctls[m.header]; ok && !m.minus && m.value < 1<<16 &&
			(m.value >= minPlainIoctl || m.header == "scsi/scsi_ioctl.h") {
			m.ioctl = regexp.MustCompile("^(?:" + pattern + ")$").MatchString(m.name)
		}
	}
	return nil
}

// firstLine is the first line that tells an error of gcc's output.
func firstLine(b []byte) string {
	for line := range strings.Lines(string(b)) {
		if strings.Contains(line, "error:") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// writePreludes makes the include directory that takes the C library's place. The scsi headers are
// the C library's and are borrowed from it.
func writePreludes(work string) error {
	for name, text := range preludes {
		path := filepath.Join(work, "include", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return os.Symlink("/usr/include/scsi", filepath.Join(work, "include", "scsi"))
}
