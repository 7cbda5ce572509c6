// options: ; -v; -X verbose; -X raw
// differs: sin6_scope_id=1}, 27): strace completes an address that is some bytes short with zeros
// differs: sin6_scope_id=1}, 25): the same
#define _GNU_SOURCE
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/if_packet.h>
#include <linux/vm_sockets.h>
#include <string.h>
#include <unistd.h>
#include <stddef.h>
#include <stdlib.h>
#define C(p,n) syscall(SYS_connect,-1,p,n)
#include <sys/stat.h>
int main(){ umask(0);
 struct sockaddr_in in={AF_INET,htons(80),{inet_addr("1.2.3.4")}};
 for(int n=-1;n<20;n++) C(&in,n);
 C(&in,200);C(0,16);C((void*)1,16);
 struct sockaddr_in6 i6={AF_INET6,htons(443),htonl(7),IN6ADDR_LOOPBACK_INIT,1};
 C(&i6,28);C(&i6,27);C(&i6,25);C(&i6,24);C(&i6,23); i6.sin6_scope_id=99;C(&i6,28); i6.sin6_scope_id=0;C(&i6,28);C(&i6,40);
 i6.sin6_scope_id=1; i6.sin6_addr.s6_addr[0]=0xfe;i6.sin6_addr.s6_addr[1]=0x80; C(&i6,28); inet_pton(AF_INET6,"::ffff:1.2.3.4",&i6.sin6_addr);C(&i6,28);
 struct sockaddr_un un={AF_UNIX,"/tmp/x\"y"};
 C(&un,2);C(&un,3);C(&un,7);C(&un,sizeof un);C(&un,110);C(&un,111);C(&un,128); memset(un.sun_path,'a',108);C(&un,110); C(&un,60);
 memcpy(un.sun_path,"\0abc\0d",6);C(&un,8);C(&un,3);C(&un,4);C(&un,sizeof un);
 struct sockaddr_nl nl={AF_NETLINK,5,100,3}; for(int n=10;n<14;n++)C(&nl,n); nl.nl_pad=0;C(&nl,12);
 struct sockaddr_ll ll={AF_PACKET,htons(3),1,1,4,6,{1,2,3,4,5,6,7,8}}; for(int n=10;n<22;n++)C(&ll,n); ll.sll_halen=200;ll.sll_hatype=772;ll.sll_pkttype=9;ll.sll_protocol=0x1234;C(&ll,20);ll.sll_halen=0;C(&ll,20);
 struct sockaddr_vm vm={AF_VSOCK,1,22,2};for(int n=10;n<18;n++)C(&vm,n);vm.svm_cid=-1;vm.svm_port=-1;C(&vm,16);vm.svm_cid=3;vm.svm_zero[0]=1;C(&vm,16);
 char b[128];
 int fams[]={0,5,6,7,8,11,12,13,14,15,18,19,20,21,22,25,41,46,49,0x1234};
 for(unsigned f=0;f<sizeof fams/sizeof*fams;f++) for(int n=2;n<20;n++){ memset(b,0x11,128);*(short*)b=fams[f]; C(b,n);}
 return 0;
}
