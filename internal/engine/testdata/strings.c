// Opens a name that ends with its page, the next one being unmapped, and gives pointers to nothing.
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int main() {
	char *p = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(p + 4096, 4096);
	char *s = p + 4096 - sizeof "/end/of/page";
	strcpy(s, "/end/of/page");
	syscall(SYS_openat, -1, s, 0, 0);       // terminated just at the end
	s[sizeof "/end/of/page" - 1] = 'x';
	syscall(SYS_openat, -1, s, 0, 1);       // runs into the hole
	syscall(SYS_openat, -1, (char *)8, 0, 2); // nothing there
	return 0;
}
