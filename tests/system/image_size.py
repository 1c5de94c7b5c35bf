#!/usr/bin/env python3
"""Fails when the kernel takes more than 1 MiB of memory: image_size.py KERNEL.ELF, from the first loaded byte to the last of .bss."""

import struct
import sys

LIMIT = 1 << 20
PT_LOAD = 1


def loaded_bytes(path: str) -> int:
    with open(path, "rb") as file:
        image = file.read()
    if image[:5] != b"\x7fELF\x02":
        sys.exit(f"{path}: no 64-bit ELF file")
    offset, = struct.unpack_from("<Q", image, 32)
    size, count = struct.unpack_from("<HH", image, 54)
    places = []
    for index in range(count):
        kind, _, _, address, _, _, memory, _ = struct.unpack_from("<IIQQQQQQ", image, offset + index * size)
        if kind == PT_LOAD:
            places.append((address, address + memory))
    return max(end for _, end in places) - min(start for start, _ in places)


taken = loaded_bytes(sys.argv[1])
print(f"{taken} bytes of {LIMIT}")
sys.exit(taken > LIMIT)
