"""Runs one guest under Bochs, the strict second x86: no command line for the kernel, so always through the GRUB image.

Bochs' exit status says nothing (it is 1 in every case); the verdict is the guest's last console line. A triple fault stops
Bochs by `panic: action=fatal` and is recognised in its log.
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import calibrate
import iso
import symbols
from guest import Guest, Outcome, Report, UsageError, exit_word

PROGRAM = "bochs"
MODEL = "corei7_icelake_u"

CONFIGURATION = """\
display_library: term
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
cpu: model={model}, count={count}, ips=4000000, reset_on_triple_fault=0, ignore_bad_msrs=0
memory: guest={mem}, host={mem}
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path="{image}", status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev="{console}"
clock: sync=none, time0=1704067200
port_e9_hack: enabled=1
log: "{log}"
panic: action=fatal
error: action=report
info: action=ignore
debug: action=ignore
"""


def configuration(guest: Guest, scratch: pathlib.Path) -> str:
    megabytes = int(re.sub(r"[Mm]$", "", guest.mem)) if not guest.mem.upper().endswith("G") else int(guest.mem[:-1]) * 1024
    text = CONFIGURATION.format(model=guest.cpu or MODEL, count=guest.smp, mem=megabytes, console=scratch / "console",
                                log=scratch / "log", image=iso.build(guest.kernel, guest.initrd, guest.append))
    return text


def command_line(guest: Guest, scratch: pathlib.Path = pathlib.Path("SCRATCH")) -> list[str]:
    return [PROGRAM, "-q", "-f", str(scratch / "bochsrc"), "-rc", str(scratch / "debugger")]


def classify(console: bytes, log: str) -> tuple[Outcome, str]:
    word = exit_word(console)
    if word is not None:
        return word, "the guest's last line"
    if re.search(r"3rd \(\d+\) exception with no resolution", log):
        return Outcome.TRIPLE_FAULT, "triple fault"
    reason = next((line for line in log.splitlines() if re.search(r">>PANIC<<|\bp\[", line)), "it ended without a verdict")
    return Outcome.ERROR, f"Bochs: {reason.strip()}"


def run(guest: Guest, show: bool = True, log_path: pathlib.Path | None = None) -> Report:
    guest.check()
    if guest.gdb or guest.interactive or guest.extra or guest.faults:
        raise UsageError("gdb, interactive, faults and qemu-arg are for QEMU, not for Bochs")
    if shutil.which(PROGRAM) is None:
        raise UsageError("bochs is not installed (tools/setup.sh installs it)")
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="tollgate-bochs-"))
    command = command_line(guest, scratch)
    (scratch / "bochsrc").write_text(configuration(guest, scratch))
    (scratch / "debugger").write_text("c\n")
    console_path = scratch / "console"
    console_path.write_bytes(b"")
    bound = calibrate.scaled(guest.timeout)
    marks: list[tuple[float, bytes]] = []
    timed_out = False
    try:
        with open(scratch / "screen", "wb") as screen:
            start = time.monotonic()
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=screen, stderr=subprocess.STDOUT,
                                       env={**os.environ, "TERM": "xterm"}, start_new_session=True)
            try:
                timed_out = _follow(process, console_path, marks, start, bound, show)
                if timed_out:
                    _interrogate(process, guest.smp)
            finally:
                if process.poll() is None:
                    process.kill()
                process.wait()
        seconds = time.monotonic() - start
        log = (scratch / "log").read_text(errors="replace") if (scratch / "log").exists() else ""
        said = (scratch / "screen").read_bytes().decode("utf-8", "replace")
        if guest.results:
            guest.results.write_bytes(_results(said))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    console = b"".join(chunk for _, chunk in marks)
    if log_path:
        log_path.write_bytes(console)
    if timed_out:
        outcome, detail = Outcome.TIMEOUT, f"no exit within {bound:.0f} s"
    else:
        outcome, detail = classify(console, log)
    failed = outcome in (Outcome.TRIPLE_FAULT, Outcome.ERROR, Outcome.TIMEOUT)
    return Report(outcome, detail, command, console, seconds, marks[0][0] if marks else None,
                  where(said, guest.kernel) if timed_out else "", "\n".join(log.splitlines()[-60:]) if failed else "", marks)


def _follow(process: subprocess.Popen, path: pathlib.Path, marks: list, start: float, bound: float, show: bool) -> bool:
    """Copies the console file as it grows until Bochs ends (False) or outlives its bound (True)."""
    with open(path, "rb") as stream:
        while True:
            ended = process.poll() is not None
            chunk = stream.read()
            if chunk:
                marks.append((time.monotonic() - start, chunk))
                if show:
                    sys.stdout.buffer.write(chunk)
                    sys.stdout.buffer.flush()
            if ended:
                return False
            if time.monotonic() - start > bound:
                return True
            time.sleep(0.02)


def _results(screen: str) -> bytes:
    """The JSON document among what Bochs wrote to its terminal (port 0xe9 goes to the same place)."""
    begin, end = re.search(r'\{\s*"context"', screen), screen.rfind("}")
    return screen[begin.start():end + 1].encode() if begin and begin.start() < end else b""


def _interrogate(process: subprocess.Popen, cpus: int) -> None:
    """Stops a hanging guest in Bochs' debugger and has it print every CPU's registers to the screen file."""
    process.send_signal(signal.SIGINT)
    questions = "".join(f"set $cpu={number}\nr\n" for number in range(cpus)) + "q\n"
    try:
        process.communicate(questions.encode(), timeout=10)
    except (subprocess.TimeoutExpired, OSError):
        pass  # run() kills it


def where(screen: str, kernel: pathlib.Path) -> str:
    """The debugger's register dump, and where each CPU is."""
    dump = re.findall(r"^(?:CPU\d+:|r\w+ ?: [0-9a-f]{8}_[0-9a-f]{8}|eflags .*)$", screen, re.MULTILINE)
    places = []
    for number, (high, low) in enumerate(re.findall(r"^rip: ([0-9a-f]{8})_([0-9a-f]{8})$", screen, re.MULTILINE)):
        address = int(high + low, 16)
        places.append(f"CPU {number}: rip {address:#x} {symbols.name_of(address, kernel) or '(not in the kernel image)'}")
    return "\n".join(dump + places)


def version() -> str:
    answer = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "bochs"], capture_output=True, text=True)
    return answer.stdout.strip() or "n/a"
