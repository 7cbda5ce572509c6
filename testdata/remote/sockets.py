# Uses sockets in many ways and prints what comes of it: the same on a host itself and through the proxy, so ports are not shown.
import array, errno, os, select, signal, socket, struct, sys, threading, time

def show(name, f):
    try: print(name, f())
    except OSError as e: print(name, errno.errorcode.get(e.errno, e))
    sys.stdout.flush()

def tcp(family=socket.AF_INET): return socket.socket(family, socket.SOCK_STREAM)
def udp(family=socket.AF_INET): return socket.socket(family, socket.SOCK_DGRAM)
def listener(addr=("127.0.0.1", 0), backlog=5):
    s = tcp(socket.AF_INET6 if ":" in addr[0] else socket.AF_INET); s.setsockopt(1, socket.SO_REUSEADDR, 1); s.bind(addr); s.listen(backlog); return s
def events(s, want, ms):
    p = select.poll(); p.register(s, want); return [e for _, e in p.poll(ms)]
def unused():
    s = tcp(); s.bind(("127.0.0.1", 0)); port = s.getsockname()[1]; s.close(); return port

# Names before anything has happened.
s = tcp()
show("fresh", lambda: (s.getsockname(), s.family, s.type, s.proto))
show("fresh peer", lambda: s.getpeername())
show("fresh accept", lambda: s.accept())
show("fresh error", lambda: s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
show("raw", lambda: socket.socket(socket.AF_INET, 9, 0))
show("protocol", lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_UDP))

# A server and a client.
l = listener()
port = l.getsockname()[1]
show("bound", lambda: (l.getsockname()[0], port > 0, l.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)))
show("not ready", lambda: events(l, select.POLLIN, 0))
c = socket.create_connection(("127.0.0.1", port))
show("ready", lambda: events(l, select.POLLIN, 5000))
a, who = l.accept()
show("names", lambda: (who == c.getsockname(), a.getpeername() == who, a.getsockname() == c.getpeername() == ("127.0.0.1", port)))
c.sendall(b"hello"); show("hello", lambda: a.recv(9))
a.sendall(b"back"); show("recvfrom", lambda: c.recvfrom(9))
show("again", lambda: c.connect(("127.0.0.1", port)))
show("listen after connect", lambda: c.listen())
show("bind after", lambda: c.bind(("127.0.0.1", 0)))
show("sendto", lambda: c.sendto(b"ignored", ("127.0.0.1", 1)))
show("sendto came", lambda: a.recv(20))
c.shutdown(socket.SHUT_WR); show("eof", lambda: a.recv(9))
a.sendall(b"x" * 100000); a.close()
got = b""
while True:
    b = c.recv(65536)
    if not b: break
    got += b
show("half closed", lambda: len(got))
c.close()

# Without waiting.
c = tcp(); c.setblocking(False)
show("connect_ex", lambda: errno.errorcode[c.connect_ex(("127.0.0.1", port))])
show("writable", lambda: events(c, select.POLLOUT, 5000) == [select.POLLOUT])
show("error", lambda: c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
show("connected", lambda: c.getpeername()[1] == port)
l.setblocking(False); events(l, select.POLLIN, 5000)
a, _ = l.accept()
show("nothing to accept", lambda: l.accept())
show("nothing to read", lambda: c.recv(1)); l.setblocking(True)
a.close(); show("closed", lambda: (events(c, select.POLLIN, 5000), c.recv(1))); c.close()
c = tcp(); c.setblocking(False)
show("refused_ex", lambda: errno.errorcode[c.connect_ex(("127.0.0.1", unused()))])
show("refused poll", lambda: bool(events(c, select.POLLOUT, 5000)[0] & select.POLLERR))
show("refused error", lambda: errno.errorcode[c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)])
show("refused error once", lambda: c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)); c.close()
show("refused", lambda: tcp().connect(("127.0.0.1", unused())))
c = tcp(); c.connect_ex(("127.0.0.1", unused())); show("after refusal", lambda: c.connect(("127.0.0.1", port))); l.accept()[0].close(); c.close()

# An epoll that knew the socket before it was connected.
e = select.epoll(); c = tcp(); c.setblocking(False); e.register(c, select.EPOLLOUT | select.EPOLLET)
c.connect_ex(("127.0.0.1", port))
show("epoll", lambda: [bool(ev & select.EPOLLOUT) for _, ev in e.poll(5)])
a, _ = l.accept(); a.sendall(b"through"); show("epoll data", lambda: (c.setblocking(True), c.recv(9)))
a.close(); c.close()

# dup, fork and a process that accepts for another.
pid = os.fork()
if pid == 0:
    a, _ = l.accept(); a.sendall(b"child " + a.recv(9)); os._exit(0)
c = socket.create_connection(("127.0.0.1", port)); d = c.dup(); c.close(); d.sendall(b"dup"); show("child", lambda: d.recv(99)); os.waitpid(pid, 0); d.close()
x, y = socket.socketpair(); c = socket.create_connection(("127.0.0.1", port)); a, _ = l.accept()
socket.send_fds(x, [b"fd"], [c.fileno()]); c.close()
fd = socket.recv_fds(y, 9, 1)[1][0]; p = socket.socket(fileno=fd); p.sendall(b"passed"); show("passed", lambda: (a.recv(9), p.getpeername()[1] == port)); p.close(); a.close()

# Options.
s = tcp()
show("reuse", lambda: (s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1), s.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)))
show("nodelay", lambda: (s.getsockopt(6, socket.TCP_NODELAY), s.setsockopt(6, socket.TCP_NODELAY, 1), s.getsockopt(6, socket.TCP_NODELAY) != 0))
show("keepalive", lambda: (s.setsockopt(6, socket.TCP_KEEPIDLE, 77), s.getsockopt(6, socket.TCP_KEEPIDLE)))
show("linger", lambda: (s.setsockopt(1, socket.SO_LINGER, struct.pack("ii", 1, 3)), s.getsockopt(1, socket.SO_LINGER, 8)))
show("type", lambda: [s.getsockopt(1, o) for o in (socket.SO_TYPE, socket.SO_DOMAIN, socket.SO_PROTOCOL, socket.SO_ACCEPTCONN)])
show("no such option", lambda: s.getsockopt(6, 9999))
show("bad value", lambda: s.setsockopt(6, socket.TCP_KEEPIDLE, -1))
s.setsockopt(1, socket.SO_RCVTIMEO, struct.pack("ll", 0, 50000)); s.connect(("127.0.0.1", port)); a, _ = l.accept()
show("timeout", lambda: s.recv(1)); s.close(); a.close()
c = socket.create_connection(("127.0.0.1", port)); show("tcp_info", lambda: c.getsockopt(6, socket.TCP_INFO, 1)); c.close(); l.accept()[0].close()

# Addresses that are in use, and are not after all.
show("in use", lambda: tcp().bind(("127.0.0.1", port)))
l.close()
show("closed port", lambda: socket.create_connection(("127.0.0.1", port)))
s = tcp(); s.setsockopt(1, socket.SO_REUSEADDR, 1)
show("bound again", lambda: (s.bind(("127.0.0.1", port)), s.listen(), s.getsockname()[1] == port)); s.close()
show("no such address", lambda: tcp().bind(("192.0.2.77", 0)))
show("unbound v6", lambda: tcp(socket.AF_INET6).getsockname())
c = tcp(); c.bind(("127.0.0.1", 0)); mine = c.getsockname()[1]; l = listener(); c.connect(l.getsockname()); show("connect from a port", lambda: l.accept()[1][1] == mine); c.close()
s = tcp(); s.listen(); show("listen without bind", lambda: (s.getsockname()[0], s.getsockname()[1] > 0)); s.close()

# IPv6.
l6 = listener(("::1", 0)); c = socket.create_connection(("::1", l6.getsockname()[1])); a, who = l6.accept(); show("v6", lambda: (who[0], who[2:], c.getpeername()[0])); c.close(); a.close(); l6.close()
s = tcp(socket.AF_INET6); s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0); s.bind(("::", 0)); s.listen()
c = socket.create_connection(("127.0.0.1", s.getsockname()[1])); show("both", lambda: s.accept()[1][0]); c.close(); s.close()

# Datagrams.
u = udp(); u.bind(("127.0.0.1", 0)); at = u.getsockname()
v = udp(); w = udp()
show("unbound", lambda: v.getsockname())
v.sendto(b"from v", at); d, fv = u.recvfrom(99); w.sendto(b"from w", at); d2, fw = u.recvfrom(99)
show("who", lambda: (d, d2, fv != fw, fv[0], fv[1] == v.getsockname()[1], v.getsockname()[0]))
u.sendto(b"to w", fw); u.sendto(b"to v", fv)
show("answers", lambda: (v.recvfrom(9) == (b"to v", at), w.recvfrom(9) == (b"to w", at)))
show("empty", lambda: (v.sendto(b"", at), u.recvfrom(9)[0]))
show("truncated", lambda: (v.sendto(b"0123456789", at), u.recvmsg(4)[0::2]))
show("whole length", lambda: (v.sendto(b"0123456789", at), u.recvfrom_into(bytearray(4), 4, socket.MSG_TRUNC)[0]))
show("peek", lambda: (v.sendto(b"peek", at), u.recv(9, socket.MSG_PEEK), u.recv(9)))
show("no peer", lambda: v.send(b"x"))
show("no peer name", lambda: v.getpeername())
v.connect(at); show("connected", lambda: (v.getpeername() == at, v.getsockname()[0], v.send(b"one"), u.recv(9)))
u.sendto(b"x", v.getsockname()); show("read and write", lambda: (os.read(v.fileno(), 9), os.write(v.fileno(), b"written"), u.recv(9)))
show("writev", lambda: (os.writev(v.fileno(), [b"a", b"b"]), u.recv(9)))
show("sendmsg", lambda: (v.sendmsg([b"c", b"d"]), u.recvmsg(9)[0]))
w.sendto(b"stranger", v.getsockname()); show("only the peer", lambda: v.recv(9, socket.MSG_DONTWAIT))
show("ready", lambda: (events(u, select.POLLIN, 0), v.send(b"!"), events(u, select.POLLIN, 5000), u.recv(9)))
show("large", lambda: (v.send(b"x" * 60000), len(u.recv(65536))))
show("too large", lambda: v.send(b"x" * 65508))
u.settimeout(0.05); show("udp timeout", lambda: u.recv(9))
u.settimeout(None); u.setblocking(False); show("udp nothing", lambda: u.recv(9))
q = udp(); q.connect(("127.0.0.1", unused())); q.send(b"x"); show("nobody", lambda: (events(q, select.POLLIN, 5000) != [], q.recv(9)))
v.close(); u.close()

# A signal while a call waits.
class Alarm(Exception): pass
def ring(*_): raise Alarm
signal.signal(signal.SIGALRM, ring)
def interrupted(f):
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try: f()
    except Alarm: return "interrupted"
show("accept", lambda: interrupted(l.accept))
x = udp(); x.bind(("127.0.0.1", 0)); show("recvfrom", lambda: interrupted(lambda: x.recvfrom(9)))

# Many at a time.
l = listener(backlog=100)
def serve():
    for _ in range(50):
        a, _ = l.accept(); threading.Thread(target=lambda a: (a.sendall(a.recv(9).upper()), a.close()), args=(a,)).start()
t = threading.Thread(target=serve); t.start()
results = []
def ask(i):
    c = socket.create_connection(l.getsockname()); c.sendall(b"n%d" % i); results.append(c.recv(9)); c.close()
ts = [threading.Thread(target=ask, args=(i,)) for i in range(50)]
for i in ts: i.start()
for i in ts: i.join()
t.join()
show("many", lambda: sorted(results) == sorted(b"N%d" % i for i in range(50)))

# Unix sockets by path.
os.chdir("/tmp"); name = "/tmp/sock%d" % os.getpid()
s = socket.socket(socket.AF_UNIX); show("unix bind", lambda: (s.bind(name), s.listen(), s.getsockname() == name, os.path.exists(name)))
c = socket.socket(socket.AF_UNIX); show("unix connect", lambda: (c.connect(name), c.getpeername() == name, c.getsockname()))
a, who = s.accept(); show("unix accept", lambda: (who, c.sendall(b"u"), a.recv(9)))
show("unix again", lambda: socket.socket(socket.AF_UNIX).bind(name))
c2 = socket.socket(socket.AF_UNIX); show("unix relative", lambda: c2.connect(os.path.basename(name)))
for o in a, c, c2, s: o.close()
show("unix closed", lambda: socket.socket(socket.AF_UNIX).connect(name))
os.unlink(name); show("unix gone", lambda: socket.socket(socket.AF_UNIX).connect(name))
