// Makes argv[1] children, up to argv[2] at a time, that exit with their number modulo 7; prints the sum.
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
	int n = atoi(argv[1]), most = atoi(argv[2]), live = 0, sum = 0, st;
	for (int i = 0; i < n; i++) {
		if (live == most) {
			wait(&st);
			sum += WEXITSTATUS(st);
			live--;
		}
		if (fork() == 0)
			_exit(i % 7);
		live++;
	}
	while (live-- > 0) {
		wait(&st);
		sum += WEXITSTATUS(st);
	}
	printf("%d\n", sum);
	return 0;
}
