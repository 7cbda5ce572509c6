package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// observeMacros evaluates the headers for every target and writes macros-ARCH.txt and
// ioctls-ARCH.txt. The files of amd64 are complete; the others hold what differs.
func observeMacros(dir string) error {
	include := cmp.Or(os.Getenv(includeEnv), "/usr/include")
	version, err := headerVersion(include)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "macros")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := writePreludes(work); err != nil {
		return err
	}
	ioctlHeaders, err := headersWithIoctls(include)
	if err != nil {
		return err
	}
	var base [2][]macro
	for _, t := range targets {
		c, err := newCompiler(t, include, work)
		if err != nil {
			return err
		}
		macros, ioctls := c.observe(ioctlHeaders)
		for i, set := range [][]macro{macros, ioctls} {
			file := []string{"macros", "ioctls"}[i] + "-" + t.arch + ".txt"
			about := []string{"Integer constants of the kernel's headers, \"NAME value\"", "Commands of ioctl, \"NAME value header [argument type]\""}[i]
			var b bytes.Buffer
			fmt.Fprintf(&b, "# %s on each line.\n# From linux-libc-dev of Linux %s for %s; see internal/gen/facts.\n", about, version, t.arch)
			if base[i] == nil {
				base[i] = set
				writeMacros(&b, set, i == 1)
			} else {
				b.WriteString("# Only what differs from amd64; a value of - means that the name is unknown.\n")
				writeMacros(&b, differences(base[i], set, &b), i == 1)
			}
			if err := os.WriteFile(filepath.Join(dir, "linux", file), b.Bytes(), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// observe collects the constants of macroHeaders, in their order, and the ioctl commands of all
// headers, by header. Headers that do not compile alone are told and left out.
func (c *compiler) observe(ioctlHeaders []string) (macros, ioctls []macro) {
	seen, seenIoctl := map[string]macro{}, map[string]macro{}
	done := map[string]bool{}
	take := func(header string, all bool) {
		if done[header] {
			return
		}
		done[header] = true
		found, err := c.constants(header, func(h string) bool {
			// asm/X.h is often but an include of asm-generic/X.h or asm/X_64.h.
			return h == header || strings.HasPrefix(header, "asm/") && (strings.HasPrefix(h, "asm-generic/") || strings.HasPrefix(h, "asm/"))
		})
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: skipped: %v\n", c.arch, err)
			return
		}
		for _, m := range found {
			if old, ok := seen[m.name]; ok && all && old.value != m.value {
				fmt.Fprintf(os.Stderr, "%s: %s: %s is %s, but %s in %s\n", c.arch, header, m.name, m.number(), old.number(), old.header)
			} else if !ok && all {
				seen[m.name] = m
				macros = append(macros, m)
			}
			if old, ok := seenIoctl[m.name]; !m.ioctl {
				continue
			} else if ok && old.value != m.value {
				fmt.Fprintf(os.Stderr, "%s: %s: ioctl %s is %s, but %s in %s\n", c.arch, header, m.name, m.number(), old.number(), old.header)
			} else if !ok {
				seenIoctl[m.name] = m
				ioctls = append(ioctls, m)
			}
		}
	}
	for _, header := range macroHeaders {
		take(header, true)
	}
	for _, header := range ioctlHeaders {
		take(header, false)
	}
	slices.SortStableFunc(ioctls, func(a, b macro) int { return cmp.Compare(a.header, b.header) })
	return macros, ioctls
}

var ioctlUse = regexp.MustCompile(`\b_IO[WR]{0,2}\s*\(|\b_IOC\s*\(|DRM_IO`)

// headersWithIoctls lists the headers that define commands: those that use the macros of
// asm/ioctl.h and those of plainIoctls.
func headersWithIoctls(include string) ([]string, error) {
	// The architecture's own.
	headers := []string{"asm/amd_hsmp.h", "asm/mce.h", "asm/msr.h", "asm/mtrr.h", "asm/sgx.h"}
	for name := range plainIoctls {
		headers = append(headers, name)
	}
	for _, top := range []string{"linux", "drm", "sound", "mtd", "misc", "xen", "rdma", "cxl", "fwctl", "video"} {
		err := filepath.WalkDir(filepath.Join(include, top), func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".h") {
				return err
			}
			text, err := os.ReadFile(path)
			if err == nil && ioctlUse.Match(text) {
				headers = append(headers, strings.TrimPrefix(path, include+"/"))
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(headers)
	return slices.Compact(headers), nil
}

var versionCode = regexp.MustCompile(`LINUX_VERSION_(MAJOR|PATCHLEVEL|SUBLEVEL) (\d+)`)

func headerVersion(include string) (string, error) {
	text, err := os.ReadFile(filepath.Join(include, "linux", "version.h"))
	if err != nil {
		return "", err
	}
	var parts []string
	for _, m := range versionCode.FindAllSubmatch(text, -1) {
		parts = append(parts, string(m[2]))
	}
	return strings.Join(parts, "."), nil
}

func writeMacros(b *bytes.Buffer, macros []macro, ioctls bool) {
	header := ""
	for _, m := range macros {
		if ioctls {
			fmt.Fprintln(b, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", m.name, m.number(), m.header, m.size)))
			continue
		}
		if m.header != header {
			header = m.header
			fmt.Fprintf(b, "# %s\n", header)
		}
		fmt.Fprintf(b, "%s %s\n", m.name, m.number())
	}
}

// differences are the constants that are not the same in base; those that only base has are
// written to b at once.
func differences(base, set []macro, b *bytes.Buffer) []macro {
	old, have := map[string]macro{}, map[string]bool{}
	for _, m := range base {
		old[m.name] = m
	}
	var out []macro
	for _, m := range set {
		have[m.name] = true
		if o, ok := old[m.name]; !ok || o.value != m.value || o.minus != m.minus {
			out = append(out, m)
		}
	}
	for _, m := range base {
		if !have[m.name] {
			fmt.Fprintf(b, "%s -\n", m.name)
		}
	}
	return out
}
