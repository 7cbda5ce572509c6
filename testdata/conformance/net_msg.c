// options: ; -v; -X verbose; -X raw
// differs: cmsg_data={pid=: the pid differs
// differs: tv_nsec=999: the time left differs
// differs: ... /*: strace shows where a control message that is too short ends the others
// differs: msg_controllen=10,: strace shows the address of control data that is too short for a header
// differs: accept(3, NULL, 0x7: strace shows the length by address when it is not used
// differs: getsockname(11, NULL, 0x7: strace shows the length by address when it is not used
// differs: (left {: the time left differs
#define _GNU_SOURCE
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/uio.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>
#include <stddef.h>
#include <stdlib.h>
#include <fcntl.h>
#define S syscall
#include <sys/stat.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <net/if.h>
int main(){ unshare(CLONE_NEWNET); struct ifreq lo={"lo"}; int up=socket(2,2,0); ioctl(up,SIOCGIFFLAGS,&lo); lo.ifr_flags|=IFF_UP; ioctl(up,SIOCSIFFLAGS,&lo); close(up); umask(0);
 int p[2]; S(SYS_socketpair,1,2,0,p); int on=1; S(SYS_setsockopt,p[1],1,16,&on,4);
 char b1[64]="hello, world", b2[64]; struct iovec iv[2]={{b1,5},{b1+5,7}};
 struct msghdr m={0}; m.msg_iov=iv;m.msg_iovlen=2;
 S(SYS_sendmsg,p[0],&m,MSG_DONTWAIT);
 struct iovec rv[3]={{b2,4},{b2+4,40},{b2,20}}; char cb[256]; struct sockaddr_un un;
 struct msghdr r={&un,110,rv,3,cb,sizeof cb,0};
 S(SYS_recvmsg,p[1],&r,MSG_DONTWAIT);
 S(SYS_recvmsg,p[1],&r,MSG_DONTWAIT);
 S(SYS_recvmsg,p[1],0,0); S(SYS_recvmsg,p[1],(void*)8,0); S(SYS_sendmsg,p[1],(void*)8,0); S(SYS_sendmsg,p[1],0,0);
 int u=S(SYS_socket,2,2,0); struct sockaddr_in a={2,htons(40776),{inet_addr("127.0.0.1")}}; S(SYS_bind,u,&a,16); socklen_t sl=100; S(SYS_getsockname,u,&a,&sl);
 on=1;S(SYS_setsockopt,u,0,8,&on,4);S(SYS_setsockopt,u,1,29,&on,4); S(SYS_setsockopt,u,0,12,&on,4);S(SYS_setsockopt,u,0,13,&on,4);
 a.sin_port=htons(40777); int u2=S(SYS_socket,2,2,0); S(SYS_bind,u2,&a,16);S(SYS_setsockopt,u2,0,8,&on,4);
 m.msg_name=&a;m.msg_namelen=16; S(SYS_sendmsg,u,&m,0);
 struct sockaddr_in f; struct msghdr r2={&f,128,rv,2,cb,sizeof cb,0}; 
 S(SYS_recvmsg,u2,&r2,0);
 S(SYS_sendto,u,b1,12,MSG_DONTWAIT,&a,16); sl=8; S(SYS_recvfrom,u2,b2,64,0,&f,&sl); sl=16;S(SYS_recvfrom,u2,b2,64,MSG_DONTWAIT,&f,&sl); S(SYS_recvfrom,u2,b2,64,MSG_DONTWAIT,0,0);
 S(SYS_sendto,u,b1,12,0,0,0);S(SYS_sendto,u,0,12,0,0,0);
 struct mmsghdr mm[3]={0}; mm[0].msg_hdr=m; mm[1].msg_hdr=m; mm[2].msg_hdr=m; mm[1].msg_hdr.msg_iovlen=1;
 S(SYS_sendmmsg,u,mm,3,MSG_DONTWAIT); S(SYS_sendmmsg,-1,mm,3,0); S(SYS_sendmmsg,u,0,3,0); S(SYS_sendmmsg,u,mm,0,0);
 struct mmsghdr rm[4]={0}; for(int i=0;i<4;i++){rm[i].msg_hdr=r2;rm[i].msg_hdr.msg_namelen=128;rm[i].msg_hdr.msg_controllen=256; rm[i].msg_hdr.msg_iovlen=1+i%2;} struct timespec{long s,n;}ts={1,5};
 S(SYS_recvmmsg,u2,rm,2,MSG_DONTWAIT,0); S(SYS_recvmmsg,u2,rm,4,MSG_DONTWAIT,&ts); S(SYS_recvmmsg,u2,rm,2,MSG_DONTWAIT,&ts);S(SYS_recvmmsg,-1,rm,2,MSG_DONTWAIT,&ts);S(SYS_recvmmsg,u2,0,2,MSG_DONTWAIT,0);
 int fd=open("/dev/null",0); struct{struct cmsghdr h;int f[2];}c={{24,1,1},{fd,fd}}; m.msg_name=0;m.msg_namelen=0;m.msg_control=&c;m.msg_controllen=24; S(SYS_sendmsg,p[0],&m,0);
 r.msg_controllen=256;r.msg_namelen=110;r.msg_iovlen=1; S(SYS_recvmsg,p[1],&r,MSG_CMSG_CLOEXEC);
 m.msg_controllen=10;S(SYS_sendmsg,p[0],&m,0); m.msg_controllen=16;S(SYS_sendmsg,p[0],&m,0); c.h.cmsg_len=100;m.msg_controllen=24;S(SYS_sendmsg,p[0],&m,0); c.h.cmsg_len=3;S(SYS_sendmsg,p[0],&m,0); m.msg_control=0;S(SYS_sendmsg,p[0],&m,0);m.msg_control=(void*)8;S(SYS_sendmsg,p[0],&m,0);
 m.msg_control=0;m.msg_controllen=0;m.msg_iov=(void*)8;S(SYS_sendmsg,p[0],&m,0);m.msg_iov=0;S(SYS_sendmsg,p[0],&m,0);m.msg_iovlen=0;m.msg_iov=iv;S(SYS_sendmsg,p[0],&m,0);
 m.msg_iovlen=3; struct iovec bad[3]={{(void*)8,5},{0,4},{b1,0}}; m.msg_iov=bad; S(SYS_sendmsg,p[0],&m,0x10000000);
 S(SYS_accept,p[0],&un,&sl);S(SYS_accept,p[0],&un,0);S(SYS_accept,p[0],0,&sl);S(SYS_accept4,p[0],0,0,02000000);
 int l=S(SYS_socket,2,1,0); on=1; S(SYS_setsockopt,l,1,2,&on,4); struct sockaddr_in la={2,htons(40778),{inet_addr("127.0.0.1")}};S(SYS_bind,l,&la,16);S(SYS_listen,l,5); int cl=S(SYS_socket,2,1,0); struct sockaddr_in ca={2,htons(40779),{inet_addr("127.0.0.1")}};S(SYS_bind,cl,&ca,16); S(SYS_connect,cl,&la,16); sl=128; int ac=S(SYS_accept,l,&la,&sl); sl=4; S(SYS_getpeername,cl,&la,&sl); sl=-1;S(SYS_getpeername,cl,&la,&sl); sl=1;S(SYS_getsockname,cl,&la,&sl);S(SYS_getsockname,cl,&la,0);S(SYS_getsockname,cl,0,&sl);S(SYS_getsockname,cl,&la,8);
 S(SYS_shutdown,cl,1); S(SYS_recvfrom,ac,b2,10,0,0,0);
 return 0;}
