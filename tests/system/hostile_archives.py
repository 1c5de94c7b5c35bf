#!/usr/bin/env python3
"""Makes boot archives that no honest tool would make: damaged cpio files, and /bin/bad files that are no programs.

hostile_archives.py PROGRAMS.CPIO OUTPUT_FOLDER
The programs are variations of the archive's own /bin/smoke, each with one thing wrong [spec: threats M7].
"""

import pathlib
import random
import struct
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import cpio  # noqa: E402

PT_LOAD, PF_X, PF_W = 1, 1, 2


def entry(name: str, data: bytes, size: int | None = None, name_size: int | None = None, mode: int = 0o100755) -> bytes:
    """One newc record; `size` and `name_size` may lie."""
    text = name.encode() + b"\0"
    fields = [1, mode, 0, 0, 1, 0, len(data) if size is None else size, 0, 0, 0, 0, len(text) if name_size is None else name_size, 0]
    record = b"070701" + b"".join(b"%08x" % field for field in fields) + text
    record += b"\0" * (-len(record) % 4)
    return record + data + b"\0" * (-len(data) % 4)


TRAILER = entry("TRAILER!!!", b"", mode=0)


def archive(program: bytes, name: str = "bin/bad") -> bytes:
    return entry("bin", b"", mode=0o040755) + entry(name, program) + TRAILER


def patched(program: bytes, offset: int, form: str, value: int) -> bytes:
    changed = bytearray(program)
    struct.pack_into(form, changed, offset, value)
    return bytes(changed)


def first_load(program: bytes) -> int:
    """Offset of the first PT_LOAD's program header [gABI, 5]."""
    start, = struct.unpack_from("<Q", program, 32)
    size, count = struct.unpack_from("<HH", program, 54)
    for at in range(start, start + size * count, size):
        if struct.unpack_from("<I", program, at)[0] == PT_LOAD:
            return at
    raise SystemExit("hostile_archives: /bin/smoke has no segment")


def make(smoke: bytes) -> dict[str, bytes]:
    load = first_load(smoke)
    whole = archive(smoke, "bin/smoke")
    return {
        "smoke": whole,
        "garbage": random.Random(1).randbytes(100_000),
        "empty": b"",
        "cut-in-header": whole[:60],
        "cut-in-data": whole[:len(whole) // 2],
        "no-trailer": whole[:-len(TRAILER)],
        "huge-size": entry("bin/smoke", smoke, size=0xffffffff) + TRAILER,
        "huge-name": entry("bin/smoke", smoke, name_size=0xffffffff) + TRAILER,
        "climbing-name": entry("../smoke", smoke) + TRAILER,
        "bad-digit": whole.replace(b"070701", b"07070x", 1),
        "elf-cut-header": archive(smoke[:40]),
        "elf-cut": archive(smoke[:1000]),
        "elf-text": archive(b"#!/bin/smoke\n"),
        "elf-wx": archive(patched(smoke, load + 4, "<I", 4 | PF_W | PF_X)),
        "elf-machine": archive(patched(smoke, 18, "<H", 183)),
        "elf-class": archive(patched(smoke, 4, "<B", 1)),
        "elf-headers": archive(patched(smoke, 56, "<H", 0xffff)),
        "elf-entry": archive(patched(smoke, 24, "<Q", 0xffffffff80100000)),
        "elf-kernel": archive(patched(smoke, load + 16, "<Q", 0xffffffff80000000)),
        "elf-huge": archive(patched(smoke, load + 40, "<Q", 1 << 63)),
    }


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 64
    folder = pathlib.Path(arguments[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in make(cpio.extract(pathlib.Path(arguments[0]), "bin/smoke")).items():
        (folder / f"{name}.cpio").write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
