// options: ; -v; -X raw; -X verbose
// mask: \b[0-9]{3,19}\b: process ids, times and serial numbers
// mask: (ru_\w+|tv_usec)=[0-9N]+: what the child used
// mask: "(\\x[0-9a-f]{2})+": random bytes
// differs: modify_ldt(1, 0x1, 16): strace takes the 32-bit result for an error
// differs: get_thread_area: the structure is shown as it was before the call
// differs: <<28: strace annotates the parts of FUTEX_WAKE_OP one by one with -X
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/syscall.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sys/times.h>
#include <signal.h>
#include <sched.h>
#include <time.h>
#include <errno.h>
#include <linux/futex.h>
#include <asm/prctl.h>
#include <linux/sched.h>
#define S(n,...) syscall(SYS_##n, ##__VA_ARGS__)
int main(){
 umask(0);
 S(getpid);S(getppid);S(gettid);S(getpgrp);S(getpgid,0);S(setpgid,-1,-1);S(getsid,0);S(getuid);S(geteuid);S(getgid);S(getegid);
 S(setuid,0);S(setgid,-1);S(setreuid,-1,0);S(setregid,-1,-1);S(setresuid,-1,-1,0);S(setresgid,-1,-1,-1);
 int a,b,c; S(getresuid,&a,&b,&c);S(getresuid,0,1,&c);S(getresgid,&a,&b,&c);S(setfsuid,-1);S(setfsgid,0);
 int g[64]; S(getgroups,0,0);S(getgroups,64,g);S(getgroups,-1,g);S(setgroups,0,0);g[0]=1;g[1]=-1;S(setgroups,1,g);S(setgroups,-1,g);S(setgroups,0,g);
 struct rlimit r; S(getrlimit,7,&r);S(getrlimit,99,&r);S(getrlimit,3,0);S(setrlimit,4,&r);S(setrlimit,4,1);
 struct rlimit r2={RLIM_INFINITY,4096};S(setrlimit,4,&r2);
 S(prlimit64,0,RLIMIT_STACK,0,&r);S(prlimit64,0,RLIMIT_STACK,&r,0);S(prlimit64,-3,55,1,2);
 struct rusage u; memset(&u,0,sizeof u); S(getrusage,7,&u);S(getrusage,RUSAGE_CHILDREN,&u);
 S(times,0); S(getpriority,0,0);S(getpriority,5,1);S(setpriority,1,-1,3);S(setpriority,0,0,0);
 S(set_tid_address,&a); S(set_robust_list,&a,24);S(set_robust_list,&a,2);
 void*h;size_t l;S(get_robust_list,0,&h,&l);S(get_robust_list,-1,&h,&l);S(get_robust_list,0,0,0);
 S(arch_prctl,ARCH_GET_FS,&h);S(arch_prctl,ARCH_SET_GS,0);S(arch_prctl,ARCH_GET_CPUID,0);S(arch_prctl,0x999,5);S(arch_prctl,ARCH_GET_GS,1);
 int f=5;struct timespec ts={0,1000};
 S(futex,&f,FUTEX_WAIT,4,&ts);S(futex,&f,FUTEX_WAIT_PRIVATE,5,&ts);S(futex,&f,FUTEX_WAIT,4,0);S(futex,&f,FUTEX_WAIT,4,1);
 S(futex,&f,FUTEX_WAKE,1);S(futex,&f,FUTEX_WAKE_PRIVATE,0x7fffffff);S(futex,&f,FUTEX_WAIT_BITSET|FUTEX_CLOCK_REALTIME|128,4,&ts,0,-1);S(futex,&f,FUTEX_WAIT_BITSET,4,&ts,0,7);S(futex,&f,FUTEX_WAKE_BITSET,4,0,0,-1);
 S(futex,&f,FUTEX_REQUEUE,1,2L,&a,0);S(futex,&f,FUTEX_CMP_REQUEUE,1,2L,&a,5);S(futex,&f,FUTEX_CMP_REQUEUE_PI|128,1,2L,&a,5);
 S(futex,&f,FUTEX_WAKE_OP,1,2L,&a,FUTEX_OP(FUTEX_OP_SET,0,FUTEX_OP_CMP_GT,1));S(futex,&f,FUTEX_WAKE_OP,1,2L,&a,0xffffffff);S(futex,&f,FUTEX_WAKE_OP,1,2L,&a,0);
 S(futex,1,FUTEX_LOCK_PI,1,0);S(futex,1,FUTEX_UNLOCK_PI,1,0);S(futex,1,FUTEX_TRYLOCK_PI);S(futex,1,FUTEX_LOCK_PI2,0,&ts);S(futex,1,FUTEX_WAIT_REQUEUE_PI,0,&ts,&a);S(futex,1,FUTEX_FD,3);S(futex,1,77,3,4L,5L,6);S(futex,1,0x1000,3,4L,5L,6);
 S(getrandom,&f,4,1);S(getrandom,0,0,0);S(getrandom,1,4,2);S(getrandom,&f,4,0x88);
 char big[100];S(getrandom,big,100,0);
 S(pidfd_open,getpid(),0);S(pidfd_open,0,0x800);S(pidfd_open,1,3);S(pidfd_getfd,-1,3,0);S(pidfd_send_signal,3,0,0,0);
 S(kcmp,getpid(),getpid(),0,1L,1L);S(kcmp,1,2,1,1L,2L);S(kcmp,1,2,7,1L,0L);S(kcmp,1,2,77,1L,2L);
 S(unshare,0);S(unshare,0x100);S(unshare,0x20);S(setns,-1,0x20000);S(setns,-1,5);
 int st; sigset_t bl; sigemptyset(&bl); sigaddset(&bl,SIGCHLD); sigprocmask(SIG_BLOCK,&bl,0);
 pid_t p=S(fork); if(!p)S(exit_group,7);
 S(wait4,p,&st,0,&u);S(wait4,-1,&st,WNOHANG,&u);S(wait4,-1,0,0x40000000,0);
 p=S(fork); if(!p){S(kill,getpid(),9);}
 S(wait4,-1,&st,0,0);
 p=S(fork); if(!p){S(kill,getpid(),SIGSTOP);for(;;)S(pause);}
 S(wait4,p,&st,WUNTRACED,0);S(kill,p,SIGCONT);S(wait4,p,&st,WCONTINUED,0);S(kill,p,SIGTERM);S(wait4,p,&st,0,0);
 p=S(fork); if(!p)S(exit,5);
 siginfo_t si; memset(&si,0,sizeof si);S(waitid,P_PID,p,&si,WEXITED,&u);S(waitid,P_ALL,0,&si,WEXITED|WNOHANG,0);S(waitid,P_PIDFD,-1,0,WEXITED,0);S(waitid,P_PGID,1,1,0,0);S(waitid,9,1,1,0x80000000,0);
 S(clone,0,0,0,0,0)?:S(exit,0);
 S(wait4,-1,&st,__WALL,0);
 S(clone,0x01200000|SIGCHLD,0,0,&a,0)?:S(exit,0);
 S(wait4,-1,&st,__WALL,0);
 S(clone,0x00101000|SIGCHLD,0,&b,&a,0)?:S(exit,0);
 S(clone,0x00100000|SIGCHLD,0,&b,&a,0)?:S(exit,0);
 S(wait4,-1,&st,__WALL,0);
 S(clone,0x00001000|SIGCHLD,0,&b,&a,0)?:S(exit,0);
 S(wait4,-1,&st,__WALL,0);
 S(clone,0x7fffffff,8,&b,&a,9);
 struct clone_args ca;memset(&ca,0,sizeof ca);ca.exit_signal=17;
 S(clone3,&ca,sizeof ca)?:S(exit,0);S(wait4,-1,&st,__WALL,0);
 S(clone3,&ca,64)?:S(exit,0);S(wait4,-1,&st,__WALL,0);
 S(clone3,&ca,3);S(clone3,1,88);S(clone3,0,64);
 int tid[2]={5,1};ca.flags=0x3fffffe00;ca.stack=3;ca.stack_size=4;ca.set_tid=(long)tid;ca.set_tid_size=2;ca.cgroup=4;ca.exit_signal=0xffffffff1;ca.tls=1;
 S(clone3,&ca,88);ca.set_tid_size=99;ca.exit_signal=99;S(clone3,&ca,88);
 ca.flags=0x100000;ca.parent_tid=(long)&b;ca.set_tid=0;ca.set_tid_size=0;ca.exit_signal=17;ca.stack=0;ca.stack_size=0;ca.cgroup=0;ca.tls=0;
 S(clone3,&ca,88)?:S(exit,0);S(wait4,-1,&st,__WALL,0);
 char*av[]={"x","y",0},*ev[]={"A=b",0};
 S(execve,"/nope",av,ev);S(execve,"/nope",0,0);S(execve,1,2,3);S(execveat,-100,"nope",av,ev,0x1100);S(execveat,5,"",av,0,0x8);
 S(iopl,0);S(ioperm,0L,1L,0);
 struct{int e;unsigned b,l,f;}ud={12,0x1000,0xfffff,0x51};
 S(modify_ldt,1,&ud,16L);S(modify_ldt,0,big,100L);S(modify_ldt,1,1,16L);S(modify_ldt,0x11,&ud,16L);
 S(set_thread_area,&ud);S(get_thread_area,&ud);
 return 0;}
