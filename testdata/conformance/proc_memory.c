// options: ; -v; -X raw; -X verbose
// mask: \b[0-9]{3,19}\b: process ids, times and serial numbers
// differs: MAP_???: strace puts the unknown type first
// differs: mmap(NULL, 4096, 0x7: the same with -X
// differs: 0x66: strace 6.1 does not know MADV_GUARD_INSTALL
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/syscall.h>
#include <sys/mman.h>
#include <linux/mempolicy.h>
#include <linux/membarrier.h>
#include <errno.h>
#include <sys/uio.h>
#define S(n,...) syscall(SYS_##n, ##__VA_ARGS__)
int main(){
 umask(0);
 char *p=mmap(0,8192,PROT_READ|PROT_WRITE,MAP_PRIVATE|MAP_ANONYMOUS,-1,0);
 S(mmap,0,4096,0,MAP_SHARED|MAP_FIXED|0x4000000*21|0x40000,-2,0x1000);
 S(mmap,0,4096,0x100,0,7,0);
 S(mmap,0,4096,7,4|0x80000000,7,0);
 S(munmap,p+4096,4096); S(munmap,1,2);
 S(mprotect,p,4096,PROT_READ); S(mprotect,p,4096,0x1000003);S(mprotect,1,4096,0x80);
 S(mremap,p,4096,8192,1); S(mremap,1,2,3,7,5); S(mremap,1,2,3,16);
 S(madvise,p,4096,4); S(madvise,p,4096,777); S(madvise,0,0,102);
 S(mlock,p,10);S(munlock,p,10);S(mlock2,p,4096,1);S(mlock2,p,4096,3);S(mlockall,7);S(mlockall,99);S(munlockall);
 S(msync,p,4096,4);S(msync,p,4096,15);
 unsigned char v[4]; S(mincore,p,4096,v); S(mincore,p,4096,1L); S(mincore,1,4097,v);S(mincore,p,0,v);
 S(remap_file_pages,p,4096,0,3,MAP_NONBLOCK);
 unsigned long nm=1; int pol;
 S(mbind,p,4096,MPOL_BIND,&nm,64,0); S(mbind,p,4096,MPOL_BIND|MPOL_F_STATIC_NODES,&nm,8,7);S(mbind,p,4096,99,0,0,0x10);
 S(set_mempolicy,MPOL_DEFAULT,0,0);S(set_mempolicy,MPOL_PREFERRED,&nm,64);S(set_mempolicy,77,1,64);
 S(get_mempolicy,&pol,&nm,64,0,0);S(get_mempolicy,&pol,0,0,p,3);S(get_mempolicy,0,0,0,0,0x20);
 S(migrate_pages,0,64,&nm,&nm);S(migrate_pages,-5,64,0,1);
 void*pg[2]={p,(void*)1}; int nodes[2]={0,0},st[2]={0,0};
 S(move_pages,0,2L,pg,0,st,0);S(move_pages,0,2L,pg,nodes,st,2);S(move_pages,0,2L,1,1,1,9);
 S(pkey_alloc,0,1);S(pkey_alloc,1,8);S(pkey_free,3);S(pkey_mprotect,p,4096,1,-1);
 S(membarrier,0,0,0);S(membarrier,1,0);S(membarrier,8,1,3);S(membarrier,0x10000,9,3);
 char b[20]="hello world"; struct iovec l={b,11},r={b,5};
 S(process_vm_readv,getpid(),&l,1L,&r,1L,0L);S(process_vm_writev,getpid(),&l,1L,&r,1L,0L);S(process_vm_readv,getpid(),1,1L,0,1L,1L);
 S(process_madvise,-1,&l,1L,4,0);S(process_mrelease,-1,1);
 S(userfaultfd,0x80001);S(userfaultfd,0x10);
 S(brk,0);
 syscall(450,p,4096L,0L,0L);
 return 0;}
