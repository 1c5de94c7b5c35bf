#!/usr/bin/env python3
"""Boots Debian's busybox on the serial line: an interactive machine. Called as `./run-qemu.sh --shell [OPTION]... [COMMAND...]`.

Keys go to the guest as they are, Ctrl-C too; Ctrl-A x ends QEMU. The machine ends with its shell, whose exit status is ours. With
COMMAND, `sh -c COMMAND` runs in place of an interactive shell.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import termios

import accel
import pack
import qemu
import vm
from guest import ACCELS, BUILD, MACHINES, QEMU_STATUS, ROOT, Guest, Outcome, UsageError

KERNEL = BUILD / "kernel" / "tollgate.elf"
PROGRAMS = BUILD / "userland" / "bin"
ARCHIVE = BUILD / "shell.cpio"
OWN = ("hello", "smoke", "three_gates", "bench")  # of our programs, those that a person may want to try
BUILD_FAILED, USAGE, GUEST_FAILED = 7, 64, 125

PROFILE = """\
export PS1='\\u@\\h:\\w\\$ '
export PAGER=more EDITOR=vi
alias ll='ls -l'
"""
WELCOME = "Tollgate. `exit` ends the machine; Ctrl-A x ends QEMU. /proc/tollgate shows what the gates have done.\n"


def image() -> bytes:
    """The archive: busybox with a link for each of its utilities, our init and demonstrations, and a few files in /etc."""
    busybox = shutil.which("busybox", path="/bin:/usr/bin")
    if busybox is None:
        raise pack.PackError("busybox is not installed (package busybox-static; tools/setup.sh shell installs it)")
    contents = pack.Image()
    contents.standard_files()
    contents.file("bin/busybox", pack.read_file(busybox), 0o755)
    listed = subprocess.run([busybox, "--list-full"], capture_output=True, text=True, check=True).stdout.split()
    for name in listed:
        if name not in ("bin/busybox", "sbin/init"):
            contents.link(name, "/bin/busybox")
    contents.file("sbin/init", pack.stripped(str(PROGRAMS / "init")), 0o755)
    for name in OWN:
        if (PROGRAMS / name).exists():
            contents.file(f"usr/bin/{name}", pack.stripped(str(PROGRAMS / name)), 0o755)
    contents.file("etc/profile", PROFILE.encode())
    contents.file("etc/motd", WELCOME.encode())
    contents.file("etc/shells", b"/bin/sh\n/bin/ash\n")
    return contents.archive()


def size_words() -> list[str]:
    """How big the terminal is, for init."""
    try:
        size = os.get_terminal_size(sys.stdin.fileno())
    except OSError:
        return []
    return ["--size", f"{size.lines}x{size.columns}"]


def words(options) -> str:
    """The kernel command line."""
    term = os.environ.get("TERM", "linux")
    program = ["/bin/sh", "-lc", f'"{options.command}"'] if options.command else []
    if '"' in options.command:
        raise UsageError("a command may hold no double quotes: the kernel command line has no way to escape them")
    before = ["init=/sbin/init", *(["quiet=on"] if not options.verbose else []), *options.append.split()]
    return " ".join([*before, "--", *size_words(), f"TERM={term}", *program])


def parser() -> vm.Parser:
    p = vm.Parser(prog="run-qemu.sh --shell", description=__doc__, allow_abbrev=False)
    p.add_argument("--accel", default="auto", choices=("auto", *(a for a in ACCELS if a != "bochs")))
    p.add_argument("--machine", default="q35", choices=MACHINES)
    p.add_argument("--smp", type=int, default=1)
    p.add_argument("--mem", default="128M")
    p.add_argument("--append", default="", metavar="'KERNEL OPTIONS'")
    p.add_argument("--verbose", action="store_true", help="show the kernel's log")
    p.add_argument("--no-build", action="store_true")
    p.add_argument("command", nargs="?", default="", help="run by sh -c in place of an interactive shell")
    return p


def build() -> bool:
    if not (BUILD / "build.ninja").exists() and subprocess.run(["cmake", "--preset", "default"], cwd=ROOT).returncode:
        return False
    done = subprocess.run(["cmake", "--build", "build", "--target", "tollgate_elf", "archive"], cwd=ROOT,
                          capture_output=True, text=True)
    if done.returncode:
        print(done.stdout[-4000:], file=sys.stderr)
    return done.returncode == 0


def run(guest: Guest) -> int:
    """Runs QEMU on our own terminal; the exit status of the guest's shell, or GUEST_FAILED."""
    settings = termios.tcgetattr(sys.stdin) if sys.stdin.isatty() else None
    try:
        status = subprocess.run(qemu.command_line(guest), cwd=ROOT).returncode
    finally:
        if settings is not None:  # QEMU puts them back itself, unless it was killed
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, settings)
    verdict = guest.results.read_text().split()
    if len(verdict) == 2 and verdict[1].isdigit():
        return int(verdict[1]) if verdict[0] == "exit" else 128 + int(verdict[1])
    outcome = QEMU_STATUS.get(status, Outcome.ERROR)
    if outcome is not Outcome.TRIPLE_FAULT:  # QEMU's own end, by Ctrl-A x
        print(f"shell: the guest ended with '{outcome.label}'", file=sys.stderr)
        return GUEST_FAILED
    return 0


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    try:
        if not options.no_build and not build():
            print("shell: the build failed", file=sys.stderr)
            return BUILD_FAILED
        ARCHIVE.write_bytes(image())
        kind = options.accel
        if kind == "auto":
            kind = "kvm" if accel.kvm_is_real(KERNEL, BUILD / "userland" / "programs.cpio")[0] else "tcg"
        with tempfile.TemporaryDirectory(prefix="tollgate-") as folder:
            results = pathlib.Path(folder) / "verdict"
            results.write_bytes(b"")
            guest = Guest(KERNEL, ARCHIVE, words(options), options.machine, kind, options.smp, mem=options.mem,
                          interactive=True, results=results)
            guest.check()
            if sys.stdin.isatty():
                print("Ctrl-A x ends QEMU.", flush=True)
            return run(guest)
    except (pack.PackError, UsageError) as error:
        print(f"shell: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
