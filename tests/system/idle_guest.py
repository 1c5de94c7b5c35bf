#!/usr/bin/env python3
"""What an idle guest takes of a host core: one with a worker core whose policy polls, and pages that it has served.

Boots the same guest twice, asleep for a short and for a long time; the difference of the emulator's CPU times over that of the sleeps
is the share, so that boot and exit do not count. Exit status: 0 under the limit, 1 not.
"""

import pathlib
import resource
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import qemu  # noqa: E402
from guest import BUILD, Guest, Outcome  # noqa: E402

SHORT, LONG = 2, 12  # seconds
LIMIT = 0.03


def cpu_seconds(sleep: int) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    guest = Guest(BUILD / "kernel" / "tollgate-test.elf", BUILD / "userland" / "programs.cpio",
                  f"flexsc.workers=1 init=/bin/poller -- idle {sleep}", smp=2, timeout=60.0)
    ended = qemu.run(guest, show=False, log_path=None)
    if ended.outcome is not Outcome.PASS:
        print("\n".join(ended.lines()[-25:]))
        sys.exit(f"WRONG: the guest did not pass: {ended.outcome.label}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    share = (cpu_seconds(LONG) - cpu_seconds(SHORT)) / (LONG - SHORT)
    print(f"an idle guest of two CPUs, one a worker that polls, takes {share * 100:.2f} % of a host core")
    if share < LIMIT:
        return 0
    print(f"WRONG: that is {LIMIT * 100:g} % or more")
    return 1


if __name__ == "__main__":
    sys.exit(main())
