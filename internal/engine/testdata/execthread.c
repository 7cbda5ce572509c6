// Many threads; argv[1] says who executes what: "one N" lets the last of N threads call execve, "all N" lets all do so at once,
// "race N" is "one" with a leader that makes calls all the time;
// "exit N" lets one call exit_group. The new image is "leave", which exits with 5.
#define _GNU_SOURCE
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_barrier_t barrier;
static char *mode, *self;

static char first(const char *tid, const char *file, char after) {
	char path[300], line[256] = "";
	snprintf(path, sizeof path, "/proc/self/task/%s/%s", tid, file);
	FILE *f = fopen(path, "r");
	if (f) {
		if (!fgets(line, sizeof line, f))
			line[0] = 0;
		fclose(f);
	}
	if (!strcmp(file, "syscall"))
		return atoi(line) == SYS_pause ? 'p' : 0;
	char *s = strrchr(line, after);
	return s ? s[2] : 0;
}

// Waits until all other threads sleep in pause.
static void all_paused(void) {
	for (int awake = 1; awake;) {
		awake = 0;
		DIR *d = opendir("/proc/self/task");
		for (struct dirent *e; d && (e = readdir(d));)
			if (atoi(e->d_name) > 0 && atoi(e->d_name) != syscall(SYS_gettid))
				awake |= first(e->d_name, "syscall", 0) != 'p' || first(e->d_name, "stat", ')') != 'S';
		closedir(d);
	}
}

static void *thread(void *p) {
	long i = (long)p;
	char *args[] = {self, "leave", "0", 0};
	pthread_barrier_wait(&barrier);
	if (i == 0 && !strcmp(mode, "one"))
		all_paused();
	if (!strcmp(mode, "all") || (i == 0 && (!strcmp(mode, "one") || !strcmp(mode, "race"))))
		execv(self, args);
	if (i == 0 && !strcmp(mode, "exit")) {
		all_paused();
		exit(5);
	}
	for (;;)
		pause();
	return 0;
}

int main(int argc, char **argv) {
	mode = argv[1];
	self = argv[0];
	if (!strcmp(mode, "leave"))
		return 5;
	int n = atoi(argv[2]);
	pthread_barrier_init(&barrier, 0, n);
	for (long i = 0; i < n; i++) {
		pthread_t t;
		pthread_attr_t a;
		pthread_attr_init(&a);
		pthread_attr_setstacksize(&a, 65536);
		if (pthread_create(&t, &a, thread, (void *)i))
			return 1;
	}
	for (;;)
		strcmp(mode, "race") ? pause() : getppid();
}
