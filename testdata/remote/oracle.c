// Makes random system calls on files and prints what came of each: run on two sides, the same has to come of them.
// Usage: oracle DIRECTORY FIRST-SEED PROGRAMS CALLS
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>

#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#ifndef MMAP
#define MMAP 4
#endif
#define FCHMODAT2 452 // the same everywhere; headers may be older

// As the kernel has them: the C library's headers collide with those of the kernel.
struct kstat {
	uint64_t dev, ino;
#if defined(__x86_64__)
	uint64_t nlink;
	uint32_t mode, uid, gid, pad;
	uint64_t rdev;
	int64_t size, blksize, blocks;
#else
	uint32_t mode, nlink, uid, gid;
	uint64_t rdev, pad;
	int64_t size;
	int32_t blksize, pad2;
	int64_t blocks;
#endif
	int64_t atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec;
	int64_t unused[3];
};

struct kdirent {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

static uint64_t state;
static char base[200];    // the program's directory
static unsigned long seed;
static int step;
static int fds[10];       // -1: free
static unsigned char buf[1 << 16];

static uint32_t rnd(uint32_t n) {
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 33) % n;
}

#define PICK(...) pick((long[]){__VA_ARGS__}, sizeof((long[]){__VA_ARGS__}) / sizeof(long))
static long pick(const long *v, size_t n) { return v[rnd(n)]; }

static long call(long nr, long a, long b, long c, long d, long e, long f) {
	long r = syscall(nr, a, b, c, d, e, f);
	return r < 0 ? -errno : r;
}
#define CALL(nr, ...) CALL_(nr, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define CALL_(nr, a, b, c, d, e, f, ...) call(SYS_##nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

static uint32_t hash(const void *p, size_t n) {
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < n; i++) h = (h ^ ((const unsigned char *)p)[i]) * 16777619u;
	return h;
}

// say prints what a call came to.
static void say(const char *op, long ret, const char *format, ...) {
	printf("%lu.%d %s", seed, step, op);
	if (ret < 0) printf(" %s", strerrorname_np(-ret));
	else printf(" %ld", ret);
	if (format) {
		va_list ap;
		va_start(ap, format);
		putchar(' ');
		vprintf(format, ap);
		va_end(ap);
	}
	putchar('\n');
	fflush(stdout);
}

static const char *names[] = {
	"a", "a", "a", "b", "b", "c", "d", "d/a", "d/b", "d/e", "d/e/a", "l", "l/a", "m", "./a", "d/../a", "d//a", "d/", "a/", "d/.", "l/..", "nowhere/x",
	"", ".", "/a", "/d/a", "/d/../b", "d/e/../../b", "../escape", "a/b", "p",
};

// name is a random path. Every tenth is absolute.
static const char *name(void) {
	static char out[4][300];
	static int turn;
	char *at = out[turn++ % 4];
	const char *n = names[rnd(COUNT(names))];
	if (n[0] == '/') snprintf(at, sizeof out[0], "%s%s", base, n);
	else snprintf(at, sizeof out[0], "%s", n);
	return at;
}

// shown is a path without what differs between the sides.
static const char *shown(const char *n) { return strncmp(n, base, strlen(base)) ? n : n + strlen(base); }

// unlock takes the process's locks away before a descriptor is closed, which would do that: the proxy does not see it if it is not the last one.
static void unlock(int n) {
	struct flock l = {.l_type = F_UNLCK};
	CALL(fcntl, n, F_SETLK, &l);
}

static int slot(void) { return rnd(COUNT(fds)); }

static int fd(void) {
	for (int i = 0; i < 6; i++) { // rarely one that is not open
		int n = fds[slot()];
		if (n >= 0) return n;
	}
	return 777;
}

static int dirfd_(void) {
	if (rnd(3)) return AT_FDCWD;
	return fd();
}

// index_ names a descriptor in what is printed.
static int index_(int n) {
	for (size_t i = 0; i < COUNT(fds); i++)
		if (fds[i] == n) return i;
	return n == AT_FDCWD ? -100 : 99;
}

// fifo tells whether a descriptor, or a name, is one of a FIFO: reading from one could wait for ever.
static int fifo(int n, const char *path) {
	struct kstat st;
	return CALL(newfstatat, n, path, &st, *path ? 0 : AT_EMPTY_PATH) == 0 && (st.mode & S_IFMT) == S_IFIFO;
}

static void keep(int n) {
	if (n < 0) return;
	if (fifo(n, "")) {
		CALL(close, n);
		return;
	}
	int i = slot();
	if (fds[i] >= 0) {
		unlock(fds[i]);
		CALL(close, fds[i]);
	}
	fds[i] = n;
}

static size_t fill(void) {
	size_t n = PICK(0, 1, 7, 100, 511, 4096, 5000, 20000);
	unsigned char c = 'a' + rnd(26);
	for (size_t i = 0; i < n; i++) buf[i] = c + i % 7;
	return n;
}

static long offset(void) { return PICK(0, 0, 1, 10, 500, 4095, 4096, 4097, 10000, 70000, -1); }

static void say_stat(const char *op, long ret, uint32_t mode, uint64_t nlink, uint32_t uid, uint32_t gid, int64_t size, int64_t mtime, uint32_t nsec) {
	if (ret < 0) {
		say(op, ret, NULL);
		return;
	}
	int dir = (mode & S_IFMT) == S_IFDIR;
	if (mtime > 1500000000) mtime = nsec = 0; // now
	say(op, ret, "%o n%lu u%u g%u s%ld m%ld.%u", mode, nlink, uid, gid, dir ? 0 : size, mtime, nsec);
}

static void op_open(void) {
	const char *n = name();
	long f = PICK(O_RDONLY, O_RDONLY, O_WRONLY, O_RDWR, O_RDWR) | O_NONBLOCK * !rnd(8);
	f |= PICK(0, 0, O_CREAT, O_CREAT, O_CREAT | O_EXCL, O_TRUNC, O_APPEND, O_CREAT | O_TRUNC, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_CREAT | O_APPEND, O_SYNC, O_CLOEXEC, O_NOATIME, O_DSYNC | O_CREAT);
	f |= PICK(0, 0, 0, O_CREAT, O_APPEND, O_TRUNC, O_DIRECTORY, O_NOFOLLOW);
	if ((f & O_ACCMODE) != O_RDWR) f |= O_NONBLOCK; // a FIFO must not wait
	long mode = PICK(0600, 0644, 0666, 0777, 0400, 02755, 04711);
	int d = dirfd_();
	long r;
	switch (rnd(6)) {
#ifdef SYS_open
	case 0: r = CALL(open, n, f, mode), d = AT_FDCWD; break;
	case 1:
		if (fifo(AT_FDCWD, n)) return;
		r = CALL(creat, n, mode), d = AT_FDCWD, f = -1;
		break;
#endif
	default: r = CALL(openat, d, n, f, mode);
	}
	printf("%d %s %lo %lo: ", index_(d), shown(n), f, mode);
	say("open", r < 0 ? r : 0, NULL);
	keep(r);
}

static void op_tmpfile(void) {
	const char *n = PICK(0, 1) ? "." : "d";
	long r = CALL(openat, AT_FDCWD, n, O_TMPFILE | PICK(O_RDWR, O_WRONLY, O_RDONLY) | PICK(0, O_EXCL), 0640);
	say("tmpfile", r < 0 ? r : 0, "%s", n);
	keep(r);
}

static void op_linktmp(void) {
	int d = fd();
	const char *n = name();
	char proc[40];
	snprintf(proc, sizeof proc, "/proc/self/fd/%d", d);
	long r = rnd(2) ? CALL(linkat, AT_FDCWD, proc, AT_FDCWD, n, AT_SYMLINK_FOLLOW) : CALL(linkat, d, "", AT_FDCWD, n, AT_EMPTY_PATH);
	say("linktmp", r, "%d %s", index_(d), shown(n));
}

static void op_read(void) {
	int d = fd();
	size_t n = PICK(0, 1, 50, 4096, 6000, 60000);
	memset(buf, 0, sizeof buf);
	struct iovec v[3] = {{buf, n / 3}, {buf + n / 3, 0}, {buf + n / 3, n - n / 3}};
	long off = offset(), r;
	int k = rnd(6);
	switch (k) {
	case 0: r = CALL(readv, d, v, 3); break;
	case 1: case 2: r = CALL(pread64, d, buf, n, off); break;
	case 3: r = CALL(preadv, d, v, 3, off, 0); break;
	case 4: if (rnd(2)) { r = CALL(preadv2, d, v, 3, off, 0, PICK(0, 0, 1)); break; } // RWF_HIPRI
	default: r = CALL(read, d, buf, n);
	}
	say("read", r, "%d k%d %zu %ld: %08x", index_(d), k, n, off, r > 0 ? hash(buf, r) : 0);
}

static void op_write(void) {
	int d = fd();
	size_t n = fill();
	struct iovec v[3] = {{buf, n / 3}, {buf + n / 3, 0}, {buf + n / 3, n - n / 3}};
	long off = offset(), r;
	int k = rnd(6);
	switch (k) {
	case 0: r = CALL(writev, d, v, 3); break;
	case 1: case 2: r = CALL(pwrite64, d, buf, n, off); break;
	case 3: r = CALL(pwritev, d, v, 3, off, 0); break;
	case 4: r = CALL(pwritev2, d, v, 3, off, 0, PICK(0, 2, 4, 16)); break; // RWF_DSYNC, RWF_SYNC, RWF_APPEND
	default: r = CALL(write, d, buf, n);
	}
	say("write", r, "%d k%d %zu %ld", index_(d), k, n, off);
}

static void op_lseek(void) {
	int d = fd();
	struct kstat st;
	long off = offset(), w = PICK(SEEK_SET, SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE, 9);
	if (CALL(fstat, d, &st) == 0 && (st.mode & S_IFMT) == S_IFDIR) off = 0, w = SEEK_SET; // other offsets are the file system's
	long r = CALL(lseek, d, off, w);
	if ((r >= 0 || r == -ENXIO) && (w == SEEK_DATA || w == SEEK_HOLE)) { // where exactly depends on what has been written to the disk by now
		CALL(lseek, d, off, SEEK_SET);
		r = 0;
	}
	say("lseek", r, "%d %ld %ld", index_(d), off, w);
}

static void op_truncate(void) {
	long n = PICK(0, 5, 4096, 10000, 60000, -1);
	if (rnd(2)) {
		int d = fd();
		say("ftruncate", CALL(ftruncate, d, n), "%d %ld", index_(d), n);
	} else {
		const char *s = name();
		say("truncate", CALL(truncate, s, n), "%s %ld", shown(s), n);
	}
}

static void op_fallocate(void) {
	int d = fd();
	long m = PICK(0, 0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE, FALLOC_FL_COLLAPSE_RANGE, 0x800);
	long o = PICK(0, 4096, 100, -1), n = PICK(0, 1, 4096, 8192, 5000);
	say("fallocate", CALL(fallocate, d, m, o, n), "%d %lx %ld %ld", index_(d), m, o, n);
}

static void op_rename(void) {
	const char *a = name(), *b = name();
	int d = dirfd_(), e = dirfd_(), k = rnd(4);
	long f = PICK(0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT | RENAME_NOREPLACE, 99), r;
	switch (k) {
#ifdef SYS_rename
	case 0: r = CALL(rename, a, b); break;
	case 1: r = CALL(renameat, d, a, e, b); break;
#endif
	default:
		if (f == (RENAME_WHITEOUT | RENAME_NOREPLACE)) f = RENAME_NOREPLACE;
		r = CALL(renameat2, d, a, e, b, f);
	}
	say("rename", r, "k%d %d %s %d %s %ld", k, index_(d), shown(a), index_(e), shown(b), f);
}

static void op_link(void) {
	const char *a = name(), *b = name();
	int d = dirfd_(), e = dirfd_(), k = rnd(3);
	long f = PICK(0, 0, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH, 0x40), r;
	r = k ? CALL(linkat, d, a, e, b, f) : CALL(linkat, AT_FDCWD, a, AT_FDCWD, b, 0);
	say("link", r, "k%d %d %s %d %s %lx", k, index_(d), shown(a), index_(e), shown(b), f);
}

static void op_symlink(void) {
	static const char *targets[] = {"a", "d", "nowhere", "../x", "l", "d/a", "", "."};
	const char *t = targets[rnd(COUNT(targets))], *n = name();
	int d = dirfd_();
	long r = CALL(symlinkat, t, d, n);
	say("symlink", r, "%s %d %s", t, index_(d), shown(n));
}

static void op_readlink(void) {
	const char *n = name();
	int d = dirfd_();
	long size = PICK(0, 1, 3, 300);
	memset(buf, 0, 400);
	long r = CALL(readlinkat, d, n, buf, size);
	say("readlink", r, "%d %s %ld: %s", index_(d), shown(n), size, r > 0 ? (char *)buf : "");
}

static void op_unlink(void) {
	const char *n = name();
	int d = dirfd_(), k = rnd(4);
	long f = PICK(0, 0, AT_REMOVEDIR, 0x40), r;
	switch (k) {
#ifdef SYS_unlink
	case 0: r = CALL(unlink, n); break;
	case 1: r = CALL(rmdir, n); break;
#endif
	default: r = CALL(unlinkat, d, n, f);
	}
	say("unlink", r, "k%d %d %s %lx", k, index_(d), shown(n), f);
}

static void op_mkdir(void) {
	const char *n = name();
	int d = dirfd_();
	long m = PICK(0777, 0700, 01777, 0555, 02755), r = CALL(mkdirat, d, n, m);
	say("mkdir", r, "%d %s %lo", index_(d), shown(n), m);
}

static void op_mknod(void) {
	const char *n = rnd(2) ? "p" : name();
	long m = PICK(S_IFIFO | 0666, S_IFREG | 0640, S_IFSOCK | 0666, S_IFDIR | 0700, 0600), r = CALL(mknodat, AT_FDCWD, n, m, 0);
	say("mknod", r, "%s %lo", shown(n), m);
}

static void op_chmod(void) {
	long m = PICK(0600, 0755, 04711, 0, 01777, 07777);
	int d = fd(), k = rnd(4);
	const char *n = name();
	long r;
	switch (k) {
	case 0: r = CALL(fchmod, d, m); break;
	case 1: r = call(FCHMODAT2, rnd(2) ? AT_FDCWD : d, (long)n, m, PICK(0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH), 0, 0); break;
	default: r = CALL(fchmodat, k == 2 ? AT_FDCWD : d, n, m);
	}
	say("chmod", r, "k%d %d %s %lo", k, index_(d), shown(n), m);
}

static void op_chown(void) {
	long u = PICK(0, 5, -1), g = PICK(0, 6, -1);
	int d = fd(), k = rnd(3);
	const char *n = name();
	long f = PICK(0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
	long r = k == 0 ? CALL(fchown, d, u, g) : CALL(fchownat, k == 1 ? AT_FDCWD : d, n, u, g, f);
	say("chown", r, "k%d %d %s %ld %ld %lx", k, index_(d), shown(n), u, g, f);
}

static void op_utimens(void) {
	int64_t t[4] = {rnd(1000000000), rnd(1000000000), rnd(1000000000), rnd(1000000000)};
	if (!rnd(4)) t[PICK(1, 3)] = UTIME_OMIT;
	if (!rnd(8)) t[PICK(1, 3)] = UTIME_NOW;
	if (!rnd(20)) t[3] = 1000000000;
	int d = fd(), k = rnd(4);
	const char *n = name();
	long r;
	switch (k) {
	case 0: r = CALL(utimensat, d, NULL, t, 0); break;
	case 1: r = CALL(utimensat, AT_FDCWD, n, rnd(8) ? (long)t : 0, PICK(0, AT_SYMLINK_NOFOLLOW)); break;
#ifdef SYS_utimes
	case 2: t[1] /= 1000, t[3] /= 1000; r = CALL(utimes, n, t); break;
	case 3: r = CALL(utime, n, t); break;
#endif
	default: r = CALL(utimensat, d, n, t, PICK(0, AT_EMPTY_PATH));
	}
	say("utimens", r, "k%d %d %s", k, index_(d), shown(n));
}

static void op_xattr(void) {
	static const char *keys[] = {"user.k", "user.other", "nonsense", "user.", "trusted.t"};
	const char *key = keys[rnd(COUNT(keys))], *n = name();
	int d = fd(), k = rnd(10);
	long f = PICK(0, 0, 1, 2), size = PICK(0, 1, 30, 5000), r;
	size_t len = PICK(0, 1, 30, 70000);
	memset(buf, 0, sizeof buf);
	switch (k) {
	case 0: r = CALL(setxattr, n, key, buf, len, f); break;
	case 1: r = CALL(lsetxattr, n, key, "value", 5, f); break;
	case 2: r = CALL(fsetxattr, d, key, "another", 7, f); break;
	case 3: r = CALL(getxattr, n, key, buf, size); break;
	case 4: r = CALL(fgetxattr, d, key, buf, size); break;
	case 5: r = CALL(listxattr, n, buf, size); break;
	case 6: r = CALL(flistxattr, d, buf, size); break;
	case 7: r = CALL(llistxattr, n, buf, size); break;
	case 8: r = CALL(fremovexattr, d, key); break;
	default: r = CALL(lremovexattr, n, key);
	}
	say("xattr", r, "k%d %d %s %s %ld %zu %ld: %08x", k, index_(d), shown(n), key, size, len, f, r > 0 && k < 8 ? hash(buf, r) : 0);
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void op_getdents(void) {
	int d = fd();
	static char all[1000][280], *sorted[1000];
	int n = 0;
	CALL(lseek, d, 0, SEEK_SET); // whether what is new is seen otherwise is not defined
	long r, size = PICK(64, 200, 30000);
	for (int i = 0; i < 100 && (r = CALL(getdents64, d, buf, size)) > 0; i++)
		for (long at = 0; at < r;) {
			struct kdirent *e = (void *)(buf + at);
			snprintf(all[n], sizeof all[n], "%s/%d", e->name, e->type);
			sorted[n] = all[n];
			if (n < 999) n++;
			at += e->reclen;
		}
	CALL(lseek, d, 0, SEEK_SET); // the position at the end is the file system's
	qsort(sorted, n, sizeof sorted[0], by_text);
	uint32_t h = 0;
	for (int i = 0; i < n; i++) h = h * 31 + hash(sorted[i], strlen(sorted[i]));
	say("getdents", r, "%d %ld: %d %08x", index_(d), size, n, h);
}

static void op_dup(void) {
	int d = fd(), k = rnd(4);
	long r;
	switch (k) {
	case 0: r = CALL(dup, d); break;
	case 1: r = CALL(fcntl, d, F_DUPFD, 20); break;
	case 2: r = CALL(fcntl, d, F_DUPFD_CLOEXEC, 30); break;
	default: {
		int to = fd();
		if (to == 777) return;
		unlock(to);
		r = CALL(dup3, d, to, PICK(0, O_CLOEXEC));
		say("dup3", r < 0 ? r : 0, "%d %d", index_(d), index_(to));
		return;
	}
	}
	say("dup", r < 0 ? r : 0, "k%d %d", k, index_(d));
	keep(r);
}

static void op_fcntl(void) {
	int d = fd(), k = rnd(6);
	long r, v = PICK(0, O_APPEND, O_NONBLOCK, O_APPEND | O_NONBLOCK, O_NOATIME);
	switch (k) {
	case 0: case 1: r = CALL(fcntl, d, F_GETFL); break;
	case 2: r = CALL(fcntl, d, F_SETFL, v); break;
	case 3: r = CALL(fcntl, d, F_GETFD); break;
	case 4: r = CALL(fcntl, d, F_SETFD, rnd(2)); break;
	default: r = CALL(fcntl, d, 9999, 1);
	}
	say("fcntl", r, "k%d %d %lo", k, index_(d), v);
}

static void op_stat(void) {
	int d = dirfd_(), k = rnd(7);
	const char *n = name();
	long f = PICK(0, 0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, 0x8000000), r;
	struct kstat st;
	struct statx x;
	char op[400];
	snprintf(op, sizeof op, "stat k%d %d %s %lx", k, index_(d), shown(n), f);
	switch (k) {
	case 0:
		d = fd();
		r = CALL(fstat, d, &st);
		snprintf(op, sizeof op, "fstat %d", index_(d));
		break;
#ifdef SYS_stat
	case 1: r = CALL(stat, n, &st); break;
	case 2: r = CALL(lstat, n, &st); break;
#endif
	case 3: case 4:
		r = CALL(statx, d, n, f, STATX_BASIC_STATS | STATX_BTIME, &x);
		say_stat(op, r, x.stx_mode, x.stx_nlink, x.stx_uid, x.stx_gid, x.stx_size, x.stx_mtime.tv_sec, x.stx_mtime.tv_nsec);
		return;
	default:
		r = CALL(newfstatat, d, n, &st, f);
	}
	say_stat(op, r, st.mode, st.nlink, st.uid, st.gid, st.size, st.mtime, st.mtime_nsec);
}

static void op_access(void) {
	int d = dirfd_(), k = rnd(2);
	const char *n = name();
	long m = PICK(F_OK, R_OK, W_OK, X_OK, 9), f = PICK(0, AT_EACCESS, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH), r;
	r = k ? CALL(faccessat, d, n, m) : CALL(faccessat2, d, n, m, f);
	say("access", r, "k%d %d %s %ld %lx", k, index_(d), shown(n), m, f);
}

static void op_statfs(void) {
	struct statfs s;
	const char *n = name();
	int d = fd(), k = rnd(2);
	long r = k ? CALL(statfs, n, &s) : CALL(fstatfs, d, &s);
	say("statfs", r, "k%d %d %s: %lx %ld", k, index_(d), shown(n), r ? 0 : (long)s.f_type, r ? 0 : (long)s.f_namelen);
}

static void op_copy(void) {
	int a = fd(), b = fd(), k = rnd(4);
	int64_t in = offset(), out = offset();
	long n = PICK(0, 10, 4096, 50000), r;
	switch (k) {
	case 0: r = CALL(copy_file_range, a, rnd(2) ? (long)&in : 0, b, rnd(2) ? (long)&out : 0, n, 0); break;
	case 1: r = CALL(sendfile, b, a, rnd(2) ? (long)&in : 0, n); break;
	case 2: { // through a pipe
		int p[2];
		CALL(pipe2, p, O_NONBLOCK);
		r = CALL(splice, a, &in, p[1], 0, n, 0);
		long s = CALL(read, p[0], buf, sizeof buf);
		CALL(close, p[0]);
		CALL(close, p[1]);
		// EINVAL where a file cannot be spliced: programs read instead.
		say("splice", 0, "%d: %d", index_(a), r > 0 ? r != s : 0);
		return;
	}
	default: r = CALL(copy_file_range, a, &in, b, &out, n, PICK(0, 0, 1));
	}
	say("copy", r, "k%d %d %d %ld: %ld %ld", k, index_(a), index_(b), n, (long)in, (long)out);
}

static void op_mmap(void) {
	int d = fd(), k = rnd(3);
	struct kstat st;
	if (CALL(fstat, d, &st) < 0 || (st.mode & S_IFMT) != S_IFREG) return;
	long prot = PICK(PROT_READ, PROT_READ | PROT_WRITE), share = k ? MAP_SHARED : MAP_PRIVATE, off = PICK(0, 0, 4096), size = PICK(4096, 8192, 30000);
	long p = CALL(mmap, 0, size, prot, share, d, off);
	if (p < 0 && p > -4096) {
		say("mmap", p, "%d %ld %ld %ld %ld", index_(d), prot, share, off, size);
		return;
	}
	long n = st.size - off; // what can be touched
	if (n > size) n = size;
	if (n < 0) n = 0;
	uint32_t h = hash((void *)p, n), h2 = 0;
	long r = 0;
	if (prot & PROT_WRITE && n > 0) {
		memset((void *)p, 'A' + rnd(26), 1 + rnd(n));
		if (rnd(2)) r = CALL(msync, p, size, rnd(8) ? MS_ASYNC : MS_SYNC);
		long m = CALL(pread64, d, buf, sizeof buf, 0);
		h2 = m > 0 ? hash(buf, m) : m;
		if (!rnd(3) && CALL(pwrite64, d, "through", 7, off) == 7) h2 ^= hash((void *)p, n > 7 ? n : 0);
	}
	CALL(munmap, p, size);
	say("mmap", r, "%d %ld %ld %ld %ld: %08x %08x", index_(d), prot, share, off, size, h, h2);
}

static void op_flock(void) {
	int d = fd();
	long m = PICK(LOCK_SH, LOCK_EX, LOCK_UN) | LOCK_NB;
	say("flock", CALL(flock, d, m), "%d %lx", index_(d), m);
}

static void op_lock(void) {
	int d = fd(), child = !rnd(3);
	long cmd = PICK(F_SETLK, F_SETLK, F_GETLK, F_OFD_SETLK, F_OFD_GETLK);
	struct flock l = {.l_type = PICK(F_RDLCK, F_WRLCK, F_UNLCK), .l_whence = PICK(SEEK_SET, SEEK_SET, SEEK_CUR, SEEK_END), .l_start = PICK(0, 5, 100), .l_len = PICK(0, 10, 50)};
	if (cmd == F_GETLK || cmd == F_OFD_GETLK)
		if (l.l_type == F_UNLCK) l.l_type = F_WRLCK;
	pid_t pid = 0;
	fflush(stdout);
	if (child && (pid = fork())) {
		waitpid(pid, NULL, 0);
		return;
	}
	long r = CALL(fcntl, d, cmd, &l);
	// Where a lock that is in the way begins depends on which of several is looked at first; its type does as well.
	if (r < 0 || cmd == F_SETLK || cmd == F_OFD_SETLK) say("lock", r, "%d %ld %d", index_(d), cmd, child);
	else say("lock", r, "%d %ld %d: %d %ld %ld %s", index_(d), cmd, child, l.l_type, (long)l.l_start, (long)l.l_len, l.l_type == F_UNLCK ? "" : l.l_pid == -1 ? "ofd" : "process");
	if (child) {
		fflush(stdout);
		_exit(0);
	}
}

static void op_sync(void) {
	int d = fd(), k = rnd(5);
	long r;
	switch (k) {
	case 0: r = CALL(fdatasync, d); break;
	case 1: r = CALL(sync_file_range, d, 0, 100, PICK(0, 2, 99)); break;
	case 2: r = CALL(fadvise64, d, 0, 100, PICK(0, 1, 4, 99)); break;
	case 3: r = CALL(readahead, d, 0, 4096); break;
	default: r = CALL(fsync, d);
	}
	say("sync", r, "k%d %d", k, index_(d));
}

static void op_chdir(void) {
	int k = rnd(4);
	const char *n = name();
	int d = fd();
	long r;
	switch (k) {
	case 0: r = CALL(fchdir, d); break;
	case 1: r = CALL(chdir, base); break;
	default: r = CALL(chdir, n);
	}
	memset(buf, 0, 4096);
	long s = CALL(getcwd, buf, 4096);
	if (s > 0 && strncmp((char *)buf, base, strlen(base))) { // outside: go back
		CALL(chdir, base);
		s = -1;
	}
	say("chdir", r, "k%d %d %s: %ld %s", k, index_(d), shown(n), s > 0 ? s - (long)strlen(base) : s, s > 0 ? shown((char *)buf) : "");
}

static void op_fork(void) { // a child moves the position that it shares
	int d = fd();
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		step += 1000;
		say("child read", CALL(read, d, buf, 3), "%d", index_(d));
		say("child lseek", CALL(lseek, d, 0, SEEK_CUR) < 0, NULL);
		if (rnd(2)) say("child write", CALL(write, d, "child", 5), NULL);
		if (rnd(2)) CALL(chdir, "d");
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	struct kstat st;
	long r = CALL(fstat, d, &st);
	if (r == 0 && (st.mode & S_IFMT) == S_IFREG) r = CALL(lseek, d, 0, SEEK_CUR);
	say("fork", r, "%d", index_(d));
}

static void op_close(void) {
	int i = slot();
	if (fds[i] < 0) return;
	unlock(fds[i]);
	say("close", CALL(close, fds[i]), "%d", i);
	fds[i] = -1;
}

static void op_fdlink(void) {
	int d = fd();
	char proc[40];
	snprintf(proc, sizeof proc, "/proc/self/fd/%d", d);
	memset(buf, 0, 4200);
	long r = CALL(readlinkat, AT_FDCWD, proc, buf, 4096);
	say("fdlink", r < 0 ? r : 0, "%d", index_(d)); // the name is that of the time when it was opened
}

static void op_reopen(void) {
	int d = fd();
	char proc[40];
	snprintf(proc, sizeof proc, "/proc/self/fd/%d", d);
	long f = PICK(O_RDONLY, O_RDWR, O_WRONLY | O_TRUNC) | O_NONBLOCK, r = CALL(openat, AT_FDCWD, proc, f, 0);
	say("reopen", r < 0 ? r : 0, "%d %lo", index_(d), f);
	keep(r);
}

static void op_umask(void) { say("umask", CALL(umask, PICK(0, 022, 077)), NULL); }

static void op_bad(void) { // pointers to nowhere
	int d = fd(), k = rnd(6);
	long r;
	struct kstat st;
	switch (k) {
	case 0:
		// Whether it is the end of the file or the memory that is looked at first is the file system's.
		if (CALL(fstat, d, &st) == 0 && (st.mode & S_IFMT) == S_IFREG && CALL(lseek, d, 0, SEEK_CUR) >= st.size) return;
		r = CALL(read, d, 8, 10);
		break;
	case 1: r = CALL(writev, d, 8, 2); break; // not write: ext4 can leave the file longer than it was
	case 2: r = CALL(openat, AT_FDCWD, 8, 0); break;
	case 3: r = CALL(fstat, d, 8); break;
	case 4: r = CALL(newfstatat, AT_FDCWD, "a", 8, 0); break;
	default: r = CALL(renameat2, AT_FDCWD, "a", AT_FDCWD, 8, 0);
	}
	say("bad", r, "k%d %d", k, index_(d));
}

static void op_poll(void) {
	int d = fd();
	struct kstat st;
	if (CALL(fstat, d, &st) < 0 || (st.mode & S_IFMT) != S_IFREG) return;
	struct pollfd p = {d, POLLIN | POLLOUT, 0};
	say("poll", poll(&p, 1, 0), "%d: %x", index_(d), p.revents);
}

#define X(f, weight) {#f, f, weight}
static const struct {
	const char *name;
	void (*f)(void);
	int weight;
} ops[] = {
	X(op_open, 14), X(op_tmpfile, 1), X(op_linktmp, 2), X(op_read, 9), X(op_write, 10), X(op_lseek, 5), X(op_truncate, 4), X(op_fallocate, 3), X(op_rename, 4),
	X(op_link, 3), X(op_symlink, 3), X(op_readlink, 2), X(op_unlink, 4), X(op_mkdir, 4), X(op_mknod, 2), X(op_chmod, 3), X(op_chown, 2), X(op_utimens, 3),
	X(op_xattr, 4), X(op_getdents, 4), X(op_dup, 3), X(op_fcntl, 4), X(op_stat, 9), X(op_access, 2), X(op_statfs, 1), X(op_copy, 4), X(op_mmap, MMAP),
	X(op_flock, 2), X(op_lock, 4), X(op_sync, 3), X(op_chdir, 4), X(op_fork, 2), X(op_close, 4), X(op_fdlink, 1), X(op_reopen, 2), X(op_umask, 1), X(op_bad, 1), X(op_poll, 1),
};

static void program(int calls) {
	state = seed * 0x9E3779B97F4A7C15u + 1;
	for (int i = 0; i < 10; i++) rnd(2);
	for (size_t i = 0; i < COUNT(fds); i++) fds[i] = -1;
	int total = 0;
	for (size_t i = 0; i < COUNT(ops); i++) total += ops[i].weight;
	// Something to begin with.
	CALL(mkdirat, AT_FDCWD, "d", 0755);
	keep(CALL(openat, AT_FDCWD, "a", O_RDWR | O_CREAT, 0644));
	keep(CALL(openat, AT_FDCWD, ".", O_RDONLY | O_DIRECTORY));
	keep(CALL(openat, AT_FDCWD, "d/b", O_RDWR | O_CREAT, 0644));
	for (size_t i = 0; i < COUNT(fds); i++) if (fds[i] >= 0) CALL(write, fds[i], "something to begin with\n", 24);
	for (step = 1; step <= calls; step++) {
		int w = rnd(total), i = 0;
		while ((w -= ops[i].weight) >= 0) i++;
		uint64_t next = state ^ 0xD1342543DE82EF95u; // what a call does must not change the next one
		ops[i].f();
		state = next;
		rnd(2);
	}
}

int main(int argc, char **argv) {
	if (argc != 5) return 2;
	unsigned long first = atol(argv[2]), programs = atol(argv[3]);
	umask(022);
	for (seed = first; seed < first + programs; seed++) {
		snprintf(base, sizeof base, "%s/%lu", argv[1], seed);
		mkdir(base, 0755);
		strcat(base, "/w"); // ".." is the program's own too
		fflush(stdout);
		pid_t pid = fork();
		if (pid == 0) {
			if (mkdir(base, 0755) || chdir(base)) {
				perror(base);
				_exit(1);
			}
			program(atoi(argv[4]));
			fflush(stdout);
			_exit(0);
		}
		int status;
		waitpid(pid, &status, 0);
		if (status) printf("%lu ended with %x\n", seed, status);
	}
	return 0;
}
