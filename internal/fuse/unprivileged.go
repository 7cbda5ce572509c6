package fuse

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// Whoever may not mount may do it in a user namespace (user_namespaces(7), Linux 4.18 for FUSE). A process of its own makes one, mounts there and hands the
// mount over; it need not stay.

// mounterName is the name that it is called by.
const mounterName = "farcall-mounter"

const mounterSocket = 3

// mountElsewhere makes a mount in a user namespace.
func mountElsewhere() (dev, root int, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, -1, fmt.Errorf("socketpair: %w", err)
	}
	defer unix.Close(pair[0])
	theirs := os.NewFile(uintptr(pair[1]), "mounter")
	defer theirs.Close()
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{mounterName}, ExtraFiles: []*os.File{theirs}, Dir: "/",
		SysProcAttr: &syscall.SysProcAttr{
			Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		},
	}
	if err := cmd.Run(); err != nil {
		return -1, -1, fmt.Errorf("mount in a user namespace: %w", err)
	}
	errno, fds, err := receive(pair[0], 2)
	switch {
	case err != nil:
		return -1, -1, fmt.Errorf("mount in a user namespace: %w", err)
	case errno != 0:
		return -1, -1, fmt.Errorf("mount in a user namespace: %w", errno)
	}
	return fds[0], fds[1], nil
}

func init() {
	if len(os.Args) == 1 && os.Args[0] == mounterName {
		mounter()
		os.Exit(0)
	}
}

// mounter is the process. Whoever has started it goes on without it if it does not answer.
func mounter() {
	dev, root, err := mountHere()
	var errno unix.Errno
	var rights []byte
	if err == nil {
		rights = unix.UnixRights(dev, root)
	} else if errno = errnoOf(err); errno == 0 {
		errno = unix.EIO
	}
	_ = send(mounterSocket, errno, rights)
}
