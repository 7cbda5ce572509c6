package server

import (
	"fmt"
	"os/user"
	"strconv"
	"syscall"
)

// A User is whom the server acts as.
type User struct {
	UID, GID int
	Groups   []int // besides GID
}

// FindUser looks for a user of this host, by name or number.
//
// Errors: those of user.Lookup.
func FindUser(name string) (u User, err error) {
	found, err := user.Lookup(name)
	if err != nil {
		var byNumber error
		if found, byNumber = user.LookupId(name); byNumber != nil {
			return u, err
		}
	}
	groups, err := found.GroupIds()
	if err != nil {
		return u, err
	}
	for _, n := range append([]string{found.Uid, found.Gid}, groups...) {
		id, err := strconv.Atoi(n)
		if err != nil {
			return u, fmt.Errorf("user %s: id %q: %w", name, n, err)
		}
		u.Groups = append(u.Groups, id)
	}
	u.UID, u.GID, u.Groups = u.Groups[0], u.Groups[1], u.Groups[2:]
	return u, nil
}

// Become makes the whole process the user, for good.
//
// Errors: EPERM without the capabilities; other errnos of setgroups(2), setgid(2) and setuid(2).
func (u User) Become() error {
	if err := syscall.Setgroups(u.Groups); err != nil {
		return fmt.Errorf("setgroups: %w", err)
	}
	if err := syscall.Setgid(u.GID); err != nil {
		return fmt.Errorf("setgid: %w", err)
	}
	if err := syscall.Setuid(u.UID); err != nil {
		return fmt.Errorf("setuid: %w", err)
	}
	return nil
}
