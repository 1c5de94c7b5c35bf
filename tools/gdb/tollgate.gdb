# gdb's side of "run-qemu.sh --gdb": connects to the waiting guest and loads the symbols of the kernel and of the program it
# will run. Start it in the project's root with: gdb -nx -q -x .gdbinit

set pagination off
set confirm off
set architecture i386:x86-64
set print asm-demangle on
# A breakpoint set before the guest has paging on must be a hardware one; the kernel's text is read-only to the stub besides.
set breakpoint auto-hw on

set $tg_port = 1234
python
import os

tollgate_kernel = "build/kernel/tollgate.elf"
tollgate_program = None
if os.path.exists("build/gdb-session.gdb"):
    gdb.execute("source build/gdb-session.gdb")
if os.environ.get("TOLLGATE_GDB_PORT"):
    gdb.execute("set $tg_port = " + str(int(os.environ["TOLLGATE_GDB_PORT"])))
if os.environ.get("TOLLGATE_GDB_KERNEL"):
    tollgate_kernel = os.environ["TOLLGATE_GDB_KERNEL"]
    tollgate_program = None


class TollgateProgram(gdb.Command):
    """tg-program FILE [BASE]: load the symbols of a user program; BASE is where a position-independent one was loaded."""

    def __init__(self):
        super().__init__("tg-program", gdb.COMMAND_FILES, gdb.COMPLETE_FILENAME)

    def invoke(self, argument, from_tty):
        words = gdb.string_to_argv(argument)
        if not words:
            raise gdb.GdbError("tg-program FILE [BASE]")
        with open(words[0], "rb") as stream:
            header = stream.read(18)
        if header[:4] != b"\x7fELF":
            raise gdb.GdbError(words[0] + " is no ELF file")
        position_independent = int.from_bytes(header[16:18], "little") == 3
        base = int(gdb.parse_and_eval(words[1])) if len(words) > 1 else 0
        if position_independent and not base:
            print(words[0] + " is position-independent: once it runs, type tg-program " + words[0] + " BASE")
            return
        offset = " -o " + hex(base) if base else ""
        gdb.execute("add-symbol-file " + words[0] + offset, to_string=True)
        print("symbols of " + words[0] + " loaded")


class TollgateConnect(gdb.Command):
    """tg-connect: connect to the guest that run-qemu.sh --gdb started."""

    def __init__(self):
        super().__init__("tg-connect", gdb.COMMAND_RUNNING)

    def invoke(self, argument, from_tty):
        gdb.execute("target remote 127.0.0.1:" + str(int(gdb.parse_and_eval("$tg_port"))))


class TollgateWhere(gdb.Command):
    """tg-where: what every CPU is doing: ring, instruction pointer, function."""

    def __init__(self):
        super().__init__("tg-where", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        chosen = gdb.selected_thread()
        for thread in sorted(gdb.selected_inferior().threads(), key=lambda t: t.num):
            thread.switch()
            rip = int(gdb.parse_and_eval("(unsigned long)$rip"))
            ring = int(gdb.parse_and_eval("$cs")) & 3
            place = gdb.execute("info symbol " + hex(rip), to_string=True).strip().split(" in section")[0]
            print("CPU %d: ring %d, rip %#x, %s" % (thread.num - 1, ring, rip, place))
        if chosen is not None:
            chosen.switch()


class TollgateBoot(gdb.Command):
    """tg-boot: run to kernel_main()."""

    def __init__(self):
        super().__init__("tg-boot", gdb.COMMAND_RUNNING)

    def invoke(self, argument, from_tty):
        gdb.execute("thbreak kernel_main")
        gdb.execute("continue")


TollgateProgram()
TollgateConnect()
TollgateWhere()
TollgateBoot()

if os.path.exists(tollgate_kernel):
    gdb.execute("file " + tollgate_kernel)
    if tollgate_program:
        gdb.execute("tg-program " + tollgate_program)
    try:
        gdb.execute("tg-connect")
    except gdb.error as error:
        print("not connected (" + str(error) + "): start ./run-qemu.sh --gdb, then type tg-connect")
    print("commands: tg-boot tg-where tg-program tg-connect")
else:
    print(tollgate_kernel + " is not built yet")
end
