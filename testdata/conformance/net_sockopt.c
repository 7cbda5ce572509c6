// options: ; -v; -X verbose; -X raw
// differs: , 28) = -1 EBUSY: strace wants exactly the first version of the structure
// differs: , 15) = -1 EINVAL: the same
// differs: , [6]) = 0: half a member
// differs: , [3]) = 0: strace shows numbers that are cut short in hexadecimal
// differs: , [2]) = 0: the same
// differs: 0x4d: newer than strace 6.1
// differs: , -1) = -1 EINVAL: a negative length
// differs: filter=[: filters are not shown instruction by instruction
#define _GNU_SOURCE
#include <sys/socket.h>
#include <sys/syscall.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <unistd.h>
#include <linux/filter.h>
#include <string.h>
#define G(s,l,o,n) {socklen_t q=n; syscall(SYS_getsockopt,s,l,o,b,&q);}
#include <sys/stat.h>
#include <sched.h>
int main(){ unshare(CLONE_NEWNET); umask(0); char b[400]; int s=socket(2,SOCK_STREAM|SOCK_NONBLOCK,0); struct sockaddr_in a={2,htons(1),{inet_addr("127.0.0.1")}}; connect(s,(void*)&a,16); usleep(1000); G(s,1,4,4); G(s,1,4,4);G(s,1,3,4);G(s,1,38,4);G(s,1,39,4);
 struct sock_filter f[3]={{0x28,0,0,12},{0x15,0,1,0x800},{6,0,0,0xffff}}; struct sock_fprog p={3,f}; int u=socket(2,2,0);
 syscall(SYS_setsockopt,u,1,26,&p,sizeof p);syscall(SYS_setsockopt,u,1,26,&p,8); G(u,1,26,3);G(u,1,26,10);G(u,1,26,0);
 p.filter=(void*)8; syscall(SYS_setsockopt,u,1,26,&p,sizeof p); p.len=0;syscall(SYS_setsockopt,u,1,26,&p,sizeof p);
 syscall(SYS_setsockopt,u,1,2,b,0);syscall(SYS_setsockopt,u,6,13,"cubic",5);syscall(SYS_setsockopt,u,6,13,b,0);syscall(SYS_setsockopt,u,6,13,0,4);syscall(SYS_setsockopt,u,6,13,8,5);syscall(SYS_setsockopt,u,1,25,"lo",3);syscall(SYS_setsockopt,u,1,25,"lo\0",4);
 syscall(SYS_setsockopt,u,6,1,8,4);syscall(SYS_setsockopt,u,6,1,b,-1);syscall(SYS_setsockopt,u,1,2,b,-1);
 struct ip_mreq m={{inet_addr("224.0.0.1")},{inet_addr("127.0.0.1")}};syscall(SYS_setsockopt,u,0,35,&m,8);syscall(SYS_setsockopt,u,0,36,&m,7); struct ip_mreqn mn={{inet_addr("224.0.0.1")},{inet_addr("127.0.0.1")},1};syscall(SYS_setsockopt,u,0,35,&mn,12);
 int u6=socket(10,2,0);struct ipv6_mreq m6; inet_pton(10,"ff02::1",&m6.ipv6mr_multiaddr);m6.ipv6mr_interface=1; syscall(SYS_setsockopt,u6,41,20,&m6,20);syscall(SYS_setsockopt,u6,41,20,&m6,19);syscall(SYS_setsockopt,u6,41,20,&m6,24);
 struct group_req g={1}; struct sockaddr_in*ga=(void*)&g.gr_group; ga->sin_family=2;ga->sin_addr.s_addr=inet_addr("224.0.0.1"); syscall(SYS_setsockopt,u,0,42,&g,sizeof g);syscall(SYS_setsockopt,u,0,42,&g,sizeof g-1);syscall(SYS_setsockopt,u,41,42,&g,sizeof g);
 int r=socket(2,3,1); int fl=0x0f; syscall(SYS_setsockopt,r,255,1,&fl,4);fl=~1;syscall(SYS_setsockopt,r,255,1,&fl,4);syscall(SYS_setsockopt,r,255,1,&fl,3);syscall(SYS_setsockopt,r,255,1,&fl,5); G(r,255,1,4);G(r,255,1,3);
 int pk=socket(17,3,0); struct{int i;short t;short l;unsigned char a[8];}pm={1,1,6,{1,2,3,4,5,6}};syscall(SYS_setsockopt,pk,263,1,&pm,16);pm.t=0;syscall(SYS_setsockopt,pk,263,1,&pm,16);syscall(SYS_setsockopt,pk,263,1,&pm,14); pm.i=0;pm.t=77;pm.l=20;syscall(SYS_setsockopt,pk,263,2,&pm,16);
 int rq[7]={4096,2,2048,4,0,0,0};syscall(SYS_setsockopt,pk,263,5,rq,16);syscall(SYS_setsockopt,pk,263,5,rq,28);syscall(SYS_setsockopt,pk,263,5,rq,15); struct linger l={1,2};syscall(SYS_setsockopt,u,1,13,&l,8);syscall(SYS_setsockopt,u,1,13,&l,7);G(u,1,13,4);G(u,1,13,6);G(u,1,17,8);G(u,1,17,3);G(u,1,17,12);G(pk,263,6,4);
 long tv[2]={1,500};syscall(SYS_setsockopt,u,1,20,tv,16);G(u,1,20,16);G(u,1,20,4); G(u,1,0x99,4);G(u,1,2,8);G(u,1,2,3);G(u,1,7,2); syscall(SYS_getsockopt,u,1,2,b,0);syscall(SYS_getsockopt,u,1,2,0,b);syscall(SYS_getsockopt,-1,1,2,b,&fl);
 int sp[2];socketpair(1,1,0,sp); G(sp[0],1,59,40);G(sp[0],1,59,2);G(sp[0],1,77,4);G(sp[0],1,31,40);
 G(s,0,0,0);
}
