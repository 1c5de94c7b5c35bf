#!/usr/bin/env python3
"""Runs one Tollgate guest under QEMU or Bochs and says how it ended.

Exit status: 0 pass, 1 fail (a program or test said no), 2 kernel panic, 3 triple fault, 4 timeout, 5 emulator error,
64 wrong usage. The console goes to standard output and, with --log, to a file.
"""

import argparse
import pathlib
import shlex
import sys

import bochs
import qemu
from guest import ACCELS, BOOTS, BUILD, MACHINES, Guest, Outcome, Report, UsageError

USAGE = 64


def run(guest: Guest, show: bool = True, log_path: pathlib.Path | None = None) -> Report:
    return (bochs if guest.accel == "bochs" else qemu).run(guest, show, log_path)


class Parser(argparse.ArgumentParser):
    def error(self, message: str):
        self.exit(USAGE, f"{self.prog}: {message}\n{self.format_usage()}")


def parser() -> Parser:
    p = Parser(prog="tools/vm.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
               allow_abbrev=False)
    add_guest_options(p)
    p.add_argument("--log", type=pathlib.Path, help="also write the console here")
    p.add_argument("--quiet", action="store_true", help="do not show the console, only how the run ended")
    p.add_argument("--print", action="store_true", dest="show_command", help="print the QEMU command line and do not run it")
    return p


def add_guest_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("--kernel", type=pathlib.Path, default=BUILD / "kernel" / "tollgate.elf", help="default: %(default)s")
    p.add_argument("--initrd", type=pathlib.Path, help="default: build/userland/programs.cpio, for a test kernel tests.cpio, if it exists")
    p.add_argument("--no-initrd", action="store_true", help="boot without an archive")
    p.add_argument("--append", default="", help="kernel command line: 'key=value ... -- program arguments'")
    p.add_argument("--machine", default="q35", choices=MACHINES)
    p.add_argument("--accel", default="tcg", choices=ACCELS)
    p.add_argument("--boot", default=None, choices=BOOTS, help="default: pvh (Bochs: always iso)")
    p.add_argument("--smp", type=int, default=1)
    p.add_argument("--mem", default="128M")
    p.add_argument("--cpu", default="", help="QEMU's -cpu, default max; Bochs' model, default corei7_icelake_u")
    p.add_argument("--timeout", type=float, default=60.0, help="seconds on the reference machine, scaled to this one")
    p.add_argument("--gdb", type=int, nargs="?", const=1234, default=0, metavar="PORT", help="wait for gdb on PORT (1234)")
    p.add_argument("--interactive", action="store_true", help="the guest's console reads standard input; no time bound")
    p.add_argument("--results", type=pathlib.Path, help="file for the bytes that the guest writes to port 0xe9")
    p.add_argument("--faults", type=pathlib.Path, help="file for QEMU's log of exceptions and CPU resets")
    p.add_argument("--qemu-arg", action="append", default=[], metavar="ARG", help="a further QEMU argument, repeatable")


def default_archive(kernel: pathlib.Path) -> pathlib.Path | None:
    """The archive that the build made for this kernel; the tests' programs travel with the test kernels only."""
    names = ("tests.cpio", "programs.cpio") if kernel.stem in ("tollgate-test", "tollgate-ubsan") else ("programs.cpio",)
    return next((path for name in names if (path := BUILD / "userland" / name).exists()), None)


def guest_from(options: argparse.Namespace) -> Guest:
    initrd = options.initrd
    if initrd is None and not options.no_initrd:
        initrd = default_archive(options.kernel)
    boot = options.boot or ("iso" if options.accel == "bochs" else "pvh")
    append = options.append
    if options.accel == "icount" and "accel=" not in append:
        append = f"accel=icount {append}".strip()  # or the guest would not know that its ticks are instructions
    guest = Guest(options.kernel, initrd, append, options.machine, options.accel, options.smp, boot, options.mem,
                  options.timeout, options.gdb, options.interactive, options.results, options.faults, options.cpu,
                  options.qemu_arg)
    guest.check()
    return guest


def explain(guest: Guest, report: Report, out=None) -> None:
    """What a person needs to know about a run that did not pass; to standard error unless told otherwise."""
    out = out or sys.stderr
    print(f"vm: {guest.title}: {report.outcome.label} after {report.seconds:.1f} s ({report.detail})", file=out)
    if report.outcome in (Outcome.PASS, Outcome.FAIL):
        return
    print("vm: command: " + shlex.join(report.command), file=out)
    if report.outcome is not Outcome.PANIC:
        tail = report.lines()[-15:]
        print("vm: last console lines:" + "".join(f"\n  | {line}" for line in tail) if tail else "vm: the console stayed empty",
              file=out)
    if report.hang:
        print("vm: where it hangs:\n" + report.hang, file=out)
    if report.stderr.strip():
        print("vm: the emulator said:\n" + report.stderr.strip(), file=out)


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    try:
        guest = guest_from(options)
        if options.show_command:
            print(shlex.join(bochs.command_line(guest) if guest.accel == "bochs" else qemu.command_line(guest)))
            return 0
        report = run(guest, not options.quiet, options.log)
    except UsageError as error:
        print(f"vm: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return 130
    sys.stdout.flush()
    explain(guest, report)
    return int(report.outcome)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
