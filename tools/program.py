#!/usr/bin/env python3
"""Runs one program of this host in a guest: packs it with its libraries, boots, and passes input, output and exit status through.

    ./run-qemu.sh [--files DIR[:PATH]]... [--package NAME]... [--env NAME=VALUE]... --program PATH [ARGUMENT]...

When input and output both are a terminal, the program gets the guest's. Otherwise standard input is read to its end and packed, and
output and errors come back over ports of their own, byte for byte. The program runs as root in /work, where --files puts its contents.
Exit status: the program's; 128 + N if signal N ended it; 126 or 127 if it could not be started; 125 if the guest itself failed;
64 wrong usage, 1 it cannot be packed.
"""

import argparse
import errno
import os
import pathlib
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time
import tty
from dataclasses import dataclass, field

import accel
import calibrate
import qemu
import vm
from guest import BUILD, EXIT_LINE, QEMU_STATUS, ROOT, Guest, Outcome, UsageError
from pack import Image, PackError, read_file

KERNEL = BUILD / "kernel" / "tollgate.elf"
RUNNER = BUILD / "userland" / "bin" / "run"
WORK = "work"
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8",
               "TERM": "linux", "USER": "root", "LOGNAME": "root", "SHELL": "/bin/sh", "PWD": f"/{WORK}"}
PORTS = {"verdict": 0xe9, "output": 0xea, "errors": 0xeb}
MEGABYTE = 1 << 20
GUEST_FAILED, CANNOT_PACK, USAGE = 125, 1, 64
SUFFIXES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@dataclass
class Program:
    """What is to be run; paths are this host's."""

    arguments: list[str]  # the program itself first
    files: list[tuple[pathlib.Path, str]] = field(default_factory=list)  # (folder, path in the guest)
    packages: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    programs: list[str] = field(default_factory=list)  # further ones that it starts


@dataclass
class Ended:
    """How a run ended: the exit status that a shell would show, or why there is none."""

    status: int | None
    detail: str
    output: bytes = b""
    errors: bytes = b""
    console: bytes = b""


def locate(name: str) -> str:
    """The absolute path of a program, named as to a shell."""
    found = os.path.abspath(name) if "/" in name else shutil.which(name, path=ENVIRONMENT["PATH"])
    if found is None or not os.path.exists(found):
        raise PackError(f"{name}: no such program")
    return found


def image(program: Program, standard_input: bytes | None) -> bytes:
    contents = Image()
    contents.standard_files()
    contents.folder(WORK)
    environment = ENVIRONMENT | program.environment
    contents.library_path = tuple(f for f in environment.get("LD_LIBRARY_PATH", "").split(":") if f)
    path = locate(program.arguments[0])
    for wanted in (path, *map(locate, program.programs)):
        contents.program(wanted, environment["PATH"])
    for library in environment.get("LD_PRELOAD", "").replace(":", " ").split():
        contents.library(library)
    for package in program.packages:
        contents.package(package)
    for folder, to in program.files:
        contents.tree(folder, to)
    contents.file("run/program/init", read_file(str(RUNNER)), 0o755)
    words = (path, program.arguments[0], *program.arguments[1:])
    contents.file("run/program/arguments", b"".join(os.fsencode(word) + b"\0" for word in words))
    contents.file("run/program/environment", b"".join(os.fsencode(f"{k}={v}") + b"\0" for k, v in environment.items()))
    if standard_input is not None:
        contents.file("run/program/input", standard_input)
    return contents.archive()


def memory_for(archive: bytes, wanted: str | None) -> str:
    """The archive twice (unpacked files may be copies) and 128 MiB for the program, unless it is said how much."""
    return wanted or f"{(2 * len(archive) + MEGABYTE - 1) // MEGABYTE + 128}M"


class _Ports:
    """The pipes through which QEMU hands over what the guest writes to its debug ports."""

    def __init__(self) -> None:
        self.ends = {name: os.pipe() for name in PORTS}

    def arguments(self) -> list[str]:
        found = []
        for name, (_, write_end) in self.ends.items():
            found += ["-chardev", f"file,id={name},path=/dev/fd/{write_end}",
                      "-device", f"isa-debugcon,iobase={PORTS[name]:#x},chardev={name}"]
        return found

    def write_ends(self) -> list[int]:
        return [write_end for _, write_end in self.ends.values()]

    def close_write_ends(self) -> None:
        for _, write_end in self.ends.values():
            os.close(write_end)

    def close_read_ends(self) -> None:
        for read_end, _ in self.ends.values():
            os.close(read_end)


class _RawTerminal:
    """Hands every key of our terminal to the guest's, which edits and echoes itself; Ctrl-A x still ends QEMU."""

    def __enter__(self):
        self.old = termios.tcgetattr(0)
        tty.setraw(0)
        mode = termios.tcgetattr(0)
        mode[1] &= ~termios.ONLCR  # QEMU turns output processing on again
        termios.tcsetattr(0, termios.TCSANOW, mode)
        return self

    def __exit__(self, *_):
        termios.tcsetattr(0, termios.TCSADRAIN, self.old)


class _Screen:
    """Shows the guest's terminal but for the kernel's last line, which is for the tools."""

    LAST = b"\r\n" + EXIT_LINE.encode()

    def __init__(self, out) -> None:
        self.out, self.held = out, b""

    def write(self, chunk: bytes) -> None:
        data = self.held + chunk
        at = data.find(self.LAST)
        if at < 0:  # what may be its beginning waits for the rest
            at = next(len(data) - size for size in range(min(len(data), len(self.LAST)), -1, -1) if data.endswith(self.LAST[:size]))
        self.out.write(data[:at])
        self.held = data[at:]

    def flush(self) -> None:
        self.out.flush()


def run(guest: Guest, interactive: bool, out=None, err=None) -> Ended:
    """Runs the guest to its end; what it says goes to `out` and `err` (binary files) as it comes, and into the result."""
    guest.check()
    if shutil.which(qemu.PROGRAM) is None:
        raise UsageError(f"{qemu.PROGRAM} is not installed (tools/setup.sh installs it)")
    ports = _Ports()
    guest.extra = [*guest.extra, *ports.arguments()]
    command = qemu.command_line(guest)
    process = subprocess.Popen(command, cwd=ROOT, stdin=None if interactive else subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, pass_fds=ports.write_ends())
    ports.close_write_ends()
    collected = {name: bytearray() for name in (*PORTS, "console", "emulator")}
    sinks = {"output": out, "errors": err, "console": _Screen(out) if interactive and out else None}
    sources = {name: read_end for name, (read_end, _) in ports.ends.items()}
    sources |= {"console": process.stdout.fileno(), "emulator": process.stderr.fileno()}
    bound = None if interactive or guest.timeout <= 0 else calibrate.scaled(guest.timeout)
    try:
        in_time = _pump(sources, collected, sinks, bound)
        if not in_time:
            process.kill()
        status = process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        ports.close_read_ends()
        process.stdout.close()
        process.stderr.close()
    parts = {name: bytes(data) for name, data in collected.items()}
    ended = _verdict(status, parts) if in_time else Ended(None, f"no end within {bound:.0f} s")
    ended.output, ended.errors, ended.console = parts["output"], parts["errors"], parts["console"]
    return ended


def _pump(sources: dict[str, int], collected: dict[str, bytearray], sinks: dict, bound: float | None) -> bool:
    """Moves bytes until QEMU has closed every stream; False if it took too long."""

    end = None if bound is None else time.monotonic() + bound
    with selectors.DefaultSelector() as selector:
        for name, source in sources.items():
            selector.register(source, selectors.EVENT_READ, name)
        while selector.get_map():
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return False
            for key, _ in selector.select(left):
                chunk = os.read(key.fd, 65536)
                if not chunk:
                    selector.unregister(key.fd)
                    continue
                collected[key.data] += chunk
                sink = sinks.get(key.data)
                if sink is not None:
                    sink.write(chunk)
                    sink.flush()
    return True


def _verdict(status: int, parts: dict[str, bytes]) -> Ended:
    """What `run` in the guest reported, or else how the guest ended."""
    lines = parts["verdict"].decode("ascii", "replace").splitlines() or [""]
    words = lines[-1].split()  # programs that know the port may have written before
    if len(words) == 2 and words[1].isdigit():
        kind, number = words[0], int(words[1])
        if kind == "exit":
            return Ended(number, f"exit status {number}")
        if kind == "signal":
            name = signal.Signals(number).name if number in signal.Signals._value2member_map_ else str(number)
            return Ended(128 + number, f"ended by {name}")
        if kind == "start":
            return Ended(127 if number == errno.ENOENT else 126, f"it cannot be started: {os.strerror(number)}")
    outcome = QEMU_STATUS.get(status, Outcome.ERROR)
    detail = {Outcome.PASS: "the guest ended without a verdict", Outcome.FAIL: "the guest's init failed"}.get(
        outcome, f"the guest ended with {outcome.label}")
    if outcome is Outcome.ERROR:
        lines = parts["emulator"].decode("utf-8", "replace").strip().splitlines()
        detail = f"QEMU failed: {lines[-1] if lines else f'status {status}'}"
    return Ended(None, detail)


def start(program: Program, standard_input: bytes | None, interactive: bool, accel: str = "tcg", smp: int = 1,
          mem: str | None = None, machine: str = "q35", append: str = "", timeout: float = 0, out=None, err=None,
          kernel: pathlib.Path = KERNEL) -> Ended:
    """Packs and runs a program. A time bound of 0 is none: it is the program's business how long it runs."""
    archive = image(program, standard_input)
    with tempfile.TemporaryDirectory(prefix="tollgate-") as folder:
        path = pathlib.Path(folder) / "program.cpio"
        path.write_bytes(archive)
        words = ["quiet", f"accel={accel}", "init=/run/program/init", *append.split(), "--",
                 "console" if interactive else "channels"]
        guest = Guest(kernel, path, " ".join(words), machine, accel, smp, "pvh", memory_for(archive, mem), timeout,
                      interactive=interactive)
        if interactive:
            with _RawTerminal():
                return run(guest, True, out, err)
        return run(guest, False, out, err)


def explain(ended: Ended) -> None:
    if ended.status is not None and "cannot be started" not in ended.detail:
        return
    print(f"run-qemu: {ended.detail}", file=sys.stderr)
    if ended.status is None:
        for line in ended.console.decode("utf-8", "replace").replace("\r", "").splitlines()[-25:]:
            if line and not line.startswith(EXIT_LINE):
                print(f"  | {line}", file=sys.stderr)


def folder_and_place(text: str) -> tuple[pathlib.Path, str]:
    """DIR or DIR:PATH of --files."""
    folder, _, place = text.partition(":")
    if not os.path.isdir(folder):
        raise PackError(f"--files {folder}: no such folder")
    if place and not place.startswith("/"):
        raise PackError(f"--files {text}: the place in the guest must be an absolute path")
    return pathlib.Path(folder), place or f"/{WORK}"


def options_from(arguments: list[str]) -> argparse.Namespace:
    p = vm.Parser(prog="run-qemu.sh", allow_abbrev=False)
    p.add_argument("--accel", default="auto", choices=("auto", "tcg", "icount", "kvm"))
    p.add_argument("--machine", default="q35")
    p.add_argument("--smp", type=int, default=1)
    p.add_argument("--mem")
    p.add_argument("--append", default="")
    p.add_argument("--no-build", action="store_true")
    p.add_argument("--timeout", type=float, default=0)
    p.add_argument("--files", action="append", default=[])
    p.add_argument("--package", action="append", default=[])
    p.add_argument("--also", action="append", default=[])
    p.add_argument("--env", action="append", default=[])
    p.add_argument("--program", nargs=argparse.REMAINDER, required=True)
    options = p.parse_args(arguments)
    if not options.program:
        p.error("--program needs a path")
    for setting in options.env:
        if "=" not in setting or setting.startswith("="):
            p.error(f"--env {setting}: write NAME=VALUE")
    return options


def main(arguments: list[str]) -> int:
    options = options_from(arguments)
    try:
        program = Program(options.program, [folder_and_place(text) for text in options.files], options.package,
                          dict(setting.split("=", 1) for setting in options.env), options.also)
        locate(program.arguments[0])  # before anything is built
        if not options.no_build and not build_quietly():
            return 7
        interactive = sys.stdin.isatty() and sys.stdout.isatty()
        standard_input = None if interactive or sys.stdin.isatty() else sys.stdin.buffer.read()
        accelerator = options.accel
        if accelerator == "auto":
            accelerator = "kvm" if accel.kvm_is_real(KERNEL, None)[0] else "tcg"
        ended = start(program, standard_input, interactive, accelerator, options.smp, options.mem, options.machine, options.append,
                      options.timeout, sys.stdout.buffer, sys.stderr.buffer)
    except PackError as error:
        print(f"run-qemu: {error}", file=sys.stderr)
        return CANNOT_PACK
    except UsageError as error:
        print(f"run-qemu: {error}", file=sys.stderr)
        return USAGE
    except BrokenPipeError:
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt:
        return 130
    explain(ended)
    return GUEST_FAILED if ended.status is None else ended.status


def build_quietly() -> bool:
    """Builds what the program needs; what the build says is shown only if it fails, for standard output is the program's."""
    commands = [] if (BUILD / "build.ninja").exists() else [["cmake", "--preset", "default"]]
    commands.append(["cmake", "--build", "build", "--target", "tollgate_elf", "run"])
    for command in commands:
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            print(done.stdout + "run-qemu: the build failed", file=sys.stderr)
            return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
