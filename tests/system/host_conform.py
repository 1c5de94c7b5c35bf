#!/usr/bin/env python3
"""Runs a conformance program on the host and reads its KTAP report: a test that Linux itself fails is a wrong test.

Exit status: 0 passed, 1 not, 64 wrong usage. tests/system/CMakeLists.txt calls it.
"""

import argparse
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import calibrate  # noqa: E402
import ktap  # noqa: E402

BOUND = 60.0  # seconds on the reference machine


def run(program: pathlib.Path, bound: float) -> tuple[int | None, str]:
    """(exit status or None when it had to be ended, output). It gets a session of its own, so that nothing it forks is left."""
    with tempfile.TemporaryDirectory(prefix="tollgate-") as folder:
        process = subprocess.Popen([program], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        try:
            output, _ = process.communicate(timeout=bound)
            status = process.returncode
        except subprocess.TimeoutExpired:
            status = None
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        if status is None:
            output, _ = process.communicate()
        return status, output.decode("utf-8", "replace")


def main(arguments: list[str]) -> int:
    p = argparse.ArgumentParser(prog="tests/system/host_conform.py", description=__doc__)
    p.add_argument("program", type=pathlib.Path)
    p.add_argument("--expect", type=int, default=1)
    p.add_argument("--skips", type=int, default=0)
    options = p.parse_args(arguments)
    bound = calibrate.scaled(BOUND)
    status, output = run(options.program.resolve(), bound)
    verdict = ktap.parse(output)
    found = ktap.problems(verdict, options.expect, skips=options.skips)
    if status != 0:
        found.append(f"no exit within {bound:.0f} s" if status is None else f"exit status {status}")
    if found:
        print(output)
    ktap.show(verdict, found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
