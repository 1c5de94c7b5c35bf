"""Runs one guest under QEMU: builds the command line, tees the console, bounds the run, and classifies its end.

A run that outlives its bound is asked, over QMP, where it hangs, before its process (and no other) is killed.
"""

import os
import pathlib
import selectors
import shutil
import subprocess
import sys
import tempfile
import time

import calibrate
import iso
import qmp
import symbols
from guest import QEMU_STATUS, ROOT, Guest, Outcome, Report, UsageError, exit_word, shown

ICOUNT = ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-rtc", "base=2024-01-01,clock=vm", "-seed", "1"]
ACCELERATOR = {"tcg": ["-accel", "tcg"], "kvm": ["-accel", "kvm"], "icount": ICOUNT}
PROGRAM = "qemu-system-x86_64"


def command_line(guest: Guest, control: str = "") -> list[str]:
    """The complete QEMU command line, to be run in the project's root; `control` is the path of the QMP socket, if one is wanted."""
    machine = "microvm,auto-kernel-cmdline=off" if guest.machine == "microvm" else guest.machine
    args = [PROGRAM, "-machine", machine, *ACCELERATOR[guest.accel], "-cpu", guest.cpu or "max", "-m", guest.mem,
            "-smp", str(guest.smp), "-no-reboot", "-nodefaults", "-display", "none",
            "-chardev", "stdio,id=console,signal=off" + (",mux=on" if guest.interactive else ""), "-serial", "chardev:console",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]
    if guest.interactive:
        args += ["-mon", "chardev=console,mode=readline"]  # Ctrl-A c; Ctrl-A x ends QEMU
    if guest.results:
        args += ["-chardev", f"file,id=results,path={shown(guest.results)}", "-device", "isa-debugcon,iobase=0xe9,chardev=results"]
    if control:
        args += ["-chardev", f"socket,id=control,path={control},server=on,wait=off", "-mon", "chardev=control,mode=control"]
    if guest.boot == "iso":
        args += ["-cdrom", shown(iso.build(guest.kernel, guest.initrd, guest.append)), "-boot", "d"]
    else:
        args += ["-kernel", shown(guest.kernel)]
        if guest.initrd:
            args += ["-initrd", shown(guest.initrd)]
        if guest.append:
            args += ["-append", guest.append]
    if guest.faults:
        args += ["-d", "int,cpu_reset", "-D", shown(guest.faults)]
    if guest.gdb:
        args += ["-gdb", f"tcp:127.0.0.1:{guest.gdb}", "-S"]
    return args + guest.extra


def classify(status: int, log: bytes, stderr: str) -> tuple[Outcome, str]:
    """Outcome and reason of a run that ended by itself, from QEMU's exit status and the guest's last line."""
    word = exit_word(log)
    outcome = QEMU_STATUS.get(status)
    if outcome is None:
        last = stderr.strip().splitlines()[-1:] or ["no message"]
        return Outcome.ERROR, f"QEMU ended with status {status}: {last[0]}"
    if outcome is Outcome.TRIPLE_FAULT:
        return outcome, "triple fault or reset (QEMU status 0); --faults FILE records the exceptions before it"
    if word is not None and word is not outcome:
        return Outcome.ERROR, f"the guest printed '{word.label}' but left through status {status} ('{outcome.label}')"
    return outcome, f"QEMU status {status}"


class _Console:
    """Collects what the guest prints, and shows it."""

    def __init__(self, show: bool, log_path: pathlib.Path | None):
        self.data = bytearray()
        self.marks: list[tuple[float, bytes]] = []
        self.show = show
        self.file = open(log_path, "wb", buffering=0) if log_path else None

    def feed(self, when: float, chunk: bytes) -> None:
        self.data += chunk
        self.marks.append((when, chunk))
        if self.file:
            self.file.write(chunk)
        if self.show:
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()

    def close(self) -> None:
        if self.file:
            self.file.close()


def _hang_report(control: str, kernel: pathlib.Path) -> str:
    try:
        with qmp.Client(control) as monitor:
            monitor.command("stop")
            registers = monitor.human("info registers -a")
    except (OSError, qmp.Error) as error:
        return f"(the monitor did not answer: {error})"
    return symbols.annotate(registers, kernel)


def run(guest: Guest, show: bool = True, log_path: pathlib.Path | None = None) -> Report:
    guest.check()
    if shutil.which(PROGRAM) is None:
        raise UsageError(f"{PROGRAM} is not installed (tools/setup.sh installs it)")
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="tollgate-"))
    control = str(scratch / "qmp")
    if guest.results:
        guest.results.write_bytes(b"")
    command = command_line(guest, control)
    bound = None if guest.gdb or guest.interactive else calibrate.scaled(guest.timeout)
    console = _Console(show, log_path)
    stderr_path = scratch / "stderr"
    try:
        with open(stderr_path, "wb") as stderr_file:
            start = time.monotonic()
            process = subprocess.Popen(command, cwd=ROOT, stdin=None if guest.interactive else subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=stderr_file)
            try:
                verdict = _pump(process, console, start, bound, stderr_path)
                hang = ""
                if verdict is not None:
                    hang = _hang_report(control, guest.kernel)
                    process.kill()
                process.wait()
                _drain(process, console, start)
            except BaseException:
                process.kill()
                process.wait()
                raise
        seconds = time.monotonic() - start
        stderr = stderr_path.read_text(errors="replace")
    finally:
        console.close()
        shutil.rmtree(scratch, ignore_errors=True)
    outcome, detail = verdict or classify(process.returncode, bytes(console.data), stderr)
    return Report(outcome, detail, command_line(guest), bytes(console.data), seconds,
                  console.marks[0][0] if console.marks else None, hang, stderr, console.marks)


def _pump(process: subprocess.Popen, console: _Console, start: float, bound: float | None,
          stderr_path: pathlib.Path) -> tuple[Outcome, str] | None:
    """Moves console bytes until QEMU ends (None) or must be ended (why)."""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            now = time.monotonic() - start
            if bound is not None and now > bound:
                return Outcome.TIMEOUT, f"no exit within {bound:.0f} s"
            if not selector.select(timeout=0.5):
                if process.poll() is not None:
                    return None
                if "KVM internal error" in stderr_path.read_text(errors="replace"):
                    return Outcome.ERROR, "KVM internal error (QEMU stops the guest but does not exit)"
                continue
            chunk = os.read(process.stdout.fileno(), 65536)
            if not chunk:
                return None
            console.feed(time.monotonic() - start, chunk)


def _drain(process: subprocess.Popen, console: _Console, start: float) -> None:
    while chunk := os.read(process.stdout.fileno(), 65536):
        console.feed(time.monotonic() - start, chunk)
    process.stdout.close()


def version() -> str:
    try:
        answer = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, timeout=20)
        return answer.stdout.splitlines()[0].removeprefix("QEMU emulator version ")
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return "n/a"
