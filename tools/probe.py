"""Builds and runs tools/probe/probe.S, a guest of a few hundred bytes that needs no kernel of ours.

calibrate.py times it to learn how fast this machine emulates; accel.py runs it to find out whether /dev/kvm is real.
"""

import pathlib
import subprocess
import time

from guest import BUILD, ROOT

SOURCE = ROOT / "tools" / "probe" / "probe.S"
WORK = 100_000_000  # loop turns that calibrate.py times


class Error(Exception):
    """The probe could not be built or did not pass."""


def build(work: int) -> pathlib.Path:
    target = BUILD / "probe" / f"probe-{work}.elf"
    if target.exists() and target.stat().st_mtime >= SOURCE.stat().st_mtime:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(f".{time.monotonic_ns()}")
    answer = subprocess.run(["gcc", "-m64", "-static", "-nostdlib", "-no-pie", f"-DWORK={work}", "-Wl,-Ttext=0x100000",
                             "-Wl,--build-id=none", "-Wl,-e,0x100000", "-Wl,-z,noexecstack", "-Wl,-N", "-o", draft, SOURCE],
                            capture_output=True, text=True)
    if answer.returncode != 0:
        raise Error("the probe does not build: " + answer.stderr.strip())
    draft.replace(target)
    return target


def run(accelerator: str, work: int, timeout: float) -> tuple[str, float]:
    """('pass' or why not, seconds)."""
    image = build(work)
    command = ["qemu-system-x86_64", "-machine", "q35", "-accel", accelerator, "-cpu", "max", "-m", "64M", "-no-reboot",
               "-nodefaults", "-display", "none", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", "-kernel", str(image)]
    start = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _, stderr = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        _, stderr = process.communicate()
        said = stderr.decode("utf-8", "replace")
        return "KVM internal error" if "KVM internal error" in said else f"no exit within {timeout:.0f} s", timeout
    seconds = time.monotonic() - start
    if process.returncode == 33:
        return "pass", seconds
    said = stderr.decode("utf-8", "replace").strip().splitlines()
    return (said[0] if said else f"wrong behaviour (QEMU status {process.returncode})"), seconds


def timed_boot() -> float:
    verdict, seconds = run("tcg", WORK, 120)
    if verdict != "pass":
        raise Error(verdict)
    return seconds
