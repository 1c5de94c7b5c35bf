#!/usr/bin/env python3
"""Fetches the third-party sources that are compiled but never committed, into third_party/. Called by tools/setup.sh;
with the word "test", those that only tests need as well.

They come from Debian's source packages, pinned to a version and to the checksum of the upstream tarball. Machines seldom
have source entries enabled, so a private list is derived from the binary entries that this machine is configured with; its
own configuration, lists and caches stay as they are.
"""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass

THIRD_PARTY = pathlib.Path(__file__).resolve().parent.parent / "third_party"
APT = pathlib.Path("/etc/apt")


@dataclass(frozen=True)
class Source:
    package: str
    version: str
    tarball: str
    sha256: str
    folder: str  # what the tarball unpacks to
    why: str
    test_only: bool = False


SOURCES = (
    Source("benchmark", "1.7.1-1", "benchmark_1.7.1.orig.tar.gz",
           "6430e4092653380d9dc4ccb45a1e2dc9259d581f4866dc0759713126056bc1d7", "benchmark-1.7.1",
           "Google Benchmark, which /bin/bench is built with"),
    Source("sqlite3", "3.40.1-2+deb12u2", "sqlite3_3.40.1.orig.tar.xz",
           "aaa776260ab4dc976db34aa7891819484c8676b5b2783123ebc6301e2ca5d655", "sqlite3-3.40.1",
           "SQLite's own speed test, a program of others that is run in the guest", test_only=True),
)


class FetchError(Exception):
    """The source cannot be had; the message says what to do."""


def release_names() -> set[str]:
    """The suites that hold the release itself, as this machine may name them."""
    names = {"stable", "oldstable"}
    try:
        match = re.search(r"^VERSION_CODENAME=\"?(\w+)", pathlib.Path("/etc/os-release").read_text(), re.MULTILINE)
    except OSError:
        match = None
    return names | ({match.group(1)} if match else {"bookworm"})


def derive_list(text: str, suites: set[str]) -> list[str]:
    """deb-src lines for every `deb` line of a one-line-style list that offers `main` of the release."""
    found = []
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)", line.split("#")[0])
        if match and match.group(3) in suites and "main" in match.group(4).split():
            found.append(f"deb-src {match.group(1) or ''}{match.group(2)} {match.group(3)} main")
    return found


def derive_stanzas(text: str, suites: set[str]) -> list[str]:
    """deb-src stanzas for every enabled deb822 stanza that offers `main` of the release; other fields stay verbatim."""
    found = []
    for stanza in re.split(r"\n[ \t]*\n", text):
        fields: list[list[str]] = []  # [name, raw text], continuation lines included
        for line in stanza.splitlines():
            if line.startswith("#") or not line.strip():
                continue
            if line[0] in " \t" and fields:
                fields[-1][1] += "\n" + line
            elif ":" in line:
                fields.append([line.split(":", 1)[0].strip().lower(), line])

        def value(name: str) -> list[str]:
            return next((raw.split(":", 1)[1].split() for key, raw in fields if key == name), [])

        wanted = [suite for suite in value("suites") if suite in suites]
        if not wanted or "main" not in value("components") or value("enabled") == ["no"]:
            continue
        if not {"deb", "deb-src"} & set(value("types")):
            continue
        kept = [raw for key, raw in fields if key not in ("types", "suites", "components", "architectures", "enabled")]
        found.append("\n".join(["Types: deb-src", "Suites: " + " ".join(wanted), "Components: main", *kept]))
    return found


def write_lists(parts: pathlib.Path) -> None:
    suites = release_names()
    lists = [APT / "sources.list", *sorted((APT / "sources.list.d").glob("*.list"))]
    lines = [line for path in lists if path.is_file() for line in derive_list(path.read_text(errors="replace"), suites)]
    stanzas = [s for path in sorted((APT / "sources.list.d").glob("*.sources"))
               for s in derive_stanzas(path.read_text(errors="replace"), suites)]
    if not lines and not stanzas:
        raise FetchError(f"no package source of this machine offers 'main' of {' or '.join(sorted(suites))}")
    (parts / "tollgate.list").write_text("\n".join(lines) + "\n")
    (parts / "tollgate.sources").write_text("\n\n".join(stanzas) + "\n")


def _apt(arguments: list[str], scratch: pathlib.Path, cwd: pathlib.Path) -> subprocess.CompletedProcess:
    options = ["Dir::Etc::SourceList=/dev/null", f"Dir::Etc::SourceParts={scratch / 'parts'}",
               f"Dir::State::Lists={scratch / 'lists'}", f"Dir::Cache={scratch / 'cache'}",
               "Acquire::Languages=none", "Acquire::IndexTargets::deb-src::Contents-dsc::DefaultEnabled=false",
               "Acquire::Retries=3", "Debug::NoLocking=1"]
    if os.geteuid() == 0:
        options.append("APT::Sandbox::User=root")
    command = ["apt-get", "-q", *(word for option in options for word in ("-o", option)), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, errors="replace")


def download(source: Source, scratch: pathlib.Path) -> pathlib.Path:
    for name in ("parts", "lists/partial", "cache/archives/partial", "out"):
        (scratch / name).mkdir(parents=True, exist_ok=True)
    write_lists(scratch / "parts")
    update = _apt(["update"], scratch, scratch)
    answer = _apt(["source", "--download-only", f"{source.package}={source.version}"], scratch, scratch / "out")
    tarball = scratch / "out" / source.tarball
    if not tarball.is_file():
        said = [line for line in (update.stderr + answer.stderr).splitlines() if line[:2] in ("E:", "W:") and "'deb-src' URIs" not in line]
        raise FetchError(f"Debian's source package {source.package} {source.version} cannot be fetched "
                         "(is there a network?):\n  " + "\n  ".join(said[:6] or ["apt-get gave no reason"]))
    return tarball


def verify(tarball: pathlib.Path, source: Source) -> None:
    got = hashlib.sha256(tarball.read_bytes()).hexdigest()
    if got != source.sha256:
        raise FetchError(f"{source.tarball} has SHA-256 {got}, but {source.sha256} is pinned in tools/fetch.py")


def unpack(tarball: pathlib.Path, source: Source, scratch: pathlib.Path) -> None:
    with tarfile.open(tarball) as archive:
        archive.extractall(scratch / "tree", filter="data") if hasattr(tarfile, "data_filter") else \
            archive.extractall(scratch / "tree")
    tree = scratch / "tree" / source.folder
    if not tree.is_dir():
        raise FetchError(f"{source.tarball} does not unpack to {source.folder}")
    (tree / ".fetched").write_text(source.sha256 + "\n")
    target = THIRD_PARTY / source.folder
    shutil.rmtree(target, ignore_errors=True)
    tree.rename(target)


def is_present(source: Source) -> bool:
    try:
        return (THIRD_PARTY / source.folder / ".fetched").read_text().strip() == source.sha256
    except OSError:
        return False


def main(arguments: list[str]) -> int:
    for source in SOURCES:
        if is_present(source) or (source.test_only and "test" not in arguments):
            continue
        print(f"setup: fetching the source of {source.package} {source.version}: {source.why}", flush=True)
        if shutil.which("apt-get") is None:
            print("setup: apt-get is missing: Tollgate's set-up needs Debian 12 or a close relative", file=sys.stderr)
            return 1
        THIRD_PARTY.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=THIRD_PARTY) as scratch:
            try:
                tarball = download(source, pathlib.Path(scratch))
                verify(tarball, source)
                unpack(tarball, source, pathlib.Path(scratch))
            except FetchError as error:
                print(f"setup: {error}", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
