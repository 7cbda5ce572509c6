// The leader exits by pthread_exit; a thread goes on, says so, and waits for the end of its input.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_t leader;

static void *thread(void *p) {
	char c, path[64], line[256];
	pthread_join(leader, 0);
	// Until the kernel shows the leader as a zombie.
	snprintf(path, sizeof path, "/proc/self/task/%d/stat", getpid());
	for (;;) {
		FILE *f = fopen(path, "r");
		if (f && fgets(line, sizeof line, f)) {
			char *s = line;
			while (*s && *s != ')')
				s++;
			if (s[0] && s[2] == 'Z') {
				fclose(f);
				break;
			}
		}
		if (f)
			fclose(f);
	}
	write(1, "zombie\n", 7);
	read(0, &c, 1);
	getppid();
	write(1, "end\n", 4);
	exit(3);
}

int main() {
	pthread_t t;
	leader = pthread_self();
	pthread_create(&t, 0, thread, 0);
	pthread_exit(0);
}
