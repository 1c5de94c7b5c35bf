"""Debian's cloud kernel as an opponent: found and downloaded as a package, unpacked under build/, never installed.

The version is whatever the machine's package lists call current, and is recorded in every result; a kernel that is there already is
used again without a network.
"""

import pathlib
import re
import shutil
import subprocess
from dataclasses import dataclass

from guest import BUILD

FOLDER = BUILD / "linux"
META = "linux-image-cloud-amd64"


class LinuxError(Exception):
    """There is no Linux to compare with; the message says what to do."""


@dataclass(frozen=True)
class Linux:
    package: str
    version: str
    kernel: pathlib.Path

    @property
    def title(self) -> str:
        return f"{self.package} {self.version}"


def _output(*command: str, folder: pathlib.Path | None = None) -> str:
    try:
        run = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LinuxError(f"{command[0]}: {error}") from None
    if run.returncode:
        errors = [line for line in run.stderr.splitlines() if line.startswith("E:")] or [run.stderr.strip() or "no message"]
        raise LinuxError(f"{' '.join(command)}: {errors[0]}")
    return run.stdout


def package_name(depends: str) -> str:
    """The kernel that the meta package stands for, from the text of apt-cache depends."""
    match = re.search(r"Depends: (linux-image-\S+-cloud-amd64)\s*$", depends, re.MULTILINE)
    if match is None:
        raise LinuxError(f"the package lists know no {META} (run: apt-get update)")
    return match.group(1)


def at_hand(folder: pathlib.Path = FOLDER) -> Linux | None:
    """The newest kernel that was unpacked before."""
    found = sorted(folder.glob("*/boot/vmlinuz-*"), key=lambda path: path.stat().st_mtime)
    if not found:
        return None
    package, _, version = found[-1].parent.parent.name.partition("_")
    return Linux(package, version, found[-1])


def fetch(folder: pathlib.Path = FOLDER) -> Linux:
    known = at_hand(folder)
    if known is not None:
        return known
    folder.mkdir(parents=True, exist_ok=True)
    try:
        package = package_name(_output("apt-cache", "depends", META))
        if not list(folder.glob(f"{package}_*.deb")):
            _output("apt-get", "download", package, folder=folder)
    except LinuxError as error:
        raise LinuxError(f"{error}\nThe comparison needs Debian's package {META}, once, from the network (or its .deb in {folder}).") from None
    archive = sorted(folder.glob(f"{package}_*.deb"))[-1]
    version = _output("dpkg-deb", "-f", str(archive), "Version").strip()
    target = folder / f"{package}_{version.replace(':', '%3a')}"
    draft = folder / "unpacking"
    shutil.rmtree(draft, ignore_errors=True)
    _output("dpkg-deb", "-x", str(archive), str(draft))
    shutil.rmtree(draft / "lib", ignore_errors=True)  # modules: the comparison needs none
    draft.replace(target)
    archive.unlink()
    found = at_hand(folder)
    if found is None:
        raise LinuxError(f"{archive.name} holds no kernel")
    return found
