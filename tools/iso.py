"""Builds the bootable GRUB image of one kernel, one archive and one command line, and keeps it in build/iso/.

The file's name is the hash of all that went in, so an unchanged image is never built twice. Called by qemu.py and bochs.py.
"""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from guest import BUILD, UsageError

DIRECTORY = BUILD / "iso"
KEEP = 40  # images; the least recently used ones go first

GRUB_CONFIGURATION = """\
serial --unit=0 --speed=115200
terminfo serial dumb
terminal_input serial
terminal_output serial
set timeout=0
set default=0
menuentry "Tollgate" {{
    multiboot2 /boot/tollgate.elf {arguments}
{modules}    boot
}}
"""


def quote(append: str) -> str:
    """The command line as GRUB's shell must see it: every word that is not plain goes into single quotes."""
    if "'" in append or "\n" in append:
        raise UsageError("a quote or a newline cannot pass through GRUB's command line")
    return " ".join(w if re.fullmatch(r"[\w./:=,+@%-]+", w) else f"'{w}'" for w in append.split())


def configuration(append: str, has_archive: bool) -> str:
    modules = "    module2 /boot/programs.cpio\n" if has_archive else ""
    return GRUB_CONFIGURATION.format(arguments=quote(append), modules=modules)


def _digest(kernel: pathlib.Path, archive: pathlib.Path | None, text: str) -> str:
    state = hashlib.sha256(text.encode())
    for path in (kernel, archive):
        state.update(b"\0")
        if path:
            state.update(hashlib.sha256(path.read_bytes()).digest())
    return state.hexdigest()[:20]


def _prune() -> None:
    def used(path: pathlib.Path) -> float:
        try:
            return path.stat().st_mtime
        except FileNotFoundError:  # another test pruned it
            return 0.0

    for path in sorted(DIRECTORY.glob("*.iso"), key=used, reverse=True)[KEEP:]:
        path.unlink(missing_ok=True)


def build(kernel: pathlib.Path, archive: pathlib.Path | None, append: str) -> pathlib.Path:
    text = configuration(append, archive is not None)
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    target = DIRECTORY / (_digest(kernel, archive, text) + ".iso")
    if target.exists():
        os.utime(target)
        return target
    if shutil.which("grub-mkrescue") is None:
        raise UsageError("grub-mkrescue is not installed (tools/setup.sh installs it)")
    _prune()
    with tempfile.TemporaryDirectory(prefix="tollgate-iso-", dir=DIRECTORY) as scratch:
        boot = pathlib.Path(scratch, "image", "boot")
        (boot / "grub").mkdir(parents=True)
        (boot / "grub" / "grub.cfg").write_text(text)
        shutil.copyfile(kernel, boot / "tollgate.elf")
        if archive:
            shutil.copyfile(archive, boot / "programs.cpio")
        image = pathlib.Path(scratch, "out.iso")
        answer = subprocess.run(["grub-mkrescue", "--directory=/usr/lib/grub/i386-pc", "-o", image, boot.parent,
                                 "--", "-volume_date", "all_file_dates", "2024010100000000"],
                                capture_output=True, text=True)
        if answer.returncode != 0 or not image.exists():
            raise UsageError("grub-mkrescue failed:\n" + answer.stderr.strip())
        image.rename(target)
    return target
