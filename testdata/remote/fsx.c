// Random input and output on one file, by calls and through mappings, held against what the file has to contain.
// Usage: fsx FILE SEED OPERATIONS
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX (200 * 1024)

static uint64_t state;
static const char *file;
static int fd, reader = -1; // the second was opened for reading only
static long op, size;       // of the file
static unsigned char want[MAX], buf[MAX];
static char *held;          // a mapping that stays
static long held_size;

static uint32_t rnd(uint32_t n) {
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 33) % n;
}

static void fail(const char *what) {
	printf("operation %ld: %s: %s\n", op, what, strerror(errno));
	exit(1);
}

static void check(const char *what, const void *got, long at, long n) {
	for (long i = 0; i < n; i++)
		if (((const unsigned char *)got)[i] != want[at + i]) {
			printf("operation %ld: %s of %ld bytes at %ld: byte %ld is %#x and not %#x; the file has %ld bytes\n", op, what, n, at, i,
				((const unsigned char *)got)[i], want[at + i], size);
			exit(1);
		}
}

static void range(long limit, long *at, long *n) {
	*at = rnd(limit);
	*n = 1 + rnd(rnd(4) ? 6000 : 60000);
	if (*at + *n > limit) *n = limit - *at;
}

static void grown(long end) {
	if (end > size) size = end;
}

static void resize(long n) {
	if (n > size) memset(want + size, 0, n - size);
	else memset(want + n, 0, size - n);
	size = n;
}

static void do_read(void) {
	long at, n, r;
	range(MAX, &at, &n);
	int f = reader >= 0 && rnd(2) ? reader : fd;
	if (rnd(2)) {
		if (lseek(f, at, SEEK_SET) != at) fail("lseek");
		r = read(f, buf, n);
	} else r = pread(f, buf, n, at);
	long left = size > at ? size - at : 0;
	if (r != (left < n ? left : n)) {
		printf("operation %ld: read of %ld bytes at %ld gave %ld of %ld\n", op, n, at, r, size);
		exit(1);
	}
	check(f == fd ? "read" : "read by another descriptor", buf, at, r);
}

static void random_bytes(long at, long n) {
	unsigned char c = rnd(256);
	for (long i = 0; i < n; i++) want[at + i] = c + i * 7 + op;
}

static void do_write(void) {
	long at, n;
	range(MAX, &at, &n);
	random_bytes(at, n);
	if (pwrite(fd, want + at, n, at) != n) fail("pwrite");
	grown(at + n);
}

static void do_truncate(void) {
	long n = rnd(MAX);
	if ((rnd(2) ? ftruncate(fd, n) : truncate(file, n)) != 0) fail("truncate");
	resize(n);
}

static void do_map(int writes) {
	if (size == 0) return;
	long at, n, page = sysconf(_SC_PAGESIZE);
	range(size, &at, &n);
	long from = at / page * page;
	int f = !writes && reader >= 0 && rnd(2) ? reader : fd;
	int share = !writes && !rnd(4) ? MAP_PRIVATE : MAP_SHARED;
	unsigned char *p = mmap(NULL, at - from + n, PROT_READ | (writes ? PROT_WRITE : 0), share, f, from);
	if (p == MAP_FAILED) fail("mmap");
	if (writes) {
		random_bytes(at, n);
		memcpy(p + (at - from), want + at, n);
		if (!rnd(3) && msync(p, at - from + n, rnd(20) ? MS_ASYNC : MS_SYNC)) fail("msync");
	} else check(share == MAP_SHARED ? "shared mapping" : "private mapping", p + (at - from), at, n);
	if (munmap(p, at - from + n)) fail("munmap");
}

// do_hold keeps a mapping of the beginning of the file, and looks at it or changes it now and then.
static void do_hold(void) {
	if (!held) {
		if (size < 100) return;
		held_size = size < 50000 ? size : 50000;
		held = mmap(NULL, held_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (held == MAP_FAILED) fail("mmap");
		return;
	}
	long n = size < held_size ? size : held_size;
	check("mapping that is kept", held, 0, n);
	if (n > 0 && rnd(2)) {
		long at, m;
		range(n, &at, &m);
		random_bytes(at, m);
		memcpy(held + at, want + at, m);
	}
	if (!rnd(10)) {
		if (munmap(held, held_size)) fail("munmap");
		held = NULL;
	}
}

static void do_fallocate(void) {
	long at, n;
	range(MAX, &at, &n);
	if (rnd(2)) {
		if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, n)) fail("punch hole");
		for (long i = at; i < at + n && i < size; i++) want[i] = 0;
	} else {
		if (fallocate(fd, 0, at, n)) fail("fallocate");
		grown(at + n);
	}
}

static void do_copy(void) {
	if (size < 2) return;
	long from, n, to = rnd(MAX / 2);
	range(size, &from, &n);
	if (to + n > MAX || (to < from + n && from < to + n)) return;
	off_t in = from, out = to;
	ssize_t r = copy_file_range(fd, &in, fd, &out, n, 0);
	if (r != n) fail("copy_file_range");
	memcpy(want + to, want + from, n);
	grown(to + n);
}

static void do_reopen(void) {
	close(fd);
	if (reader >= 0) close(reader);
	reader = -1;
	if (rnd(2) && (reader = open(file, O_RDONLY)) < 0) fail("open");
	if ((fd = open(file, O_RDWR)) < 0) fail("open");
	if (reader < 0 && rnd(2) && (reader = open(file, O_RDONLY)) < 0) fail("open");
}

static void do_size(void) {
	struct stat st;
	if ((rnd(2) ? fstat(reader >= 0 ? reader : fd, &st) : stat(file, &st)) != 0) fail("stat");
	if (st.st_size != size) {
		printf("operation %ld: the file has %ld bytes and not %ld\n", op, (long)st.st_size, size);
		exit(1);
	}
}

int main(int argc, char **argv) {
	if (argc != 4) return 2;
	file = argv[1];
	state = strtoull(argv[2], NULL, 10) * 0x9E3779B97F4A7C15u + 1;
	long operations = atol(argv[3]);
	if ((fd = open(file, O_RDWR | O_CREAT | O_TRUNC, 0644)) < 0) fail("open");
	for (op = 1; op <= operations; op++) switch (rnd(20)) {
		case 0: case 1: case 2: case 3: do_read(); break;
		case 4: case 5: case 6: case 7: do_write(); break;
		case 8: do_truncate(); break;
		case 9: case 10: case 11: do_map(0); break;
		case 12: case 13: case 14: do_map(1); break;
		case 15: do_hold(); break;
		case 16: do_fallocate(); break;
		case 17: do_copy(); break;
		case 18: do_reopen(); break;
		default: do_size();
	}
	if (held) munmap(held, held_size);
	for (int i = 0; i < 3; i++) rnd(2);
	if (pread(fd, buf, MAX, 0) != size) fail("last read");
	check("last read", buf, 0, size);
	printf("%ld operations\n", operations);
	return 0;
}
