// options: ; -v; -X verbose; -X raw
// differs: sa_data="\x00: strace shows more bytes than the address has, but only in these styles
#define _GNU_SOURCE
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>
#include <linux/sockios.h>
#include <sys/stat.h>
#define I(c) {memset(&r,0,sizeof r);strcpy(r.ifr_name,"lo");ioctl(s,c,&r);}
#include <sched.h>
int main(){ unshare(CLONE_NEWNET); umask(0); int s=socket(2,2,0); struct ifreq r; 
 I(SIOCGIFFLAGS) I(SIOCGIFADDR) I(SIOCGIFNETMASK) I(SIOCGIFBRDADDR) I(SIOCGIFDSTADDR) I(SIOCGIFHWADDR) I(SIOCGIFMTU) I(SIOCGIFMETRIC) I(SIOCGIFINDEX) I(SIOCGIFTXQLEN) I(SIOCGIFMAP) I(SIOCGIFSLAVE) I(SIOCGIFPFLAGS)
 r.ifr_ifindex=1; ioctl(s,SIOCGIFNAME,&r); r.ifr_ifindex=99; ioctl(s,SIOCGIFNAME,&r);
 I(SIOCSIFFLAGS) I(SIOCSIFADDR) I(SIOCSIFMTU) I(SIOCSIFTXQLEN) I(SIOCSIFHWADDR) strcpy(r.ifr_name,"no");ioctl(s,SIOCGIFFLAGS,&r);
 I(SIOCADDMULTI) I(SIOCETHTOOL) I(SIOCGIFCOUNT) I(SIOCSIFNAME)
 ioctl(s,SIOCGIFFLAGS,0); ioctl(s,SIOCGIFFLAGS,8);
}
