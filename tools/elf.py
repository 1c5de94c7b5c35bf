"""Reads what a packer must know of an x86-64 ELF file: its interpreter, the libraries it asks for and where it looks for them.

Offsets and constants are the System V ABI's (gABI chapters 4 and 5). A damaged file raises ElfError, never anything else.
"""

import pathlib
import struct
from dataclasses import dataclass

MAGIC = b"\x7fELF"
EM_X86_64 = 62
ET_EXEC, ET_DYN = 2, 3
PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NEEDED, DT_STRTAB, DT_SONAME, DT_RPATH, DT_RUNPATH = 1, 5, 14, 15, 29
MACHINES = {3: "i386", 8: "MIPS", 20: "PowerPC", 21: "64-bit PowerPC", 22: "S/390", 40: "ARM", 62: "x86-64", 183: "AArch64",
            243: "RISC-V"}


class ElfError(Exception):
    """The file is not what the kernel can run; the message says why, without the file's name."""


@dataclass(frozen=True)
class Elf:
    interpreter: str | None
    needed: tuple[str, ...]
    rpath: tuple[str, ...]  # DT_RPATH counts only without DT_RUNPATH
    runpath: tuple[str, ...]
    is_dynamic: bool


def is_elf(data: bytes) -> bool:
    return data[:4] == MAGIC


def _text(data: bytes, offset: int) -> str:
    end = data.find(b"\0", offset)
    if not 0 <= offset < len(data) or end < 0:
        raise ElfError("a string lies outside of the file")
    return data[offset:end].decode("utf-8", "surrogateescape")


def _headers(data: bytes) -> list[tuple[int, int, int, int]]:
    """(type, file offset, address, size in the file) of each program header."""
    table, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    if count and size != 56:
        raise ElfError(f"program headers of {size} bytes, not 56")
    found = []
    for at in range(table, table + size * count, size or 1):
        kind, _, offset, address, _, in_file = struct.unpack_from("<IIQQQQ", data, at)
        found.append((kind, offset, address, in_file))
    return found


def _dynamic(data: bytes, headers: list[tuple[int, int, int, int]]) -> dict[int, list[int]]:
    values: dict[int, list[int]] = {}
    for kind, offset, _, size in headers:
        if kind != PT_DYNAMIC:
            continue
        for at in range(offset, offset + size - 15, 16):
            tag, value = struct.unpack_from("<qQ", data, at)
            if tag == 0:
                break
            values.setdefault(tag, []).append(value)
    return values


def parse(data: bytes) -> Elf:
    if not is_elf(data):
        raise ElfError("not an ELF file")
    try:
        return _parse(data)
    except (struct.error, OverflowError):
        raise ElfError("an ELF file that is cut short or damaged") from None


def _parse(data: bytes) -> Elf:
    if data[4] != 2 or data[5] != 1:
        raise ElfError("not a 64-bit little-endian ELF file" + (" (a 32-bit program)" if data[4] == 1 else ""))
    kind, machine = struct.unpack_from("<HH", data, 16)
    if machine != EM_X86_64:
        raise ElfError(f"a program for {MACHINES.get(machine, f'machine {machine}')}, not for x86-64")
    if kind not in (ET_EXEC, ET_DYN):
        raise ElfError("neither a program nor a shared library" + (" (an object file)" if kind == 1 else ""))
    headers = _headers(data)
    interpreter = next((_text(data, offset) for kind, offset, _, _ in headers if kind == PT_INTERP), None)
    values = _dynamic(data, headers)

    def string(index: int) -> str:
        table = values.get(DT_STRTAB, [0])[0]
        for kind, offset, address, size in headers:
            if kind == PT_LOAD and address <= table < address + size:
                return _text(data, offset + table - address + index)
        raise ElfError("its dynamic strings lie in no segment")

    def strings(tag: int) -> tuple[str, ...]:
        return tuple(string(index) for index in values.get(tag, []))

    def folders(tag: int) -> tuple[str, ...]:
        return tuple(folder for text in strings(tag) for folder in text.split(":") if folder)

    return Elf(interpreter, strings(DT_NEEDED), folders(DT_RPATH), folders(DT_RUNPATH), bool(values))


def read(path: pathlib.Path) -> Elf:
    return parse(path.read_bytes())


CACHE_MAGIC = b"glibc-ld.so.cache1.1"


def library_cache(path: pathlib.Path = pathlib.Path("/etc/ld.so.cache")) -> dict[str, str]:
    """What ldconfig knows: name of a library -> its path, x86-64's only. Empty if there is no cache that we can read."""
    try:
        data = path.read_bytes()
        start = data.index(CACHE_MAGIC)  # an old-format cache may stand before
        count, = struct.unpack_from("<I", data, start + 20)
        found: dict[str, str] = {}
        for at in range(start + 48, start + 48 + 24 * count, 24):
            flags, key, value = struct.unpack_from("<iII", data, at)
            if flags & 0xff00 == 0x0300:  # 64-bit x86-64
                found.setdefault(_text(data, start + key), _text(data, start + value))
        return found
    except (OSError, ValueError, struct.error, ElfError):
        return {}
