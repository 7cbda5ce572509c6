/* wild HOW: what a program can do against the rules. It ends in any case. */
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>
#define FARCALL_TIMEOUT 2
#include "farcall.h"

static int post(int set, int sem, int n)
{
	struct sembuf op;

	op.sem_num = (unsigned short)sem;
	op.sem_op = (short)n;
	op.sem_flg = IPC_NOWAIT;
	return semop(set, &op, 1);
}

int main(int argc, char **argv)
{
	static char longname[100000];
	const char *how = argc > 1 ? argv[1] : "";
	farcall_region r;
	char c;
	int set, i;

	if (!strcmp(how, "first")) {
		set = semget((key_t)(FARCALL_KEY_ + getpid()), 5, IPC_CREAT | 0600);
		post(set, FARCALL_GUARD_, 1);
		puts("ready");
		fflush(stdout);
	}
	if (!strcmp(how, "foreign")) { /* another user makes the set */
		key_t key = (key_t)(FARCALL_KEY_ + getpid());
		pid_t child = fork();
		if (child == 0) {
			if (setuid(65534) != 0)
				_exit(1);
			set = semget(key, 5, IPC_CREAT | 0666);
			post(set, FARCALL_GUARD_, 1);
			_exit(set < 0);
		}
		waitpid(child, &i, 0);
		if (i != 0)
			return 3;
		set = semget(key, 0, 0);
		FARCALL_BEGIN(&r, "after");
		FARCALL_END(&r);
		printf("guard %d, attach %d\n", semctl(set, FARCALL_GUARD_, GETVAL), semctl(set, FARCALL_ATTACH_, GETVAL));
		semctl(set, 0, IPC_RMID);
		return 0;
	}
	if (read(0, &c, 1) != 1)
		return 2;
	set = semget((key_t)(FARCALL_KEY_ + getpid()), 0, 0);
	if (!strcmp(how, "attach")) {
		post(set, FARCALL_ATTACH_, 3);
	} else if (!strcmp(how, "all")) {
		for (i = 0; i < 5; i++)
			post(set, i, 100);
	} else if (!strcmp(how, "remove")) {
		semctl(set, 0, IPC_RMID);
	} else if (!strcmp(how, "guard")) {
		post(set, FARCALL_GUARD_, -1);
	} else if (!strcmp(how, "pointer")) {
		farcall_both_((farcall_region *)8, FARCALL_STEP_OTHER_, set, FARCALL_GUARD_, -1, FARCALL_ATTACH_, 1);
		farcall_both_((farcall_region *)8, FARCALL_STEP_ENTER_, set, FARCALL_TARGET_, -1, FARCALL_GUARD_, 1);
	} else if (!strcmp(how, "name")) {
		FARCALL_BEGIN(&r, "\377\n\"\\x\xc3\xa4\033[1m");
		FARCALL_END(&r);
		memset(longname, 'a', sizeof longname - 1);
		FARCALL_BEGIN(&r, longname);
		FARCALL_END(&r);
	} else if (!strcmp(how, "badname")) {
		memset(&r, 0, sizeof r);
		r.magic = FARCALL_RECORD_;
		r.name = (const char *)16;
		r.length = 1UL << 40;
		farcall_both_(&r, FARCALL_STEP_OTHER_, set, FARCALL_GUARD_, -1, FARCALL_ATTACH_, 1);
		farcall_both_(&r, FARCALL_STEP_ENTER_, set, FARCALL_TARGET_, -1, FARCALL_GUARD_, 1);
	}
	FARCALL_BEGIN(&r, "after");
	write(1, "x", 1);
	FARCALL_END(&r);
	puts("done");
	return 0;
}
