#!/usr/bin/env python3
"""Runs a dynamic program of this host in a guest with FlexSC-Threads by LD_PRELOAD, unmodified, and reads its KTAP report.

    tests/system/preload_test.py PROGRAM LIBRARY --expect N [--smp N] [--accel tcg|icount] [--append WORDS] [--env NAME=VALUE]...

Exit status: 0 passed, 1 not, 64 wrong usage.
"""

import argparse
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import calibrate  # noqa: E402
import ktap  # noqa: E402
import program  # noqa: E402

KERNEL = program.BUILD / "kernel" / "tollgate-test.elf"
BOUND = 120.0  # seconds on the reference machine


def main(arguments: list[str]) -> int:
    p = argparse.ArgumentParser(prog="tests/system/preload_test.py", description=__doc__)
    p.add_argument("program")
    p.add_argument("library")
    p.add_argument("--expect", type=int, required=True)
    p.add_argument("--smp", type=int, default=1)
    p.add_argument("--accel", default="tcg", choices=("tcg", "icount"))
    p.add_argument("--append", default="")
    p.add_argument("--env", action="append", default=[])
    options = p.parse_args(arguments)
    environment = dict(setting.split("=", 1) for setting in options.env) | {"LD_PRELOAD": options.library}
    ended = program.start(program.Program([options.program], environment=environment), b"", False, options.accel, options.smp,
                          append=options.append, timeout=calibrate.scaled(BOUND), kernel=KERNEL)
    output = ended.output.decode("utf-8", "replace")
    verdict = ktap.parse(output)
    found = ktap.problems(verdict, options.expect)
    if ended.status != 0:
        found.append(f"the program ended with {ended.status}: {ended.detail}")
    if found:
        print(output, ended.errors.decode("utf-8", "replace"), ended.console.decode("utf-8", "replace"), sep="\n")
    ktap.show(verdict, found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
