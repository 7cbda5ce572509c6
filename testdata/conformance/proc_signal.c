// options: ; -v; -X raw; -X verbose
// mask: \b[0-9]{3,19}\b: process ids, times and serial numbers
// mask: T[0-9:]{8}: the time of day
// mask: "(\\x[0-9a-f]{2})+": random bytes
// differs: si_syscall=2,: strace leaves out the name of another architecture's call with -X raw
// differs: TRAP_PERF: strace 6.1 does not show what perf adds
// differs: si_code=0x6, si_addr: the same with -X raw
// differs: clock_gettime(0xffff: this strace was built without the macros of clock ids
// differs: clock_gettime(-: the same with -X
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <signal.h>
#include <time.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#define S(n,...) syscall(SYS_##n, ##__VA_ARGS__)
static void h(int s){}
static void hx(int s,siginfo_t*i,void*u){ if(s==SIGSEGV||s==SIGBUS||s==SIGFPE||s==SIGILL||s==SIGTRAP){ struct sigaction d={0};d.sa_handler=SIG_DFL; 
  ucontext_t*c=u; c->uc_mcontext.gregs[REG_RIP]=c->uc_mcontext.gregs[REG_RBX];} }
struct ks{void*h;unsigned long f;void*r;unsigned long m;};
int main(){
 struct ks a={SIG_IGN,0,0,0},o; unsigned long m=0,om;
 umask(0);
 S(rt_sigaction,SIGUSR1,&a,&o,8);S(rt_sigaction,SIGUSR1,0,&o,8);S(rt_sigaction,99,&a,0,8);S(rt_sigaction,40,1,0,8);S(rt_sigaction,1,0,0,4);
 a.f=0xffffffff;a.h=(void*)0x1234;a.m=-1;S(rt_sigaction,SIGUSR1,&a,0,5);a.f=0x200;a.m=0x8000000100000001;a.h=(void*)-1L;S(rt_sigaction,0,&a,0,8);
 m=1UL<<(SIGUSR1-1)|1UL<<(34-1)|1;
 S(rt_sigprocmask,SIG_BLOCK,&m,&om,8);S(rt_sigprocmask,SIG_SETMASK,0,&om,8);S(rt_sigprocmask,9,&m,&om,8);S(rt_sigprocmask,0,1,0,8);S(rt_sigprocmask,0,&m,0,4);S(rt_sigprocmask,0,&m,0,128);
 S(rt_sigpending,&om,8);S(rt_sigpending,1,8);
 stack_t st={malloc(16384),0,16384};S(sigaltstack,&st,0);S(sigaltstack,0,&st);st.ss_flags=7;S(sigaltstack,&st,1);S(sigaltstack,0,0);
 struct sigaction sa={0};sa.sa_handler=h;sigaction(SIGUSR2,&sa,0);sigaction(SIGALRM,&sa,0);sigaction(SIGUSR1,&sa,0);
 S(kill,getpid(),SIGUSR2);S(tkill,getpid(),SIGUSR2);S(tgkill,getpid(),getpid(),SIGUSR2);S(kill,getpid(),0);S(kill,-99999,77);S(kill,getpid(),SIGUSR1);
 S(rt_sigpending,&om,8);
 siginfo_t si;struct timespec ts={0,1000};
 S(rt_sigtimedwait,&m,&si,&ts,8);S(rt_sigtimedwait,&m,&si,&ts,8);S(rt_sigtimedwait,&m,0,&ts,8);S(rt_sigtimedwait,&m,1,0,5);
 memset(&si,0,sizeof si);si.si_signo=SIGUSR2;si.si_code=SI_QUEUE;si.si_int=42;si.si_pid=1;
 S(rt_sigqueueinfo,getpid(),SIGUSR2,&si);si.si_code=-60;si.si_ptr=0;S(rt_tgsigqueueinfo,getpid(),getpid(),SIGUSR2,&si);S(rt_sigqueueinfo,getpid(),SIGUSR2,1);
 si.si_code=SI_TIMER;S(rt_sigqueueinfo,getpid(),SIGUSR2,&si);si.si_code=SI_SIGIO;S(rt_sigqueueinfo,getpid(),SIGUSR2,&si);si.si_code=-6;S(rt_sigqueueinfo,getpid(),SIGUSR2,&si);
 si.si_code=SI_KERNEL;S(rt_sigqueueinfo,1,SIGUSR2,&si);si.si_code=55;si.si_signo=SIGSEGV;S(rt_sigqueueinfo,1,0,&si);si.si_signo=0;S(rt_sigqueueinfo,1,0,&si);si.si_signo=SIGSEGV;si.si_code=3;si.si_errno=2;S(rt_sigqueueinfo,1,0,&si);si.si_code=4;S(rt_sigqueueinfo,1,0,&si);
 si.si_errno=0;si.si_signo=SIGBUS;si.si_code=4;S(rt_sigqueueinfo,1,0,&si);si.si_signo=SIGTRAP;si.si_code=6;S(rt_sigqueueinfo,1,0,&si);si.si_code=1;S(rt_sigqueueinfo,1,0,&si);si.si_signo=SIGIO;S(rt_sigqueueinfo,1,0,&si);si.si_code=5;S(rt_sigqueueinfo,1,0,&si);
 si.si_signo=SIGSYS;si.si_code=1;si.si_syscall=2;si.si_arch=0xc000003e;S(rt_sigqueueinfo,1,0,&si);si.si_arch=0x40000003;S(rt_sigqueueinfo,1,0,&si);si.si_arch=5;si.si_syscall=99999;S(rt_sigqueueinfo,1,0,&si);si.si_arch=0xc000003e;S(rt_sigqueueinfo,1,0,&si);
 si.si_signo=SIGCHLD;si.si_code=CLD_KILLED;si.si_status=9;si.si_utime=5;S(rt_sigqueueinfo,1,0,&si);si.si_signo=SIGFPE;si.si_code=1;S(rt_sigqueueinfo,1,0,&si);si.si_signo=SIGILL;si.si_code=99;S(rt_sigqueueinfo,1,0,&si);si.si_signo=40;si.si_code=3;S(rt_sigqueueinfo,1,0,&si);si.si_signo=70;S(rt_sigqueueinfo,1,0,&si);
 struct itimerval it={{0,0},{0,30000}},oit;S(setitimer,ITIMER_REAL,&it,0);m=0;S(rt_sigsuspend,&m,8);S(rt_sigsuspend,1,8);S(setitimer,0,&it,&oit);S(pause);
 S(setitimer,5,1,2);S(getitimer,1,&it);S(getitimer,7,&it);
 S(alarm,0);
 struct timeval tv;struct timezone tz;
 S(settimeofday,1,0);S(settimeofday,0,1);S(gettimeofday,0,&tz);S(gettimeofday,1,0);S(time,1);S(time,0);
 S(clock_gettime,99,&ts);S(clock_gettime,-6,&ts);S(clock_gettime,~5<<3|3,&ts);S(clock_gettime,~5<<3|4|1,&ts);S(clock_gettime,~0<<3|2,1);
 S(clock_getres,CLOCK_MONOTONIC,&ts);S(clock_getres,4,0);S(clock_settime,1,&ts);S(clock_settime,0,1);
 ts.tv_sec=0;ts.tv_nsec=1000;S(nanosleep,&ts,0);S(nanosleep,&ts,&ts);S(nanosleep,1,&ts);ts.tv_nsec=-1;S(nanosleep,&ts,&ts);ts.tv_nsec=100;
 S(clock_nanosleep,1,0,&ts,0);S(clock_nanosleep,0,1,&ts,&ts);S(clock_nanosleep,0,6,&ts,&ts);
 struct timespec t5={5,0},rem;setitimer(0,&(struct itimerval){{0,0},{0,20000}},0);S(nanosleep,&t5,&rem);setitimer(0,&(struct itimerval){{0,0},{0,20000}},0);S(clock_nanosleep,1,0,&t5,&rem);
 struct timex tx;memset(&tx,0,sizeof tx);S(clock_adjtime,99,&tx);S(adjtimex,1);tx.modes=0x8001|2;tx.status=1;
 struct sigevent se={0};se.sigev_signo=SIGUSR2;se.sigev_notify=0;se.sigev_value.sival_int=7;int id=-1;S(timer_create,0,&se,&id);se.sigev_notify=4;se._sigev_un._tid=getpid();S(timer_create,1,&se,&id);memset(&se._sigev_un,0,sizeof se._sigev_un);se.sigev_notify=2;S(timer_create,1,&se,&id);se.sigev_notify=1;S(timer_create,1,&se,&id);se.sigev_notify=77;S(timer_create,1,&se,&id);S(timer_create,77,0,&id);S(timer_create,1,0,1);
 struct itimerspec its={{0,0},{100,0}},oi;S(timer_settime,0,1,&its,&oi);S(timer_settime,0,0,&its,0);S(timer_settime,99,9,1,2);S(timer_gettime,99,&oi);S(timer_getoverrun,0);S(timer_delete,0);S(timer_delete,77);
 memset(&its,0,sizeof its);its.it_value.tv_nsec=1000;
 sa.sa_sigaction=hx;sa.sa_flags=SA_SIGINFO|SA_NODEFER;sigaction(SIGSEGV,&sa,0);sigaction(SIGBUS,&sa,0);sigaction(SIGILL,&sa,0);sigaction(SIGFPE,&sa,0);sigaction(SIGTRAP,&sa,0);
 asm volatile("lea 1f(%%rip),%%rbx\n mov 0x10,%%eax\n1:":::"rbx","rax");
 asm volatile("lea 1f(%%rip),%%rbx\n movabs $0x8000000000000000,%%rax\n mov (%%rax),%%eax\n1:":::"rbx","rax");
 asm volatile("lea 1f(%%rip),%%rbx\n ud2\n1:":::"rbx","rax");
 asm volatile("lea 1f(%%rip),%%rbx\n int3\n1:":::"rbx","rax");
 asm volatile("lea 1f(%%rip),%%rbx\n xor %%ecx,%%ecx\n xor %%edx,%%edx\n idiv %%ecx\n1:":::"rbx","rax","rcx","rdx");
 return 0;}
