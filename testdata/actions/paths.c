// Opens files in ways in which nothing of the program's memory is to spare: from a signal handler on a small stack, from
// threads, with a constant, and leaves data in the red zone.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char buf[64];
static const char name[] = "a";

static int get(void)
{
	int fd = open(name, O_RDONLY);
	if (fd < 0)
		return errno;
	int n = read(fd, buf, sizeof buf);
	close(fd);
	return n == 2 && !memcmp(buf, "B\n", 2) ? 0 : -1;
}

static void handler(int sig)
{
	if (get())
		write(1, "handler: bad\n", 13);
}

static void *thread(void *arg)
{
	for (int i = 0; i < 50; i++) {
		char b[8];
		int fd = open(name, O_RDONLY);
		if (fd < 0 || read(fd, b, 8) != 2 || b[0] != 'B')
			write(1, "thread: bad\n", 12);
		close(fd);
	}
	return 0;
}

#ifdef __x86_64__
// What a compiler relies on: a call leaves its arguments in their registers.
static int registers(const char *p)
{
	long ret;
	register const char *di __asm__("rdi") = p;
	register long si __asm__("rsi") = O_RDONLY;
	__asm__ volatile("syscall" : "=a"(ret), "+r"(di), "+r"(si) : "a"(2) : "rcx", "r11", "memory");
	return ret >= 0 && di == p && si == O_RDONLY;
}

// An open that keeps values in the red zone across the call.
__attribute__((naked)) static long redzone(const char *p)
{
	__asm__("mov $0x1234567, %r8\n mov %r8, -8(%rsp)\n mov %r8, -64(%rsp)\n mov %r8, -128(%rsp)\n"
		"mov $2, %eax\n xor %esi, %esi\n xor %edx, %edx\n syscall\n"
		"cmp %r8, -8(%rsp)\n jne 1f\n cmp %r8, -64(%rsp)\n jne 1f\n cmp %r8, -128(%rsp)\n jne 1f\n ret\n"
		"1: mov $-1000, %rax\n ret\n");
}
#endif

int main(void)
{
	static char stack[4096];
	stack_t ss = {.ss_sp = stack, .ss_size = sizeof stack};
	struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
	sigaltstack(&ss, 0);
	sigaction(SIGUSR1, &sa, 0);
	printf("plain %d\n", get());
	raise(SIGUSR1);
	if (strcmp(name, "a"))
		printf("the constant has changed\n");
#ifdef __x86_64__
	printf("red zone %d\n", redzone(name) >= 0);
	printf("registers %d\n", registers(name));
#endif
	pthread_t t[4];
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], 0, thread, 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], 0);
	fflush(stdout);
	int status;
	if (fork() == 0)
		_exit(get());
	wait(&status);
	printf("fork %d\n", status);
	if (vfork() == 0) {
		int fd = syscall(SYS_open, name, O_RDONLY);
		_exit(fd < 0);
	}
	wait(&status);
	printf("vfork %d\n", status);
	return 0;
}
