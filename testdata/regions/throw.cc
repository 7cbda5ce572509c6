// Exceptions leave "inner" and are caught further out.
#include <cstdlib>
#include <stdexcept>
#include <sys/syscall.h>
#include <unistd.h>

static void out() { syscall(SYS_getuid); }

__attribute__((noinline)) long inner(long n) {
	syscall(SYS_getppid);
	if (n % 2)
		throw std::runtime_error("odd");
	return n;
}

__attribute__((noinline)) long middle(long n) {
	long v = inner(n);
	out();
	return v;
}

int main() {
	long caught = 0;
	for (long i = 0; i < 10; i++) {
		try {
			middle(i);
		} catch (const std::exception &) {
			caught++;
			out();
		}
		out();
	}
	return caught == 5 ? 0 : 1;
}
