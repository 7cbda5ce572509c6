package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A Profile is what a command has asked the server for: it is asked for together when the command is run again. It is a hint only: what
// the server says is what counts.
type Profile struct {
	Key  string
	Uses []Use // in the order in which they came first

	mu    sync.Mutex
	index map[Use]int // of Uses, by a kind that stands for those that answer each other
}

// A Use is one thing that was asked for.
type Use struct {
	Kind UseKind
	Size int // of a content
	Path string
}

type UseKind byte

// The kinds of a Use.
const (
	UseContent UseKind = 'o'
	UseEntries UseKind = 'd' // a directory's, with their attributes
	UseNames   UseKind = 'n' // only which there are
	UseLink    UseKind = 'l' // attributes of a name
	UseFile    UseKind = 's' // of what it leads to
)

const useKinds = "odnls"

func UseOf(follow bool) UseKind {
	if follow {
		return UseFile
	}
	return UseLink
}

// Limits of a profile and of all that there are.
const (
	maxUses        = 4000
	maxProfile     = 512 << 10 // bytes of its file
	maxProfiles    = 500
	MaxAhead       = 32 << 20 // bytes of contents
	MaxAheadOne    = 1 << 20
	profileHeading = "farcall profile 1"
)

// ProfileKey names what a profile is for: a server, a command as far as it decides what is asked for, and the directory that it starts in.
func ProfileKey(server string, args []string, dir string) string {
	name := filepath.Base(args[0])
	// What is run is not this program, but what it is told to run.
	if len(args) > 1 && slices.Contains(interpreters, strings.TrimRight(name, "0123456789.")) && !strings.HasPrefix(args[1], "-") {
		name += " " + args[1]
	}
	return strconv.Quote(server) + " " + strconv.Quote(name) + " " + strconv.Quote(dir)
}

var interpreters = []string{"bash", "sh", "dash", "zsh", "python", "perl", "ruby", "node", "php", "lua", "tclsh", "git", "make", "cargo", "go", "npm"}

// ProfileFile is the file in which a directory has the profile of a key.
func ProfileFile(dir, key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(dir, hex.EncodeToString(sum[:16])+".profile")
}

// errProfile is matched by errors about what stands in a profile's file.
var errProfile = errors.New("not a profile")

// ReadProfile reads the profile of a key; one without uses if there is none yet. The error says why what there is cannot be used; the profile
// is empty then.
func ReadProfile(file, key string) (*Profile, error) {
	empty := &Profile{Key: key}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return empty, nil
	}
	if err != nil {
		return empty, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxProfile+1))
	if err != nil {
		return empty, err
	}
	p, err := ParseProfile(b)
	switch {
	case err != nil:
		return empty, fmt.Errorf("%s: %w", file, err)
	case p.Key != key:
		return empty, fmt.Errorf("%s: %w for %s", file, errProfile, key)
	}
	return p, nil
}

// ParseProfile reads what Format writes. Its errors match errProfile.
func ParseProfile(b []byte) (*Profile, error) {
	if len(b) > maxProfile {
		return nil, fmt.Errorf("%w: too large", errProfile)
	}
	lines := strings.Split(string(b), "\n")
	if len(lines) < 3 || lines[0] != profileHeading || lines[len(lines)-1] != "" {
		return nil, fmt.Errorf("%w: no heading, or no end", errProfile)
	}
	p := &Profile{Key: lines[1]}
	for _, line := range lines[2 : len(lines)-1] {
		kind, rest, _ := strings.Cut(line, " ")
		size, name, _ := strings.Cut(rest, " ")
		n, serr := strconv.Atoi(size)
		text, err := strconv.Unquote(name)
		if len(kind) != 1 || !strings.Contains(useKinds, kind) || serr != nil || n < 0 || err != nil || !Plain(text) || strings.Contains(text, "\x00") {
			return nil, fmt.Errorf("%w: line %d", errProfile, len(p.Uses)+3)
		}
		if len(p.Uses) == maxUses {
			return nil, fmt.Errorf("%w: more than %d lines", errProfile, maxUses)
		}
		p.Uses = append(p.Uses, Use{UseKind(kind[0]), n, text})
	}
	return p, nil
}

// Format makes the file's content.
func (p *Profile) Format() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := []byte(profileHeading + "\n" + p.Key + "\n")
	for _, u := range p.Uses {
		line := fmt.Sprintf("%c %d %s\n", u.Kind, u.Size, strconv.Quote(u.Path))
		if len(b)+len(line) > maxProfile {
			break
		}
		b = append(b, line...)
	}
	return b
}

// Write writes the profile into its file, whole or not at all, and removes the oldest of its kind if there are too many.
func (p *Profile) Write(file string) error {
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "new-")
	if err != nil {
		return err
	}
	_, err = f.Write(p.Format())
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	return prune(dir)
}

func prune(dir string) error {
	all, err := filepath.Glob(filepath.Join(dir, "*.profile"))
	if err != nil || len(all) <= maxProfiles {
		return err
	}
	when := map[string]int64{}
	for _, f := range all {
		if info, err := os.Stat(f); err == nil {
			when[f] = info.ModTime().UnixNano()
		}
	}
	slices.SortFunc(all, func(a, b string) int { return int(min(max(when[a]-when[b], -1), 1)) })
	for _, f := range all[:len(all)-maxProfiles] {
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Note remembers that something was asked for, or would have been if it had not been known. p may be nil.
func (p *Profile) Note(kind UseKind, name string, size int) {
	if p == nil || !Plain(name) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.index == nil {
		p.index = map[Use]int{}
	}
	stands := Use{Kind: kind, Path: name}
	switch kind {
	case UseNames:
		stands.Kind = UseEntries
	case UseFile:
		stands.Kind = UseContent
	}
	if i, ok := p.index[stands]; ok {
		if kind == stands.Kind { // says more than the other
			p.Uses[i].Kind, p.Uses[i].Size = kind, size
		}
		return
	}
	if len(p.Uses) < maxUses {
		p.index[stands] = len(p.Uses)
		p.Uses = append(p.Uses, Use{kind, size, name})
	}
}

// TakeProfile has what is asked for from now on noted in a profile, and returns what it had.
func (c *Cache) TakeProfile(p *Profile) []Use {
	if p == nil || !c.Keeps() {
		return nil
	}
	uses := p.Uses
	p.Uses = nil
	c.Profile = p
	return uses
}
