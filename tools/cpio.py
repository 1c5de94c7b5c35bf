"""Reads one file out of a cpio archive in the newc format, the format of the boot archive. Used by gdbsession.py."""

import pathlib


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
        name = data[offset + 110:name_end - 1].decode("utf-8", "replace")
        if name == "TRAILER!!!":
            break
        if name.removeprefix("./").strip("/") == wanted:
            return data[begin:begin + size]
        offset = (begin + size + 3) & ~3
    raise CpioError(f"{archive.name}: there is no /{wanted} in it")
