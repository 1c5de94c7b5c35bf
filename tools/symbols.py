"""Turns addresses of a guest into names and source lines, for hang reports. Uses nm and addr2line from binutils."""

import bisect
import functools
import pathlib
import re
import subprocess

RIP = re.compile(r"\b[RE]IP=([0-9a-f]{8,16})\b")


def _tool(*args: str) -> str:
    try:
        return subprocess.run(args, capture_output=True, text=True, timeout=60).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


@functools.cache
def table(elf: pathlib.Path) -> tuple[list[int], list[str]]:
    """Start addresses and names of the text symbols, sorted by address."""
    found = []
    for line in _tool("nm", "-C", str(elf)).splitlines():
        address, _, rest = line.partition(" ")
        kind, _, name = rest.partition(" ")
        if kind in ("T", "t", "W", "w") and address:
            found.append((int(address, 16), name))
    found.sort()
    return [address for address, _ in found], [name for _, name in found]


def name_of(address: int, elf: pathlib.Path) -> str:
    """`function+0x12 (file.cpp:34)`, or an empty string when the address is not in this image."""
    addresses, names = table(elf)
    index = bisect.bisect_right(addresses, address) - 1
    if index < 0 or address - addresses[index] > 1 << 20:
        return ""
    text = f"{names[index]}+{address - addresses[index]:#x}"
    where = _tool("addr2line", "-e", str(elf), hex(address)).strip()
    return f"{text} ({where})" if where and not where.startswith("??") else text


def annotate(registers: str, elf: pathlib.Path) -> str:
    """The monitor's register dump, followed by one line for each CPU saying where it is."""
    lines = []
    for number, match in enumerate(RIP.finditer(registers)):
        address = int(match.group(1), 16)
        lines.append(f"CPU {number}: rip {address:#x} {name_of(address, elf) or '(not in the kernel image)'}")
    kept = [line for line in registers.splitlines() if line.strip() and not line.startswith(("FPR", "XMM", "YMM", "FCW", "DR"))]
    return "\n".join(kept + lines)
