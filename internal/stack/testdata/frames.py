# Commands for gdb that print what a comparison needs, one thing a line.
import gdb


class Registers(gdb.Command):
    """registers: name and value of the selected thread's registers."""

    def __init__(self):
        super().__init__("registers", gdb.COMMAND_STATUS)

    def invoke(self, arg, from_tty):
        frame = gdb.newest_frame()
        print("pid %d" % gdb.selected_inferior().pid)
        for name in ("rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip").split():
            print("reg %s 0x%x" % (name, int(frame.read_register(name)) & (1 << 64) - 1))


class Frames(gdb.Command):
    """frames: address, kind and name of the selected thread's frames, innermost first."""

    def __init__(self):
        super().__init__("frames", gdb.COMMAND_STATUS)

    def invoke(self, arg, from_tty):
        frame = gdb.newest_frame()
        for _ in range(256):
            if frame is None or not frame.is_valid():
                break
            kind = {gdb.INLINE_FRAME: "inline", gdb.SIGTRAMP_FRAME: "signal"}.get(frame.type(), "normal")
            if frame.type() != gdb.TAILCALL_FRAME:  # deduced by gdb, not on the stack any more
                print("frame 0x%x %s %s" % (frame.pc(), kind, frame.name() or "??"))
            try:
                frame = frame.older()
            except gdb.error:
                break


Registers()
Frames()
