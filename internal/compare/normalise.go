package compare

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// normaliser replaces, in the lines of one trace, what the other trace cannot have in common with it.
type normaliser struct {
	pids  map[int]string // token by pid
	temps map[string]string
	now   int64 // seconds since the epoch about which the trace was taken; 0: unknown
	exact bool  // keep addresses
	// launch is the execve that starts the program. Its pointers are the tracer's, so exact does not hold for it.
	launch *Line

	// State of the rule that is being applied.
	line *Line
	text string
	at   int
}

// arg returns the index of the argument in which n.at lies.
func (n *normaliser) arg() int {
	head := len(n.line.Name) + 1
	if n.at < head {
		return 0
	}
	return max(0, len(SplitArgs(n.text[head:n.at]))-1)
}

// appliesTo reports whether the rule is for lines like l.
func (r *Rule) appliesTo(l *Line) bool {
	return r.Calls == nil || slices.Contains(r.Calls, l.Name)
}

// normalise returns the text by which a line is compared, and the one by which it is aligned, which never has addresses.
func (n *normaliser) normalise(l *Line) (text, key string) {
	n.line = l
	text = n.replacePIDs(l.Text, noPIDs[l.Name])
	text = n.replaceTemps(text)
	if l.Misaligned {
		text += " [misaligned]"
	}
	if l.Kind == KindCall && l.Result == "" {
		text += " [no result]"
	}
	key = text
	for i := range Rules {
		r := &Rules[i]
		if !r.appliesTo(l) {
			continue
		}
		key = r.apply(n, key)
		if r.Address && n.exact && l != n.launch {
			continue
		}
		text = r.apply(n, text)
	}
	return text, key
}

// noPIDs are frequent calls with sizes and offsets and without pids: a size that happens to be a pid of the trace stays
// what it is. Their strings can hold pids.
var noPIDs = map[string]bool{
	"read": true, "write": true, "pread64": true, "pwrite64": true, "readv": true, "writev": true, "lseek": true, "mmap": true,
	"munmap": true, "mprotect": true, "mremap": true, "madvise": true, "brk": true, "getdents64": true, "fstat": true, "newfstatat": true,
	"stat": true, "lstat": true, "statx": true, "ftruncate": true, "fallocate": true, "sendto": true, "recvfrom": true, "sendmsg": true,
	"recvmsg": true, "copy_file_range": true, "sendfile": true, "getrandom": true, "readlink": true, "readlinkat": true,
}

// replacePIDs replaces the decimal numbers that are pids of the trace. That holds for any place: the result of fork, the
// argument of wait4 and kill, si_pid, /proc/PID, and the text of `echo $$` are all the same number. With onlyStrings set, what
// stands outside of quotes is left alone.
func (n *normaliser) replacePIDs(text string, onlyStrings bool) string {
	var b strings.Builder
	done, stringEnd := 0, -1
	for i := 0; i < len(text); i++ {
		if text[i] == '"' && i > stringEnd {
			stringEnd = skipString(text, i)
		}
		if onlyStrings && i > stringEnd {
			continue
		}
		if !isDigit(text[i]) {
			continue
		}
		end := i
		for end < len(text) && isDigit(text[end]) {
			end++
		}
		if token, ok := n.pids[leadingInt(text[i:end])]; ok && wordStarts(text, i) && (end == len(text) || !isAlnum(text[end])) {
			b.WriteString(text[done:i])
			b.WriteString(token)
			done = end
		}
		i = end
	}
	if done == 0 {
		return text
	}
	return b.String() + text[done:]
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isAlnum(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' }

// wordStarts reports whether no word reaches into index i from the left; the letter of an escape such as \n is no word.
func wordStarts(text string, i int) bool {
	return i == 0 || !isAlnum(text[i-1]) || i > 1 && text[i-2] == '\\'
}

// tempNames returns the last components of the paths that the trace's threads created and nobody had before: by open
// with O_EXCL, and by mkdir.
func (n *normaliser) tempNames(t *Trace) map[string]bool {
	names := map[string]bool{}
	for _, th := range t.Threads {
		for i := range th.Lines {
			l := &th.Lines[i]
			if l.Kind != KindCall || strings.HasPrefix(l.Result, "-1 ") {
				continue
			}
			arg := -1
			switch l.Name {
			case "open", "mkdir":
				arg = 0
			case "openat", "mkdirat":
				arg = 1
			}
			if arg < 0 || arg >= len(l.Args) || strings.HasPrefix(l.Name, "open") && !strings.Contains(l.Text, "O_EXCL") {
				continue
			}
			name := path.Base(strings.Trim(l.Args[arg], `"`))
			if name = n.replacePIDs(name, false); len(name) >= 6 { // mkstemp and its kin vary six characters at least
				names[name] = true
			}
		}
	}
	return names
}

// setTemps gives a token to every temporary name of mine that theirs does not have: its length, which templates keep, and
// its extension, which says what kind of file it is.
func (n *normaliser) setTemps(mine, theirs map[string]bool) {
	n.temps = map[string]string{}
	for name := range mine {
		if theirs[name] {
			continue
		}
		ext := path.Ext(name)
		if strings.ContainsAny(ext, "0123456789<") || len(ext) > 4 {
			ext = ""
		}
		n.temps[name] = fmt.Sprintf("<temp %d>%s", len(name), ext)
	}
}

func (n *normaliser) replaceTemps(text string) string {
	for name, token := range n.temps {
		for from := 0; ; {
			i := strings.Index(text[from:], name)
			if i < 0 {
				break
			}
			i += from
			end := i + len(name)
			if wordStarts(text, i) && (end == len(text) || !isAlnum(text[end])) {
				text = text[:i] + token + text[end:]
				end = i + len(token)
			}
			from = end
		}
		// A string that is cut off may end within the name.
		if cut := strings.Index(text, `"...`); cut > 0 {
			slash := strings.LastIndexByte(text[:cut], '/')
			if part := text[slash+1 : cut]; slash >= 0 && len(part) >= 3 && strings.HasPrefix(name, part) {
				text = text[:slash+1] + "<temp>" + text[cut:]
			}
		}
	}
	return text
}
