// The last page of the code is full (.fini follows). Functions begin, and go on after calls, with instructions that know their own address.
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

__asm__(".section .zfull,\"ax\",@progbits\n.balign 4096\n.fill 4080, 1, 0x90\n.text");

static __thread long mine;
long seen, result;

__attribute__((noinline)) long near(void) {
	long n = __atomic_add_fetch(&seen, 1, __ATOMIC_RELAXED);
	mine += syscall(SYS_getppid) != 0;
	return n;
}

__attribute__((noinline)) long get(void) { return result; }

static void *run(void *p) {
	for (int i = 0; i < 200; i++) {
		result = near();
		if (get() == 0)
			abort();
	}
	if (mine != 200)
		abort();
	return p;
}

int main(int argc, char **argv) {
	pthread_t t[4];
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], 0, run, 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], 0);
	return seen != 800;
}
