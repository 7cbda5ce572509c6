// options: ; -v; -X verbose; -X raw
// differs: 0xc0ed0000: strace writes the magic number and the flags apart
// differs: swapon(: strace writes the priority in decimal
// differs: "user.a", "val", 0): strace shows the buffer of a call that only asks for the size
// differs: EOVERFLOW: the size that the kernel wants is not shown when the call fails
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/mount.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define C(n, ...) syscall(SYS_##n, ##__VA_ARGS__)

int main(void)
{
	void *bad = (void *)8;
	uint64_t attr[4] = {MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, MOUNT_ATTR__ATIME, 1 << 20, 5}, odd[5] = {1UL << 60, 0, 0, -1, 7};
	char buf[4096];

	C(umask, 022);
	C(mount, "none", "/missing", "tmpfs", 7UL, "size=1m"); C(mount, "/a", "/missing", 0, 4096UL | 16384UL, 0); C(mount, bad, bad, bad, -1L, bad); C(mount, "/", "/missing", "x", 0x20UL | 0xc0ed0000UL, "data"); C(mount, 0, "/missing", 0, 1UL << 18, 0); C(mount, "a", "/missing", "t", 0x2000UL, "opts"); C(mount, "none", "/missing", "proc", 1UL << 21 | 1UL << 24 | 1UL << 40, bad);
	C(umount2, "/missing", 0); C(umount2, "/missing", 3); C(umount2, bad, 0xf0); C(pivot_root, "/missing", bad);
	int f = C(fsopen, "tmpfs", FSOPEN_CLOEXEC); C(fsopen, bad, 2); C(fsopen, "missing", 0);
	C(fsconfig, f, FSCONFIG_SET_FLAG, "ro", 0, 0); C(fsconfig, f, FSCONFIG_SET_STRING, "size", "1m", 0); C(fsconfig, f, FSCONFIG_SET_BINARY, "bin", "\1\2\3", 3); C(fsconfig, f, FSCONFIG_SET_PATH, "path", "/x", AT_FDCWD); C(fsconfig, f, FSCONFIG_SET_PATH_EMPTY, "p", "", 4); C(fsconfig, f, FSCONFIG_SET_FD, "fd", 0, 5); C(fsconfig, f, 98, bad, bad, 5); C(fsconfig, f, 99, "a", "b", 5); C(fsconfig, f, FSCONFIG_CMD_RECONFIGURE, 0, 0, 0);
	C(fsconfig, f, FSCONFIG_CMD_CREATE, 0, 0, 0); C(fsconfig, f, FSCONFIG_CMD_CREATE, "k", "v", 1);
	int m = C(fsmount, f, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOEXEC | MOUNT_ATTR_STRICTATIME); C(fsmount, -1, 4, 0xff80); C(fsmount, f, 0, MOUNT_ATTR_NOATIME); C(fspick, AT_FDCWD, "/missing", FSPICK_CLOEXEC | FSPICK_NO_AUTOMOUNT); C(fspick, 4, bad, 0x10);
	C(move_mount, m, "", AT_FDCWD, "/missing", MOVE_MOUNT_F_EMPTY_PATH); C(move_mount, -1, bad, 5, "x", 0xffff0000); C(open_tree, AT_FDCWD, "/missing", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE); C(open_tree, 5, bad, 0x4); C(open_tree, AT_FDCWD, "/missing", AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW);
	C(mount_setattr, AT_FDCWD, "/missing", AT_RECURSIVE, attr, 32L); C(mount_setattr, -1, "", AT_EMPTY_PATH, odd, 40L); C(mount_setattr, 3, bad, 1, bad, 32L); C(mount_setattr, 3, "", 0, attr, 8L);
	C(setxattr, "/missing", "user.name", "value\0\1", 7L, 1); C(lsetxattr, "/missing", "user.n", "", 0L, 2); C(fsetxattr, -1, bad, bad, 5L, 4); C(setxattr, "/missing", "user.x", 0, 0L, 0); C(setxattr, "/missing", "user.x", "0123456789012345678901234567890123456789", 40L, 3);
	int fd = C(openat, AT_FDCWD, "file", O_RDWR | O_CREAT, 0600);
	C(fsetxattr, fd, "user.a", "val", 3L, 0); C(fgetxattr, fd, "user.a", buf, 100L); C(getxattr, "file", "user.a", buf, 0L); C(getxattr, "file", "user.a", 0, 0L); C(lgetxattr, "file", "user.b", buf, 10L); C(getxattr, "file", "user.a", buf, 2L); C(flistxattr, fd, buf, 100L); C(listxattr, "file", buf, 0L); C(llistxattr, "file", 0, 0L); C(listxattr, "file", buf, 1L); C(listxattr, bad, bad, 10L);
	C(removexattr, "file", "user.a"); C(fremovexattr, fd, "user.a"); C(lremovexattr, bad, bad);
	struct { unsigned bytes; int type; unsigned char h[128]; } h = {128}; int id;
	C(name_to_handle_at, AT_FDCWD, "/", &h, &id, 0); h.bytes = 0; C(name_to_handle_at, AT_FDCWD, "/", &h, &id, AT_SYMLINK_FOLLOW); C(name_to_handle_at, -1, bad, bad, bad, 1); h.bytes = 8; h.type = 1; C(open_by_handle_at, -1, &h, O_RDONLY | O_CLOEXEC); C(open_by_handle_at, 3, bad, O_RDWR);
	C(swapon, "/missing", 0x8005); C(swapon, bad, 0x10000); C(swapon, "/missing", 0x7ffff); C(swapoff, "/missing"); C(swapoff, bad);
	C(sysfs, 1, "ext4"); C(sysfs, 2, 0, buf); C(sysfs, 3); C(sysfs, 4, 0); C(lookup_dcookie, 5L, buf, 100L);
	return 0;
}
