// A program that makes system calls between, in and after exceptions that pass through several functions.
#include <cstdio>
#include <stdexcept>
#include <string>
#include <unistd.h>

namespace work {

struct Guard {
	const char *name;
	~Guard() { (void)!write(1, name, 1); }
};

template <class T> __attribute__((noinline)) T deep(T n) {
	Guard g{"g"};
	if (n == 0) {
		(void)!write(1, "t", 1);
		throw std::runtime_error("bottom");
	}
	return deep(n - 1) + 1;
}

static inline __attribute__((always_inline)) void step(int n) { (void)!write(1, "s", n); }

struct Base {
	virtual ~Base() {}
	virtual void run(int n) = 0;
};

struct Derived : Base {
	__attribute__((noinline)) void run(int n) override {
		step(1);
		try {
			deep(n);
		} catch (const std::logic_error &e) {
			(void)!write(1, "?", 1);
		}
	}
};

} // namespace work

int main() {
	work::Derived d;
	work::Base *b = &d;
	for (int i = 0; i < 20; i++) {
		try {
			b->run(i % 7);
		} catch (const std::exception &e) {
			std::string s = e.what();
			(void)!write(1, s.data(), 1);
		}
	}
	return 0;
}
