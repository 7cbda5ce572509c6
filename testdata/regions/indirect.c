// Calls of indirect functions: of libc, where it has chosen them, and one of its own whose choices make different calls.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int first(int n) {
	syscall(SYS_getuid);
	return n;
}
static int second(int n) {
	syscall(SYS_getppid);
	return n + 1;
}
static int (*choose(void))(int) {
	(void)first;
	return second;
}
int choice(int) __attribute__((ifunc("choose")));

static void once(char *text) {
	size_t (*volatile length)(const char *) = strlen;
	syscall(SYS_getpgrp);
	if (length(text) != 5 || choice(1) != 2)
		abort();
	syscall(SYS_getpgrp);
}

int main(int argc, char **argv) {
	char c;
	if (argc > 1) { // wait for bytes
		write(1, "ready\n", 6);
		while (read(0, &c, 1) == 1) {
			once("abcde");
			write(1, "done\n", 5);
		}
		return 0;
	}
	for (int i = 0; i < 3; i++)
		once("abcde");
	return 0;
}
