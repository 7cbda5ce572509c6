// Functions that begin with instructions of many kinds; each is called many times by several threads, and checked.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define FIRST(name, code) \
	__asm__(".globl first_" #name "\n.type first_" #name ",@function\nfirst_" #name ":\n" code "\n.size first_" #name ", .-first_" #name "\n"); \
	extern long first_##name(long, long)

long datum = 1234567;
static long wide[4] __attribute__((used)) = {11, 22, 33, 44};
__attribute__((used)) static long seven(void) { return 7; }
__attribute__((used)) static long (*pointer)(void) = seven;

FIRST(endbr, "endbr64; lea 1(%rdi), %rax; ret");
FIRST(push, "push %rbp; mov %rsp, %rbp; lea 2(%rdi), %rax; pop %rbp; ret");
FIRST(push12, "push %r12; mov %rdi, %r12; lea 2(%r12), %rax; pop %r12; ret");
FIRST(pushsp, "push %rsp; pop %rax; sub %rsp, %rax; add %rdi, %rax; ret"); // the value before the push
FIRST(pushmem, "push datum(%rip); pop %rax; ret");
FIRST(pushimm, "push $77; pop %rax; ret");
FIRST(pushf, "pushfq; pop %rax; and $0x100, %eax; ret"); // no trace flag
FIRST(sub, "sub $24, %rsp; lea 3(%rdi), %rax; add $24, %rsp; ret");
FIRST(load, "mov datum(%rip), %rax; add %rdi, %rax; ret");
FIRST(lea, "lea datum(%rip), %rax; mov (%rax), %rax; ret");
FIRST(cmpmem, "cmpq $1234567, datum(%rip); sete %al; movzbl %al, %eax; ret");
FIRST(call, "call seven; add $1, %rax; ret");
FIRST(callmem, "call *pointer(%rip); add $2, %rax; ret");
FIRST(callreg, "call *%rsi; add $3, %rax; ret");
FIRST(jmp8, "jmp 1f; ud2; 1: lea 4(%rdi), %rax; ret");
FIRST(jmp32, "jmp seven");
FIRST(jmpmem, "jmp *pointer(%rip)");
FIRST(jcc, "jnc 1f; 1: lea 5(%rdi), %rax; ret");
FIRST(jcc32, ".byte 0x0f, 0x83, 0, 0, 0, 0; lea 5(%rdi), %rax; ret");
FIRST(jrcxz, "jrcxz 1f; nop; 1: lea 6(%rdi), %rax; ret");
FIRST(stos, "rep stosb; mov %rdi, %rax; ret");
FIRST(ret, "ret");
FIRST(xmm, "movdqu wide(%rip), %xmm1; movq %xmm1, %rax; ret");
FIRST(lock, "lock incq (%rsp); lock decq (%rsp); lea 8(%rdi), %rax; ret");
FIRST(fs, "mov %fs:0, %rax; xor %fs:0, %rax; add %rdi, %rax; ret");
FIRST(load0, "mov (%rdi), %rax; ret"); // faults once, see below
FIRST(div, "idivq %rsi; ret");

static long stores(long n) {
	char b[64];
	long end = n, count = 40;
	char *to = b;
	__asm__ volatile("call first_stos" : "+a"(end), "+D"(to), "+c"(count) : : "memory", "cc");
	return end - (long)b + b[39] - (char)n;
}

static void fault(int s, siginfo_t *info, void *u) {
	ucontext_t *c = u;
	if (s == SIGSEGV && c->uc_mcontext.gregs[REG_RIP] == (greg_t)first_load0 && info->si_addr == (void *)8)
		c->uc_mcontext.gregs[REG_RDI] = (greg_t)&datum;
	else if (s == SIGFPE && c->uc_mcontext.gregs[REG_RIP] == (greg_t)first_div && info->si_addr == (void *)first_div)
		c->uc_mcontext.gregs[REG_RSI] = 1;
	else {
		fprintf(stderr, "signal %d at %llx of %p\n", s, c->uc_mcontext.gregs[REG_RIP], info->si_addr);
		_exit(50);
	}
}

static void expect(const char *what, long got, long want) {
	if (got != want) {
		fprintf(stderr, "%s: %ld, not %ld\n", what, got, want);
		_exit(51);
	}
}

static int rounds;
static void *run(void *p) {
	for (long i = 0; i < rounds; i++) {
#define CHECK(name, want) expect(#name, first_##name(i, (long)seven), want)
		CHECK(endbr, i + 1);
		CHECK(push, i + 2);
		CHECK(push12, i + 2);
		CHECK(pushsp, i);
		CHECK(pushmem, datum);
		CHECK(pushimm, 77);
		CHECK(pushf, 0);
		CHECK(sub, i + 3);
		CHECK(load, datum + i);
		CHECK(lea, datum);
		CHECK(cmpmem, 1);
		CHECK(call, 8);
		CHECK(callmem, 9);
		CHECK(callreg, 10);
		CHECK(jmp8, i + 4);
		CHECK(jmp32, 7);
		CHECK(jmpmem, 7);
		CHECK(jcc, i + 5);
		CHECK(jcc32, i + 5);
		CHECK(jrcxz, i + 6);
		expect("stos", stores(i & 63), 40);
		first_ret(i, 0);
		CHECK(xmm, 11);
		CHECK(lock, i + 8);
		CHECK(fs, i);
		expect("load0", first_load0(8, 0), datum);
		long q = 99, high = 0, by = 0;
		__asm__ volatile("call first_div" : "+a"(q), "+d"(high), "+S"(by) : : "cc");
		expect("div", q, 99);
	}
	return p;
}

int main(int argc, char **argv) {
	struct sigaction a = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO};
	sigaction(SIGSEGV, &a, 0);
	sigaction(SIGFPE, &a, 0);
	rounds = atoi(argv[2]);
	pthread_t t[32];
	int n = atoi(argv[1]);
	for (int i = 0; i < n; i++)
		pthread_create(&t[i], 0, run, 0);
	for (int i = 0; i < n; i++)
		pthread_join(t[i], 0);
	return 0;
}
