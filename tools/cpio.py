"""Reads and writes cpio archives in the newc format, the format of the boot archive.

Times and owners are fixed and inode numbers counted, so that equal contents give equal bytes. The data of a file begins at a
multiple of the page size, so that the kernel can map it where it lies: the name before it is padded with NULs.
"""

import pathlib
import stat
from dataclasses import dataclass


class CpioError(Exception):
    """The archive is not what it should be, or lacks the file."""


def extract(archive: pathlib.Path, wanted: str) -> bytes:
    data = archive.read_bytes()
    offset = 0
    wanted = wanted.strip("/")
    while offset + 110 <= len(data):
        header = data[offset:offset + 110]
        if header[:6] not in (b"070701", b"070702"):
            raise CpioError(f"{archive.name}: no newc header at byte {offset}")
        try:
            fields = [int(header[6 + 8 * i:14 + 8 * i], 16) for i in range(13)]
        except ValueError:
            raise CpioError(f"{archive.name}: a damaged header at byte {offset}") from None
        size, name_size = fields[6], fields[11]
        name_end = offset + 110 + name_size
        begin = (name_end + 3) & ~3
        if begin + size > len(data) or name_size < 1:
            raise CpioError(f"{archive.name}: cut short at byte {offset}")
        name = data[offset + 110:name_end].split(b"\0")[0].decode("utf-8", "replace")
        if name == "TRAILER!!!":
            break
        if name.removeprefix("./").strip("/") == wanted:
            return data[begin:begin + size]
        offset = (begin + size + 3) & ~3
    raise CpioError(f"{archive.name}: there is no /{wanted} in it")


PAGE = 4096
HEADER = 110
TIME = 1704067200  # 2024-01-01: of every file, and late enough for those who take the first seconds of 1970 for a mistake
MAX_NAME = 4096  # with its NULs: longer names are refused by every reader


@dataclass(frozen=True)
class Entry:
    name: str  # relative to the root, without "./"
    mode: int  # type and permissions, as in stat
    data: bytes = b""  # a file's content, a link's target


def directory(name: str, permissions: int = 0o755) -> Entry:
    return Entry(name, stat.S_IFDIR | permissions)


def _record(number: int, entry: Entry, name_size: int) -> bytes:
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    fields = (number, entry.mode, 0, 0, links, TIME, len(entry.data), 0, 0, 0, 0, name_size, 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + entry.name.encode()
    head += b"\0" * (HEADER + name_size - len(head))
    head += b"\0" * (-len(head) % 4)
    return head + entry.data + b"\0" * (-len(entry.data) % 4)


def _padded(position: int, least: int) -> int:
    """The size of a name for a record at `position` whose data shall begin at a page; the last three bytes are padded anyway."""
    return least + max(0, -(position + HEADER + least) % PAGE - 3)


def write(entries: list[Entry]) -> bytes:
    """The archive of these entries, in their order: a folder must stand before what lies in it."""
    out = bytearray()
    for number, entry in enumerate(entries, 1):
        size = least = len(entry.name.encode()) + 1
        if least > MAX_NAME:
            raise CpioError(f"{entry.name[:40]}...: a name of {least - 1} bytes is too long for an archive")
        if stat.S_ISREG(entry.mode) and len(entry.data) >= PAGE:
            size = _padded(len(out), least)
            if size > MAX_NAME:  # the root once more, with a name that takes up the padding
                gap = size - least - HEADER
                out += _record(0, directory("."), gap if gap >= 2 else gap + PAGE)
                size = _padded(len(out), least)
        out += _record(number, entry, size)
    out += _record(0, Entry("TRAILER!!!", 0), len("TRAILER!!!") + 1)
    return bytes(out + b"\0" * (-len(out) % 512))
