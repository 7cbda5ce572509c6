// options: ; -v; -X verbose; -X raw
// differs: _cpid=: pids and times differ
// differs: _spid=: pids and times differ
// differs: _lspid=: pids and times differ
// differs: sem_otime=: times differ
// differs: /* GETPID */: a pid
// differs: GETPID, : a pid
// differs: semctl(0, 1, 0xb, 0x7: a pid
// differs: 0x100 /* IPC_64 */|: the flag and the command apart
// differs: 0x100|: the flag and the command apart
// differs: 0x1000000: strace forgets a | here
// differs: msgrcv(0, {mtype=7, mtext=: strace shows what was not received
// differs: 0xb, 0x7: GETPID under -X raw
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/msg.h>
#include <mqueue.h>
#include <fcntl.h>
#include <unistd.h>
#include <string.h>
#include <signal.h>
#include <stdio.h>
#define S syscall
#include <sched.h>
#include <sys/stat.h>
int main(){ umask(0); unshare(CLONE_NEWIPC); char b[512];
 int id=S(SYS_shmget,0,4096,01600); S(SYS_shmget,0x1234,0,0); S(SYS_shmget,0x1234,4096,0xffffffff);S(SYS_shmget,0x123456,4096,01600);S(SYS_shmctl,0,2,b);S(SYS_shmget,0,8192,01666|SHM_HUGETLB|(21<<26)|SHM_NORESERVE);
 void*a=(void*)S(SYS_shmat,id,0,0); S(SYS_shmat,-1,0x1000,SHM_RDONLY|SHM_RND|0x100); for(int c=0;c<20;c++) {memset(b,0,512);S(SYS_shmctl,c==0?-1:id,c,b);} S(SYS_shmctl,id,2,0);S(SYS_shmctl,-1,2,b); S(SYS_shmctl,id,0x102,b);
 S(SYS_shmdt,a);S(SYS_shmdt,8);S(SYS_shmctl,id,0,0); S(SYS_shmctl,id,77,b);
 id=S(SYS_semget,0,3,01600);S(SYS_semget,5,3,0); struct sembuf sb[2]={{0,1,0},{1,2,SEM_UNDO|IPC_NOWAIT}}; S(SYS_semop,id,sb,2);S(SYS_semop,id,sb,0);S(SYS_semop,id,0,2);S(SYS_semop,id,8,2); struct timespec ts={0,1000}; sb[0].sem_op=-5; S(SYS_semtimedop,id,sb,1,&ts);sb[0].sem_flg=0x1234;sb[0].sem_num=99;S(SYS_semtimedop,id,sb,2,0);
 unsigned short arr[3]={1,2,3}; for(int c=0;c<24;c++) {memset(b,0,512); if(c) S(SYS_semctl,id,1,c,(c==16)?(void*)5:(c==13||c==17)?(void*)arr:(void*)b);} S(SYS_semctl,id,0,2,0); S(SYS_semctl,-1,0,2,b);S(SYS_semctl,id,0,17|0x100,arr);S(SYS_semctl,id,1,0,0);
 id=S(SYS_msgget,0,01600);S(SYS_msgget,7,0x1000); struct{long t;char x[50];}m={7,"hello message"}; S(SYS_msgsnd,id,&m,13,IPC_NOWAIT);S(SYS_msgsnd,id,0,13,0);S(SYS_msgsnd,-1,&m,50,0); S(SYS_msgrcv,id,&m,50,0,MSG_NOERROR); S(SYS_msgrcv,id,&m,50,-3,IPC_NOWAIT|MSG_EXCEPT|0x10); S(SYS_msgrcv,id,0,50,-3,0x4000);
 for(int c=1;c<14;c++) {memset(b,0,512);S(SYS_msgctl,id,c,b);} S(SYS_msgctl,id,2,0);S(SYS_msgctl,id,0,0);
 struct mq_attr at={0,5,64}; int q=S(SYS_mq_open,"/fctest",O_RDWR|O_CREAT|O_EXCL|O_NONBLOCK,0600,&at); if(q<0) perror("mq"); q=S(SYS_mq_open,"fctest",O_RDWR|O_CREAT|O_NONBLOCK,0600,&at);S(SYS_mq_open,"fcnone",O_RDONLY);S(SYS_mq_open,"fcnone",O_RDONLY|O_CREAT,0600,0); S(SYS_mq_timedsend,q,"hey you",7,3,0); ts.tv_sec=1;S(SYS_mq_timedsend,q,"hey",3,4,&ts); unsigned pr; S(SYS_mq_timedreceive,q,b,64,&pr,0);S(SYS_mq_timedreceive,q,b,64,0,&ts);S(SYS_mq_timedreceive,q,b,64,&pr,&ts);
 struct mq_attr o; S(SYS_mq_getsetattr,q,0,&o); at.mq_flags=O_NONBLOCK;S(SYS_mq_getsetattr,q,&at,&o);S(SYS_mq_getsetattr,q,&at,0);S(SYS_mq_getsetattr,-1,&at,&o); struct sigevent ev={0}; ev.sigev_notify=SIGEV_SIGNAL;ev.sigev_signo=SIGUSR1;ev.sigev_value.sival_int=5; S(SYS_mq_notify,q,&ev);S(SYS_mq_notify,q,0);ev.sigev_notify=SIGEV_NONE;S(SYS_mq_notify,q,&ev);ev.sigev_notify=SIGEV_THREAD;S(SYS_mq_notify,q,&ev);ev.sigev_notify=77;S(SYS_mq_notify,q,&ev);
 S(SYS_mq_unlink,"fctest");S(SYS_mq_unlink,"fctest");S(SYS_mq_unlink,"fcnone");
}
