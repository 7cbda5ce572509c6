// options: ; -v; -X raw; -X verbose
// mask: \b[0-9]{3,19}\b: process ids, times and serial numbers
// differs: personality: an unknown execution domain stands behind the flags here; strace takes the number apart with -X
// differs: |0x1ff: strace shows each half of the capabilities by itself with -X raw
// differs: prctl(0x1b): strace leaves out the result's flags with -X raw
// differs: prctl(0x34, : the same
// differs: prctl(0x1b /*: strace shows this result's flags by name only with -X verbose
// differs: prctl(0x34 /*: the same
// differs: keyctl(0xe, 55): strace leaves out the remark with -X raw
// differs: {size=60: strace says that more follows, though it is zero
// differs: 0x41 /* PR: strace 6.1 does not know PR_SET_MDWE
// differs: inheritable=0x80000000: strace shows the upper half of unknown capabilities by itself
// differs: capset: the same with -X: strace annotates each half
// differs: max_entries=0}, 7): strace pads what the program gave with zeros
// differs: kexec_load: strace takes the number apart with -X
// differs: IOPRIO_CLASS_: strace annotates the class within the annotation with -X
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/syscall.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/sysinfo.h>
#include <sys/ptrace.h>
#include <sched.h>
#include <errno.h>
#include <signal.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#define S(n,...) syscall(SYS_##n, ##__VA_ARGS__)
#define P(...) syscall(SYS_prctl, ##__VA_ARGS__)
int main(){
 umask(0);
 struct utsname u;S(uname,&u);S(uname,1);struct sysinfo si;memset(&si,0,sizeof si);S(sysinfo,1);
 S(sethostname,"x",-1);S(sethostname,1,3);S(setdomainname,0,0x7fffffff);
 S(syslog,10,0,0);S(syslog,77,5,3);S(syslog,3,1,-1);S(syslog,8,0,99);
 S(reboot,1,2,3,4);S(reboot,0xfee1dead,1,0xa1b2c3d4,"x");S(reboot,0xfee1dead,1,0x4321fedc,0);
 S(kexec_load,1,99,0,0x3e0003);S(kexec_file_load,-1,-1,5,"abcd",7);S(init_module,1,3,"a=b");S(finit_module,-1,"",3);S(delete_module,"nope",0x800);S(delete_module,0,0xa01);
 S(personality,0xffffffff);S(personality,0x40000);S(personality,0x0020000|3);S(personality,0x40000);
 unsigned char m[1024];S(sched_getaffinity,0,128,m);S(sched_getaffinity,0,3,m);S(sched_setaffinity,0,128,m);m[0]=5;m[9]=0x80;S(sched_setaffinity,-5,16,m);S(sched_setaffinity,-5,0,m);S(sched_setaffinity,0,8,1);
 int pr=0;S(sched_getscheduler,0);S(sched_setscheduler,0,0,&pr);S(sched_setscheduler,0,99,0);S(sched_getparam,0,&pr);S(sched_setparam,0,&pr);S(sched_getparam,0,1);S(sched_get_priority_max,1);S(sched_get_priority_min,77);
 struct timespec ts;S(sched_rr_get_interval,-1,&ts);S(sched_yield);
 unsigned at[20]={0};S(sched_getattr,0,at,56,0);S(sched_getattr,0,at,48,0);S(sched_getattr,0,at,1,0);S(sched_getattr,0,at,0,1);at[0]=56;at[1]=99;S(sched_setattr,0,at,3);at[0]=48;at[2]=0x19;S(sched_setattr,-1,at,0);at[0]=0;S(sched_setattr,-1,at,0);at[0]=60;S(sched_setattr,-1,at,0);S(sched_setattr,-1,1,0);at[0]=7;S(sched_setattr,-1,at,0);
 S(ioprio_get,1,0);S(ioprio_set,1,0,0x4004);S(ioprio_get,1,0);S(ioprio_set,9,0,0xfffff);int c,n;S(getcpu,1,0,0);
 P(PR_GET_KEEPCAPS);P(PR_GET_DUMPABLE);P(PR_SET_DUMPABLE,7);P(PR_SET_DUMPABLE,1);char nm[16];P(PR_GET_NAME,nm);P(PR_SET_NAME,"abcdefghijklmnopqrst");P(PR_SET_NAME,1);P(PR_GET_NAME,nm);P(PR_GET_NAME,1);
 P(PR_SET_PDEATHSIG,9);int x;P(PR_GET_PDEATHSIG,&x);P(PR_SET_PDEATHSIG,0);P(PR_SET_PDEATHSIG,200);P(PR_GET_PDEATHSIG,1);P(PR_GET_SECUREBITS);P(PR_SET_SECUREBITS,0x10);P(PR_GET_SECUREBITS);P(PR_SET_SECUREBITS,0);P(PR_SET_SECUREBITS,0xf000);
 P(PR_GET_TID_ADDRESS,&ts);P(PR_GET_TSC,&x);P(PR_SET_TSC,1);P(PR_SET_TSC,9);P(PR_GET_UNALIGN,&x);P(PR_SET_UNALIGN,3);P(PR_GET_FP_MODE);P(PR_SET_FP_MODE,3);
 P(PR_GET_SPECULATION_CTRL,0,0,0,0);P(PR_GET_SPECULATION_CTRL,1,0,0,0);P(PR_GET_SPECULATION_CTRL,99,0,0,0);P(PR_SET_SPECULATION_CTRL,0,2,0,0);P(PR_SET_SPECULATION_CTRL,9,9,0,0);
 P(PR_CAPBSET_READ,5);P(PR_CAPBSET_READ,99);P(PR_CAP_AMBIENT,1,5,0,0);P(PR_CAP_AMBIENT,4,0,0,0);P(PR_CAP_AMBIENT,9,0,1,0);P(PR_MCE_KILL,1,2,0,0);P(PR_MCE_KILL,0,0,0,0);P(PR_MCE_KILL,7,1,1,1);P(PR_MCE_KILL_GET,0,0,0,0);
 P(PR_SET_VMA,0,0x1000,4096,"name");P(PR_SET_VMA,3,1,2,3);P(PR_SET_MM,1,2,3,4);P(PR_SET_MM,99,0,0,0);P(PR_SET_PTRACER,-1L);P(PR_SET_PTRACER,-1);P(PR_SET_PTRACER,1);P(PR_SET_PTRACER,0);
 P(PR_SET_SECCOMP,7,1,2,3);P(PR_GET_SECCOMP);P(PR_SET_TIMERSLACK,50000);P(PR_GET_TIMERSLACK);P(PR_SET_NO_NEW_PRIVS,0,0,0,0);P(PR_GET_NO_NEW_PRIVS,0,0,0,0);P(PR_SET_THP_DISABLE,0,0,0,0);P(PR_GET_CHILD_SUBREAPER,&x);P(PR_SET_CHILD_SUBREAPER,0);P(PR_SET_KEEPCAPS,5);P(PR_SET_SYSCALL_USER_DISPATCH,0,0,0,0);P(PR_SET_SYSCALL_USER_DISPATCH,3,1,2,3);P(0x1234,1,2,3,4);P(PR_TASK_PERF_EVENTS_DISABLE);P(53,1,2,3,4);P(65,1,0,0,0);
 struct{unsigned v;int p;}ch={0x20080522,0};unsigned cd[6];S(capget,&ch,cd);S(capset,&ch,cd);S(capget,&ch,0);ch.v=1;S(capget,&ch,0);ch.v=0x19980330;S(capget,&ch,cd);S(capget,1,1);S(capset,0,1);cd[0]=1;ch.v=0x20080522;ch.p=-3;memset(cd,0,24);cd[0]=3;cd[3]=0x1;cd[5]=0x80000000;S(capset,&ch,cd);
 struct sock_filter f[]={BPF_STMT(BPF_LD|BPF_W|BPF_ABS,4),BPF_JUMP(BPF_JMP|BPF_JEQ|BPF_K,0xc000003e,0,1),BPF_STMT(BPF_RET|BPF_K,SECCOMP_RET_ALLOW),BPF_STMT(BPF_RET|BPF_K,SECCOMP_RET_ERRNO|5)};struct sock_fprog fp={4,f};
 S(seccomp,0,1,0);S(seccomp,1,0x80,&fp);S(seccomp,1,0,1);unsigned ac=0x7fff0000;S(seccomp,2,0,&ac);ac=3;S(seccomp,2,0,&ac);unsigned short sz[3];S(seccomp,3,0,sz);S(seccomp,9,8,7);P(PR_SET_SECCOMP,2,&fp,0,0)?:0;P(PR_SET_SECCOMP,2,1);
 S(add_key,"user","d","payload",7L,-2);S(add_key,"user",0,0,0L,99);S(keyctl,1,0);S(request_key,"user","nope","x",-3);S(keyctl,0,-3,0);S(keyctl,2,5,"ab",2L);S(keyctl,3,-2);S(keyctl,8,-4,7);char kb[100];S(keyctl,6,-4,kb,100L);S(keyctl,11,-4,kb,100L);S(keyctl,10,-4,"user","x",0);S(keyctl,4,1,2,3);S(keyctl,5,1,0x3f3f0000);S(keyctl,13,1,2,3);S(keyctl,19,1,2,126,3);S(keyctl,14,-1);S(keyctl,14,55);S(keyctl,15,1,2);S(keyctl,22,-1,3);S(keyctl,29,0,0,0);S(keyctl,30,1,2,3,1);S(keyctl,99,1,2,3,4);
 S(landlock_create_ruleset,0,0L,1);unsigned long la[3]={3,0,0};S(landlock_create_ruleset,la,8L,0);la[0]=0x80000000;S(landlock_create_ruleset,la,8L,2);S(landlock_add_rule,-1,1,la,0);S(landlock_add_rule,-1,9,la,0);S(landlock_restrict_self,-1,1);
 S(ptrace,0x4206,-1,0,0x10001f);S(ptrace,16,-1,1,2);S(ptrace,17,-1,1,9);S(ptrace,1,-1,0x1000,&x);S(ptrace,7,-1,1L,0L);S(ptrace,24,-1,1,SIGUSR1);S(ptrace,0x4200,-1,0,0x7f);S(ptrace,0x4201,-1,0,&x);S(ptrace,0x4202,-1,0,m);S(ptrace,0x4204,-1,1,m);S(ptrace,0x4205,-1,0x202,1);S(ptrace,0x420a,-1,8L,m);S(ptrace,0x420b,-1,8L,la);S(ptrace,99,-1,1,2);S(ptrace,12,-1,0,m);
 union bpf_attr ba;memset(&ba,0,sizeof ba);ba.map_type=1;ba.key_size=4;ba.value_size=4;ba.max_entries=0;strcpy(ba.map_name,"abc");S(bpf,0,&ba,72);S(bpf,0,&ba,20);S(bpf,0,1,72);S(bpf,0,&ba,7);
 memset(&ba,0,sizeof ba);ba.map_fd=-1;ba.key=1;ba.value=2;ba.flags=1;S(bpf,1,&ba,32);S(bpf,2,&ba,32);S(bpf,3,&ba,16);S(bpf,4,&ba,24);S(bpf,99,&ba,16);
 memset(&ba,0,sizeof ba);ba.pathname=(long)"/x";ba.bpf_fd=-1;S(bpf,6,&ba,16);ba.bpf_fd=0;S(bpf,7,&ba,16);
 struct perf_event_attr pa;memset(&pa,0,sizeof pa);pa.type=1;pa.size=sizeof pa;pa.config=99;pa.disabled=1;S(perf_event_open,&pa,-1,-1,-1,8);pa.type=0;pa.config=1;pa.size=64;S(perf_event_open,&pa,-1,-1,-1,0);S(perf_event_open,1,-1,-1,-1,0xf0);pa.size=0;S(perf_event_open,&pa,-1,-1,-1,0);
 return 0;}
