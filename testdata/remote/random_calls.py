# Makes random system calls on files and prints what came of each: run on two sides, the same has to come of them.
# Usage: random_calls.py DIRECTORY FIRST-SEED PROGRAMS CALLS
import os, random, stat, sys

top, first, programs, calls = sys.argv[1], *map(int, sys.argv[2:])
names = ["a", "b", "c", "d", "d/a", "d/b", "d/e", "d/e/f", "l", "../x", "./a", "d/../b", "d/", "a/", "l/a", ".", "..", "d//e", "nowhere/x", ""]
flags = [os.O_RDONLY, os.O_WRONLY, os.O_RDWR]
extra = [0, 0, os.O_CREAT, os.O_CREAT, os.O_CREAT | os.O_EXCL, os.O_TRUNC, os.O_APPEND, os.O_CREAT | os.O_TRUNC, os.O_DIRECTORY, os.O_NOFOLLOW, os.O_PATH, os.O_CREAT | os.O_APPEND, os.O_NONBLOCK]

def what(st):
    kind = stat.S_IFMT(st.st_mode)
    size = st.st_size if kind != stat.S_IFDIR else 0
    return (oct(st.st_mode), st.st_nlink if kind != stat.S_IFDIR else 0, size, st.st_uid, st.st_gid)

def run(seed):
    r = random.Random(seed)
    base = os.path.join(top, str(seed))
    os.mkdir(base)
    os.chdir(base)
    os.umask(0o22)
    fds = []  # (descriptor, is it one of a directory)
    name = lambda: r.choice(names)
    fd = lambda: r.choice(fds) if fds else 77
    def opened(n):
        fds.append(n)
        return "fd"
    def below(n):  # of directories only those from which names stay within the top
        return n if not stat.S_ISDIR(os.fstat(n).st_mode) or os.readlink("/proc/self/fd/%d" % n).startswith(base) else 77
    def data():
        return bytes([r.randrange(97, 123)]) * r.choice([0, 1, 3, 100, 5000])
    def close():
        if fds:
            os.close(fds.pop(r.randrange(len(fds))))
    def listing(where):
        return sorted(os.listdir(where))
    def relative():
        return os.path.relpath(os.getcwd(), base)
    def dirfd(f):
        n = os.open(r.choice([".", "d", ".."]), os.O_RDONLY | os.O_DIRECTORY)
        try:
            return f(n)
        finally:
            os.close(n)
    def times(p, **kw):
        os.utime(p, ns=(r.randrange(10**18), r.randrange(10**18)), **kw)
        return os.stat(p, **kw).st_mtime_ns
    ops = [
        lambda: opened(os.open(name(), r.choice(flags) | r.choice(extra), r.choice([0o600, 0o666, 0o777]))),
        lambda: opened(os.open(name(), r.choice(flags) | r.choice(extra) | r.choice(extra), 0o644)),
        lambda: os.write(fd(), data()), lambda: os.write(fd(), data()), lambda: os.read(fd(), r.choice([0, 1, 50, 6000])),
        lambda: os.pwrite(fd(), data(), r.choice([0, 7, 9000])), lambda: os.pread(fd(), r.choice([1, 6000]), r.choice([0, 3, 5000])),
        lambda: os.lseek(fd(), r.choice([0, 1, 100, -1]), r.choice([os.SEEK_SET, os.SEEK_CUR, os.SEEK_END])),
        lambda: os.writev(fd(), [data(), data()]), lambda: [bytes(b) for b in (lambda v: (os.readv(fd(), v), v)[1])([bytearray(3), bytearray(40)])],
        lambda: os.ftruncate(fd(), r.choice([0, 5, 10000])), lambda: os.truncate(name(), r.choice([0, 5, 10000])),
        lambda: what(os.fstat(fd())), lambda: what(os.stat(name())), lambda: what(os.lstat(name())), lambda: what(os.stat(name())),
        lambda: dirfd(lambda n: what(os.stat(name(), dir_fd=n, follow_symlinks=r.random() < .5))),
        lambda: dirfd(lambda n: opened(os.open(name(), os.O_RDONLY, dir_fd=n))),
        lambda: os.mkdir(name(), 0o777), lambda: os.mkdir(name(), 0o700), lambda: os.rmdir(name()), lambda: os.unlink(name()),
        lambda: os.rename(name(), name()), lambda: os.link(name(), name()), lambda: os.symlink(r.choice(["a", "d", "nowhere", "../x", "l"]), name()),
        lambda: os.readlink(name()), lambda: listing(name() or "."), lambda: listing("."), lambda: os.access(name(), r.choice([os.F_OK, os.R_OK, os.W_OK, os.X_OK])),
        lambda: (os.chdir(r.choice(["d", "d/e", "l", ".", "a", "nowhere", ""])), relative()), lambda: (os.fchdir(below(fd())), relative()), lambda: relative(), lambda: (os.chdir(base), relative()),
        lambda: os.chmod(name(), r.choice([0o600, 0o755, 0o4711])), lambda: os.fchmod(fd(), r.choice([0o600, 0o644])), lambda: os.chown(name(), 5, 6),
        lambda: times(name()), lambda: times(fd()), lambda: times(name(), follow_symlinks=False),
        lambda: opened(os.dup(fd())), close, close, lambda: os.fsync(fd()), lambda: os.posix_fallocate(fd(), 0, r.choice([1, 4000])),
        lambda: os.sendfile(fd(), fd(), r.choice([None, 0, 2]), 100), lambda: os.copy_file_range(fd(), fd(), 50),
        lambda: os.setxattr(name(), "user.k", data()[:50]), lambda: os.getxattr(name(), "user.k"), lambda: os.listxattr(name()),
        lambda: os.listxattr(fd()), lambda: os.removexattr(name(), "user.k"), lambda: os.umask(r.choice([0, 0o22, 0o77])),
        lambda: os.statvfs(name()).f_namemax, lambda: os.set_inheritable(fd(), True), lambda: os.get_blocking(fd()),
        lambda: os.path.realpath(name()).replace(base, "BASE"),
    ]
    for i in range(calls):
        k = r.randrange(len(ops))
        try:
            out = ops[k]()
        except OSError as e:
            out = e.strerror
        except ValueError as e:
            out = "ValueError"
        print(seed, i, k, out if not isinstance(out, bytes) else (len(out), out[:20]))
    for n in fds:
        try:
            os.close(n)
        except OSError:
            pass
    os.chdir(top)

for seed in range(first, first + programs):
    run(seed)
