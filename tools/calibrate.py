"""Scales time bounds to this machine. A bound exists to detect hangs only, so it grows with a slow or busy host.

Once for each host boot, a tiny flat guest (tools/probe/) with a fixed amount of work is timed under TCG; the ratio to the
reference machine is cached in build/calibration.json. Without QEMU or a compiler, a Python loop is timed instead.
"""

import json
import os
import pathlib
import subprocess
import time

from guest import BUILD

CACHE = BUILD / "calibration.json"
REFERENCE_BOOT = 0.95  # seconds, tools/calibrate.py on the reference machine (2 cores, TCG)
REFERENCE_LOOP = 0.12


def boot_id() -> str:
    try:
        return pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"


def _time_boot() -> float | None:
    import probe  # late: probe.py builds its guest with the compiler, which a bare machine lacks
    try:
        return min(probe.timed_boot() for _ in range(2))
    except (OSError, probe.Error, subprocess.SubprocessError):
        return None


def _time_loop() -> float:
    start = time.perf_counter()
    total = 0
    for number in range(2_000_000):
        total += number & 7
    return time.perf_counter() - start


def measure() -> dict:
    seconds = _time_boot()
    kind, reference = "boot", REFERENCE_BOOT
    if seconds is None:
        seconds, kind, reference = _time_loop(), "loop", REFERENCE_LOOP
    return {"boot_id": boot_id(), "kind": kind, "seconds": seconds, "scale": max(1.0, seconds / reference)}


def scale() -> float:
    """How many times slower than the reference machine this one is, at least 1."""
    try:
        known = json.loads(CACHE.read_text())
        if known["boot_id"] == boot_id():
            return max(1.0, float(known["scale"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    known = measure()
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    draft = CACHE.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(known) + "\n")
    draft.replace(CACHE)
    return known["scale"]


def load_factor() -> float:
    try:
        return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    except OSError:
        return 1.0


def scaled(seconds: float) -> float:
    return seconds * scale() * load_factor()


if __name__ == "__main__":
    print(json.dumps(measure()))
