package wire

import (
	"farcall/syscalls"
	"farcall/syscalls/linux"
)

// ABI is the interface whose numbers and descriptions are used on the wire: arm64 follows the generic one.
const ABI = syscalls.ARM64

// An Access says what a call needs to be allowed to do.
type Access uint8

// The kinds of access.
const (
	AccessRead  Access = iota // it looks
	AccessWrite               // it changes something
	AccessOpen                // it does what its flags say
)

// A Carried is a call that can be sent to a server.
type Carried struct {
	Name     string
	Access   Access
	Blocks   bool     // it can wait for other programs, not only for a disk
	Variants []string // if not nil, the only variants that can be sent
	Desc     *syscalls.Call
	Number   uint16
}

// carried are the calls that can be sent: those whose every pointer is described, and that mean something to another process than
// the one that asks.
var carried = []Carried{
	{Name: "openat", Access: AccessOpen, Blocks: true},
	{Name: "read", Blocks: true},
	{Name: "readv", Blocks: true},
	{Name: "pread64"},
	{Name: "preadv"},
	{Name: "preadv2"},
	{Name: "write", Access: AccessWrite, Blocks: true},
	{Name: "writev", Access: AccessWrite, Blocks: true},
	{Name: "pwrite64", Access: AccessWrite},
	{Name: "pwritev", Access: AccessWrite},
	{Name: "pwritev2", Access: AccessWrite},
	{Name: "lseek"},
	{Name: "getdents64"},
	{Name: "statx"},
	{Name: "statfs"},
	{Name: "fstatfs"},
	{Name: "readlinkat"},
	{Name: "faccessat"},
	{Name: "faccessat2"},
	{Name: "mkdirat", Access: AccessWrite},
	{Name: "mknodat", Access: AccessWrite},
	{Name: "unlinkat", Access: AccessWrite},
	{Name: "renameat2", Access: AccessWrite},
	{Name: "linkat", Access: AccessWrite},
	{Name: "symlinkat", Access: AccessWrite},
	{Name: "fchmod", Access: AccessWrite},
	{Name: "fchmodat", Access: AccessWrite},
	{Name: "fchmodat2", Access: AccessWrite},
	{Name: "fchown", Access: AccessWrite},
	{Name: "fchownat", Access: AccessWrite},
	{Name: "utimensat", Access: AccessWrite},
	{Name: "truncate", Access: AccessWrite},
	{Name: "ftruncate", Access: AccessWrite},
	{Name: "fallocate", Access: AccessWrite},
	{Name: "copy_file_range", Access: AccessWrite},
	{Name: "sendfile", Access: AccessWrite, Blocks: true},
	{Name: "fadvise64"},
	{Name: "readahead"},
	{Name: "fsync"},
	{Name: "fdatasync"},
	{Name: "syncfs"},
	{Name: "sync_file_range"},
	{Name: "flock", Blocks: true},
	{Name: "fcntl", Blocks: true, Variants: []string{"GETFL", "SETFL", "GET_RW_HINT", "SET_RW_HINT", "GETLK64", "SETLK64"}},
	{Name: "getxattr"},
	{Name: "lgetxattr"},
	{Name: "fgetxattr"},
	{Name: "listxattr"},
	{Name: "llistxattr"},
	{Name: "flistxattr"},
	{Name: "setxattr", Access: AccessWrite},
	{Name: "lsetxattr", Access: AccessWrite},
	{Name: "fsetxattr", Access: AccessWrite},
	{Name: "removexattr", Access: AccessWrite},
	{Name: "lremovexattr", Access: AccessWrite},
	{Name: "fremovexattr", Access: AccessWrite},
}

var byNumber = map[uint16]*Carried{}
var byName = map[string]*Carried{}

func init() {
	for i := range carried {
		c := &carried[i]
		nr, ok := ABI.Number(c.Name)
		c.Number, c.Desc = uint16(nr), linux.Describe(ABI, nr)
		if !ok || c.Desc == nil {
			panic("wire: no generic call " + c.Name)
		}
		byNumber[c.Number], byName[c.Name] = c, c
	}
}

// Lookup returns the call with a generic number, nil if it cannot be sent.
func Lookup(number uint16) *Carried { return byNumber[number] }

// ByName returns the call with a name, nil if it cannot be sent.
func ByName(name string) *Carried { return byName[name] }

// allows tells whether the variant that the arguments choose can be sent.
func (c *Carried) allows(variant string) bool {
	if c.Variants == nil {
		return true
	}
	for _, v := range c.Variants {
		if v == variant {
			return true
		}
	}
	return false
}
