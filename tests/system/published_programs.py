#!/usr/bin/env python3
"""Runs tests/programs/fastcalls.cpp, which does what the programs published with fastcalls do, in a guest with option spma22=on: all rows
in one boot, none with an error. Without the option, the rows of their comparison kernel say that it is missing, and nothing else changes.

    tests/system/published_programs.py dynamic|static [--off]
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import pack  # noqa: E402
import program  # noqa: E402

BUILT = ROOT / "build" / "tests" / "programs"
BOUND = 120.0  # seconds on the reference machine
SIZES = range(0, 65, 8)
ALWAYS = ["fastcall_noop", "fastcall_stack", "fastcall_priv", *(f"fastcall_array/{size}" for size in SIZES), "fastcall_nt",
          "syscall_sys_ni_syscall", "registration", "registration_mappings", "fork/0", "fork/100", "vfork/0", "vfork/100"]
COMPARISON = [f"{gate}_array/{size}" for gate in ("syscall", "ioctl", "vdso") for size in SIZES] + \
             ["syscall_nt", "ioctl_nt", "vdso_nt", "ioctl_noop", "vdso_noop"]


def rows(output: str) -> dict[str, bool]:
    """Row -> whether it has a figure."""
    found = {}
    for line in output.splitlines():
        if match := re.match(r"(\w+(?:/\d+)?)/iterations:\d+\s+(ERROR OCCURRED|\d)", line):
            found[match[1]] = match[2] != "ERROR OCCURRED"
    return found


def wrong(found: dict[str, bool], option: bool) -> list[str]:
    wanted = {name: True for name in ALWAYS} | {name: option for name in COMPARISON}
    return [f"{name}: {'no figure' if good else 'a figure, without the option'}" for name, good in wanted.items()
            if found.get(name) is not good] + [f"{name}: an unknown row" for name in found if name not in wanted]


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in ("dynamic", "static") or arguments[1:] not in ([], ["--off"]):
        print(__doc__, file=sys.stderr)
        return 64
    option = "--off" not in arguments
    try:
        ended = program.start(program.Program([str(BUILT / f"fastcalls_{arguments[0]}")]), None, False,
                              append="spma22=on" if option else "", timeout=BOUND)
    except pack.PackError as error:
        print(f"WRONG: {error}")
        return 1
    output = ended.output.decode("utf-8", "replace")
    found = wrong(rows(output), option)
    if ended.status != 0:
        found.append(f"it ended with {ended.detail}")
    if found:
        print(output)
    for line in found:
        print(f"WRONG: {line}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
