// Makes over 60 calls before and after main, among them mmap, and 5 in it, of which the last is an mmap whose failure is the exit status.
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static void many(void) {
	for (int i = 0; i < 15; i++) {
		void *p = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED || munmap(p, 4096))
			_exit(90);
	}
}
__attribute__((constructor)) static void before(void) { many(); }
__attribute__((destructor)) static void after(void) { many(); }

int main(void) {
	for (int i = 0; i < 4; i++)
		syscall(SYS_getppid);
	return syscall(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == -1 ? errno : 0;
}
