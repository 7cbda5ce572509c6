package linux_test

import (
	"errors"
	"runtime"
	"testing"

	"farcall/internal/gen/btfcheck"
	"farcall/syscalls"
	"farcall/syscalls/linux"
)

// TestFileStructures compares structures of calls on files with the running kernel's: the size, and
// the offset and size of each member that has the same name there.
func TestFileStructures(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("struct stat differs by architecture")
	}
	structs := linux.Base().Structs
	for name, kernel := range map[string]string{
		"stat": "stat", "statx_timestamp": "statx_timestamp", "statfs": "statfs", "open_how": "open_how", "flock": "flock",
		"f_owner_ex": "f_owner_ex", "termios": "termios", "termios2": "termios2", "termio": "termio", "winsize": "winsize",
		"fsxattr": "fsxattr", "file_clone_range": "file_clone_range", "fstrim_range": "fstrim_range", "blkpg": "blkpg_ioctl_arg",
		"blkpg_partition": "blkpg_partition", "loop_info64": "loop_info64", "loop_config": "loop_config", "pollfd": "pollfd",
		"epoll_event": "epoll_event", "iocb": "iocb", "iocb_head": "iocb", "io_event": "io_event", "io_uring_params": "io_uring_params",
		"sq_off": "io_sqring_offsets", "cq_off": "io_cqring_offsets", "mount_attr": "mount_attr", "mnt_id_req": "mnt_id_req",
		"cachestat": "cachestat", "cachestat_range": "cachestat_range", "xattr_set": "xattr_args", "file_attr": "file_attr",
		"stat_i386": "compat_stat", "stat64_i386": "stat64", "statfs_i386": "compat_statfs", "statfs64_i386": "compat_statfs64",
		"timespec_date": "timespec64", "old_select": "compat_sel_arg_struct", "ustat": "ustat",
	} {
		t.Run(name, func(t *testing.T) {
			s := structs[name]
			if s == nil {
				t.Fatalf("%s is not described", name)
			}
			members, size, err := btfcheck.Layout(kernel)
			if errors.Is(err, btfcheck.ErrNotFound) {
				t.Skipf("the kernel does not tell about %s", kernel)
			}
			if err != nil {
				t.Fatal(err)
			}
			layout := syscalls.LayoutLP64
			if len(kernel) > 6 && kernel[:6] == "compat" || kernel == "stat64" {
				layout = syscalls.LayoutI386
			}
			if int(s.Size[layout]) != size {
				t.Errorf("%s has %d bytes, the kernel's %s %d", name, s.Size[layout], kernel, size)
			}
			at := map[string]btfcheck.Member{}
			for _, m := range members {
				at[m.Name] = m
			}
			for i := range s.Fields {
				f := &s.Fields[i]
				m, ok := at[f.Name]
				if !ok {
					continue
				}
				if int(f.Off[layout]) != m.Offset {
					t.Errorf("%s.%s is at %d, the kernel's at %d", name, f.Name, f.Off[layout], m.Offset)
				}
				if n := f.Type.Size(layout); n != 0 && n != m.Size && f.Attr&syscalls.AttrOver == 0 {
					t.Errorf("%s.%s has %d bytes, the kernel's %d", name, f.Name, n, m.Size)
				}
			}
		})
	}
}
