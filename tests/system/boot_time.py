#!/usr/bin/env python3
"""Measures boot: from the start of QEMU to the first console line of the first user program (microvm, PVH, TCG).

Prints the median of nine boots, and of the boot's own first byte. It fails only when a boot fails, or when the median passes
the bound given by --bound (milliseconds on the reference machine, scaled to this one).
"""

import argparse
import pathlib
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import calibrate  # noqa: E402
import qemu  # noqa: E402
import vm  # noqa: E402
from guest import BUILD, Guest, Outcome  # noqa: E402


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--kernel", type=pathlib.Path, default=BUILD / "kernel" / "tollgate.elf")
    p.add_argument("--initrd", type=pathlib.Path, default=BUILD / "userland" / "programs.cpio")
    p.add_argument("--append", default="init=/bin/smoke")
    p.add_argument("--line", default="smoke", help="text of the program's first line")
    p.add_argument("--boots", type=int, default=9)
    p.add_argument("--bound", type=float, help="milliseconds on the reference machine")
    options = p.parse_args()
    first, program = [], []
    for _ in range(options.boots):
        guest = Guest(options.kernel, options.initrd, options.append, machine="microvm")
        report = qemu.run(guest, show=False)
        when = report.seconds_to(options.line.encode())
        if report.outcome is not Outcome.PASS or when is None:
            print(f"WRONG: the program never printed '{options.line}', or did not pass")
            print("\n".join(report.lines()[-40:]))
            vm.explain(guest, report, sys.stdout)
            return 1
        first.append(report.first_byte * 1000)
        program.append(when * 1000)
    median = statistics.median(program)
    print(f"boot time, microvm PVH TCG, {options.boots} boots: first console byte {statistics.median(first):.0f} ms, first line "
          f"of the first program {median:.0f} ms (median; {min(program):.0f} to {max(program):.0f})")
    print(f'<CTestMeasurement type="numeric/double" name="boot_ms">{median:.1f}</CTestMeasurement>')
    if options.bound and median > options.bound * calibrate.scale() * calibrate.load_factor():
        print(f"WRONG: that is more than {options.bound:.0f} ms")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
