package linux

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A Version is the version of a kernel. Distributions take features into older versions, so that a version proves that a
// feature is there, but not that it is missing.
type Version struct {
	Major, Minor, Patch int
}

// ParseVersion reads the release that uname(2) gives, such as 6.1.0-18-amd64 or 5.10-rc3. What follows the
// numbers does not count; a missing patch level is 0.
func ParseVersion(release string) (Version, error) {
	var nums [3]int
	rest := release
	for i := range nums {
		end := 0
		for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
			end++
		}
		n, err := strconv.Atoi(rest[:end])
		if err != nil {
			return Version{}, fmt.Errorf("kernel release %q: not a version", release)
		}
		nums[i] = n
		rest = rest[end:]
		if !strings.HasPrefix(rest, ".") || i == len(nums)-1 {
			if i == 0 {
				return Version{}, fmt.Errorf("kernel release %q: not a version", release)
			}
			break
		}
		rest = rest[1:]
	}
	return Version{nums[0], nums[1], nums[2]}, nil
}

// AtLeast tells whether v is the version major.minor or a later one.
func (v Version) AtLeast(major, minor int) bool {
	return v.Compare(Version{Major: major, Minor: minor}) >= 0
}

// Compare is negative if v is before w, 0 if they are the same, positive if v is after w.
func (v Version) Compare(w Version) int {
	switch {
	case v.Major != w.Major:
		return v.Major - w.Major
	case v.Minor != w.Minor:
		return v.Minor - w.Minor
	}
	return v.Patch - w.Patch
}

func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

// Uname is what uname(2) says of the running kernel.
type Uname struct {
	Release string // 6.1.0-18-amd64
	Version string // #1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)
	Machine string // x86_64
}

// ReadUname asks the running kernel. A personality (setarch --uname-2.6) can make it lie.
func ReadUname() Uname {
	var u unix.Utsname
	_ = unix.Uname(&u) // can only fail for a bad address
	return Uname{
		Release: unix.ByteSliceToString(u.Release[:]), Version: unix.ByteSliceToString(u.Version[:]),
		Machine: unix.ByteSliceToString(u.Machine[:]),
	}
}
