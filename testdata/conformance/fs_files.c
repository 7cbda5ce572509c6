// options: ; -v; -X verbose; -X raw
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define C(n, ...) syscall(SYS_##n, ##__VA_ARGS__)
static char buf[65536];

int main(void)
{
	const void *bad = (void *)8;
	int p[2];
	uint64_t how[4] = {O_RDWR | O_CREAT, 0600, 0, 0};
	struct timespec ts[2] = {{1, 2}, {3, 0}};
	struct timespec special[2] = {{0, UTIME_NOW}, {5, UTIME_OMIT}};
	struct timespec wild[2] = {{-1, -1}, {0x7fffffffff, 1000000000}};
	long tv[4] = {1, 2, 3, 0}, tim[2] = {1, 0x12345678};
	long off = 0, off2 = 5;
	struct iovec iov[3] = {{"hello", 5}, {" world, this is a long string that is cut", 41}, {(void *)8, 3}};
	struct iovec out[3] = {{buf, 4}, {buf + 100, 100}, {0, 0}};

	C(umask, 022);
	int fd = C(openat, AT_FDCWD, "file", O_RDWR | O_CREAT | O_TRUNC, 0644);
	C(openat, fd, "file", O_WRONLY | O_APPEND | O_NONBLOCK | O_DSYNC | O_DIRECT | O_NOATIME | O_CLOEXEC);
	C(openat, AT_FDCWD, "missing", O_PATH | O_DIRECTORY | O_NOFOLLOW);
	C(openat, -1, ".", O_TMPFILE | O_RDWR, 0600);
	C(openat, AT_FDCWD, bad, 3 | O_SYNC | O_ASYNC | 0x80000000);
	C(openat, AT_FDCWD, NULL, 0x40000000);
	C(open, "file", O_RDONLY);
	C(open, "", O_CREAT | O_EXCL | O_NOCTTY, 01777);
	C(creat, "file2", 0);
	C(openat2, AT_FDCWD, "file3", how, 24);
	how[2] = 0x3f; how[3] = 0x1122;
	C(openat2, AT_FDCWD, "file3", how, 32);
	how[1] = 0; how[0] = O_DIRECTORY; how[2] = 0x100;
	C(openat2, 5, "file3", how, 24);
	C(openat2, AT_FDCWD, "file3", how, 16);
	C(openat2, AT_FDCWD, "file3", 0, 24);
	C(openat2, AT_FDCWD, "file3", bad, 24);
	C(write, fd, "abc\n\0\1\177\377\"\\x", 12);
	C(write, fd, bad, 12);
	C(write, -1, "", 0);
	C(pwrite64, fd, "0123456789012345678901234567890123456789", 40, 100);
	C(pwrite64, fd, "x", 1, -1L);
	C(lseek, fd, 0, SEEK_SET);
	C(lseek, fd, -100, SEEK_END);
	C(lseek, fd, 0, SEEK_DATA);
	C(lseek, fd, 1L << 40, 77);
	C(lseek, fd, 0, SEEK_SET);
	C(read, fd, buf, 100);
	C(read, fd, bad, 10);
	C(read, fd, buf, 0);
	C(read, -1, buf, 65536);
	C(pread64, fd, buf, 64, 110);
	C(pread64, fd, 0, 64, -1L);
	C(writev, fd, iov, 2);
	C(writev, fd, iov, 3);
	C(writev, fd, bad, 3);
	C(writev, fd, 0, 0);
	C(pwritev, fd, iov, 2, 1000, 0);
	C(pwritev2, fd, iov, 1, 5, 0, 0x1f);
	C(pwritev2, fd, iov, 1, -1L, 0, 0x80000000);
	C(lseek, fd, 100, SEEK_SET);
	C(readv, fd, out, 2);
	C(readv, fd, out, 1);
	C(readv, -1, out, 1);
	C(preadv, fd, out, 2, 100, 0); C(pwrite64, fd, "0123456", 7, 2000); C(preadv, fd, out, 2, 2000, 0); C(lseek, fd, 2002, SEEK_SET); C(readv, fd, out, 2); C(readv, fd, out, 2); C(preadv, fd, out, 3, 2004, 0);
	C(preadv2, fd, out, 2, 120, 0, 1);
	C(preadv, fd, bad, 2, 100, 0);
	C(dup, fd); C(dup2, fd, 50); C(dup3, fd, 51, O_CLOEXEC); C(dup3, fd, -1, 0xffffffff);
	C(close, 50); C(close, -1);
	C(close_range, 40, ~0U, 0); C(close_range, 5, 3, 6); C(close_range, 5, 3, 8);
	C(pipe, p); C(pipe2, p, O_NONBLOCK | O_CLOEXEC); C(pipe2, p, 0x7); C(pipe2, bad, 0);
	C(access, "file", 0); C(access, "file", 7); C(access, bad, 0x18); C(access, "f", 0x10);
	C(faccessat, AT_FDCWD, "file", R_OK | W_OK); C(faccessat2, fd, "", F_OK, AT_EMPTY_PATH | AT_EACCESS);
	C(faccessat2, fd, "", X_OK, 0x1);
	C(symlink, "a very long target name that is longer than the limit of 32", "link");
	C(symlinkat, "t", AT_FDCWD, "link2"); C(symlinkat, "t", AT_FDCWD, bad);
	C(readlink, "link", buf, 100); C(readlink, "link", buf, 3); C(readlink, "file", buf, 100);
	C(readlinkat, AT_FDCWD, "link2", buf, 10); C(readlinkat, AT_FDCWD, "link2", bad, 0);
	C(link, "file", "hard"); C(linkat, AT_FDCWD, "file", AT_FDCWD, "hard2", AT_SYMLINK_FOLLOW);
	C(linkat, 1, "file", 2, "hard2", 0xffff0000);
	C(rename, "hard", "hard3"); C(renameat, AT_FDCWD, "hard3", AT_FDCWD, "hard");
	C(renameat2, AT_FDCWD, "hard", AT_FDCWD, "hard2", 1); C(renameat2, AT_FDCWD, "hard", AT_FDCWD, "h", 0xf8);
	C(renameat2, AT_FDCWD, "hard", AT_FDCWD, "h", 0x10);
	C(unlink, "hard"); C(unlinkat, AT_FDCWD, "hard2", 0); C(unlinkat, AT_FDCWD, "link2", AT_REMOVEDIR);
	C(unlinkat, AT_FDCWD, "nothing", 0x8000 | AT_REMOVEDIR);
	C(mkdir, "dir", 0755); C(mkdirat, AT_FDCWD, "dir2", 0); C(rmdir, "dir2"); C(mkdir, bad, 07777);
	C(mkdir, "dir", 0xffff);
	C(mknod, "fifo", S_IFIFO | 0600, 0); C(mknod, "plain", 0644, 0x123);
	C(mknodat, AT_FDCWD, "null", S_IFCHR | 0666, 0x103); C(mknod, bad, S_IFBLK | S_ISVTX | 4, 0x1234567);
	C(mknod, "odd", 0xf1ff, 1);
	C(chmod, "file", 0604); C(chmod, "file", 0); C(fchmod, fd, 04755); C(fchmodat, AT_FDCWD, "file", 0644); C(chmod, "missing", 0xffffffff);
	C(chown, "file", 0, 0); C(lchown, "link", -1, 5); C(fchown, fd, 1, -1); C(fchownat, AT_FDCWD, "file", 0, 0, AT_SYMLINK_NOFOLLOW);
	C(fchownat, AT_FDCWD, "nofile", 0xfffffffe, 0x80000000, 0xf);
	C(utimensat, AT_FDCWD, "file", ts, 0); C(utimensat, AT_FDCWD, "file", special, AT_SYMLINK_NOFOLLOW);
	C(utimensat, fd, 0, 0, 0); C(utimensat, AT_FDCWD, "file", wild, 1); C(utimensat, AT_FDCWD, "file", bad, 0);
	C(utimes, "file", tv); C(utimes, "file", 0); C(utimes, bad, bad); C(futimesat, AT_FDCWD, "file", tv);
	C(utime, "file", tim); C(utime, "file", 0); C(utime, "file", bad);
	C(truncate, "file", 1234567890123L); C(truncate, "file", -1L); C(ftruncate, fd, 5000); C(ftruncate, fd, -1L);
	C(fallocate, fd, 0, 0, 100); C(fallocate, fd, 3, 1, 2); C(fallocate, fd, 0xff7f, -1L, -2L); C(fallocate, fd, 0x1000, 0, 0);
	C(fadvise64, fd, 0, 100, 2); C(fadvise64, fd, -1L, -1L, 77); C(readahead, fd, 0, 4096); C(readahead, -1, -1L, -1L);
	C(fsync, fd); C(fdatasync, fd); C(syncfs, -1); C(sync_file_range, fd, 0, 10, 7); C(sync_file_range, fd, -1L, -2L, 0x18);
	C(flock, fd, 2); C(flock, fd, 8); C(flock, fd, 6); C(flock, fd, 0xff0f); C(flock, fd, 0x100);
	int fd2 = C(openat, AT_FDCWD, "file4", O_RDWR | O_CREAT, 0600);
	C(copy_file_range, fd, 0, fd2, 0, 100, 0); C(copy_file_range, fd, &off2, fd2, &off, 10, 0);
	C(copy_file_range, fd, &off2, fd2, bad, 10, 1L << 33);
	off = 0;
	C(sendfile, fd2, fd, &off, 10); C(sendfile, fd2, fd, 0, 10); C(sendfile, -1, fd, &off, 10); C(sendfile, fd2, fd, bad, 10);
	C(splice, fd, &off, p[1], 0, 10, 15); C(splice, fd, &off, p[1], bad, 10, 0x10); C(tee, p[0], p[1], 10, 2);
	C(vmsplice, p[1], iov, 2, 1); C(vmsplice, -1, bad, 2, 0);
	C(memfd_create, "name", 3); C(memfd_create, bad, 0xffe3); C(memfd_create, "huge", 4 | 21 << 26);
	C(memfd_create, "a very long name, longer than thirty-two", 0);
	C(memfd_secret, 1); C(memfd_secret, O_CLOEXEC);
	C(chdir, "dir"); C(chdir, ".."); C(fchdir, fd); C(chroot, "missing"); C(umask, 0777); C(umask, -1);
	C(umask, 0);
	C(acct, "missing"); C(uselib, "missing");
	C(getcwd, buf, 2); C(getcwd, bad, 100); C(sync); 
	return 0;
}
