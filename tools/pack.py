#!/usr/bin/env python3
"""Packs boot archives: our own programs for the build, or programs of this host with all that they need to run in the guest.

    tools/pack.py ARCHIVE PROGRAM...    each becomes /bin/NAME, without debug information; CMake calls this

tools/program.py uses Image for the programs of others. Files keep the paths that they have here, symbolic links included, so that
a program finds its libraries and data where it looks for them.
"""

import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile

import cpio
import elf

BASE = ("dev", "etc", "proc", "sys", "tmp", "run", "root", "var", "var/tmp")
# The C library opens these by itself; the real ones are none of the guest's business.
ETC = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "group": "root:x:0:\nnogroup:x:65534:\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n",
    "hosts": "127.0.0.1 localhost\n",
    "hostname": "tollgate\n",
}
LIBRARY_FOLDERS = ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib")
# Opened by the C library when it is needed, and named by nobody: for pthread_cancel() and pthread_exit().
UNNAMED = {"libc.so.6": ("libgcc_s.so.1",)}
LOCALE = "/usr/lib/locale/C.utf8"  # what LANG=C.UTF-8 asks for
MAX_SCRIPT_DEPTH = 4  # as Linux: an interpreter may be a script in turn
NO_CONTENT = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/", "/usr/share/lintian/", "/usr/share/info/",
              "/usr/share/bug/", "/usr/share/menu/", "/usr/share/applications/", "/usr/share/pixmaps/", "/etc/", "/var/")


class PackError(Exception):
    """The image cannot be made; the message says why and names the file."""


class Image:
    """The contents of an archive: names relative to the root, folders made as they are needed."""

    def __init__(self, base: bool = True) -> None:
        self.entries: dict[str, cpio.Entry] = {}
        self._cache: dict[str, str] | None = None
        self._done: set[str] = set()
        self.library_path: tuple[str, ...] = ()  # LD_LIBRARY_PATH of the program
        for name in BASE if base else ():
            self.folder(name, 0o1777 if name in ("tmp", "var/tmp") else 0o755)

    # ---- plain contents ----

    def _where(self, name: str) -> str:
        """The name with the image's own links to folders followed, so that a file is put where it will be looked up."""
        parts, followed = [part for part in name.split("/") if part not in ("", ".")], 0
        done: list[str] = []
        while parts:
            part = parts.pop(0)
            if part == "..":
                done = done[:-1]
                continue
            entry = self.entries.get("/".join((*done, part)))
            if entry is None or not stat.S_ISLNK(entry.mode) or not parts:
                done.append(part)
                continue
            followed += 1
            if followed > 40:
                raise PackError(f"/{name}: too many symbolic links")
            target = entry.data.decode("utf-8", "surrogateescape")
            done = [] if target.startswith("/") else done
            parts = [p for p in target.split("/") if p not in ("", ".")] + parts
        return "/".join(done)

    def _put(self, name: str, mode: int, data: bytes) -> None:
        name = self._where(name)
        parent = name.rpartition("/")[0]
        if parent and parent not in self.entries:
            self.folder(parent)
        if parent and not stat.S_ISDIR(self.entries[parent].mode):
            raise PackError(f"/{name}: /{parent} is no folder")
        old = self.entries.get(name)
        if old is not None and stat.S_ISDIR(old.mode) != stat.S_ISDIR(mode):
            raise PackError(f"/{name} is a folder and something else too")
        self.entries[name] = cpio.Entry(name, mode, data)

    def folder(self, name: str, permissions: int = 0o755) -> None:
        if name.strip("/"):
            self._put(name, stat.S_IFDIR | permissions, b"")

    def file(self, name: str, data: bytes, permissions: int = 0o644) -> None:
        self._put(name, stat.S_IFREG | permissions, data)

    def link(self, name: str, target: str) -> None:
        self._put(name, stat.S_IFLNK | 0o777, target.encode("utf-8", "surrogateescape"))

    def standard_files(self) -> None:
        for name, text in ETC.items():
            self.file(f"etc/{name}", text.encode())

    def archive(self) -> bytes:
        """The bytes; a folder sorts before what lies in it, because its name is a prefix."""
        try:
            return cpio.write([self.entries[name] for name in sorted(self.entries)])
        except cpio.CpioError as error:
            raise PackError(str(error)) from None

    # ---- files of this host, where they lie here ----

    def host_path(self, path: str) -> None:
        """One file, folder (without contents) or link, with every link on the way to it and what it points to."""
        parts = [part for part in path.split("/") if part not in ("", ".")]
        at, followed = "", 0
        while parts:
            part = parts.pop(0)
            if part == "..":
                at = at.rpartition("/")[0]
                continue
            at = f"{at}/{part}"
            info = _lstat(at)
            if stat.S_ISLNK(info.st_mode):
                followed += 1
                if followed > 40:
                    raise PackError(f"{path}: too many symbolic links")
                target = os.readlink(at)
                if at[1:] not in self.entries:
                    self.link(at, target)
                parts = target.split("/") + parts
                parts = [p for p in parts if p not in ("", ".")]
                at = "" if target.startswith("/") else at.rpartition("/")[0]
            elif stat.S_ISDIR(info.st_mode):
                if at[1:] not in self.entries:
                    self.folder(at, stat.S_IMODE(info.st_mode))
            elif not stat.S_ISREG(info.st_mode):
                raise PackError(f"{at}: neither a file nor a folder nor a link")
            elif parts:
                raise PackError(f"{path}: {at} is no folder")
            elif at[1:] not in self.entries:
                self.file(at, read_file(at), stat.S_IMODE(info.st_mode))

    def tree(self, folder: pathlib.Path, to: str) -> None:
        """The contents of a folder of this host, put under another path."""
        if not folder.is_dir():
            raise PackError(f"{folder}: no such folder")
        self.folder(to)
        for path in sorted(folder.rglob("*")):
            name = f"{to}/{path.relative_to(folder)}"
            info = _lstat(str(path))
            if stat.S_ISLNK(info.st_mode):
                self.link(name, os.readlink(path))
            elif stat.S_ISDIR(info.st_mode):
                self.folder(name, stat.S_IMODE(info.st_mode))
            elif stat.S_ISREG(info.st_mode):
                self.file(name, read_file(str(path)), stat.S_IMODE(info.st_mode))
            else:
                raise PackError(f"{path}: neither a file nor a folder nor a link")

    def package(self, package: str) -> None:
        """The files of an installed Debian package but for its documentation, with the libraries that they need."""
        try:
            run = subprocess.run(["dpkg", "-L", package], capture_output=True, text=True)
        except OSError as error:
            raise PackError(f"package {package}: dpkg cannot be run: {error}") from None
        if run.returncode:
            raise PackError(f"package {package} is not installed here")
        for path in run.stdout.splitlines():
            if not path.startswith("/") or path == "/." or f"{path}/".startswith(NO_CONTENT) or not os.path.lexists(path):
                continue
            self.host_path(path)
            if os.path.isfile(path) and elf.is_elf(read_file(path, 4)):
                self.elf_file(path)

    # ---- programs ----

    def program(self, path: str, search: str = "/usr/bin:/bin", depth: int = 0) -> None:
        """A program at this absolute path, and all that it is known to need to start."""
        data = read_file(path)
        if not os.access(path, os.X_OK):
            raise PackError(f"{path}: it may not be executed (chmod +x)")
        if data.startswith(b"#!"):
            self._script(path, data, search, depth)
        elif elf.is_elf(data):
            self.elf_file(path)
        else:
            raise PackError(f"{path}: neither an ELF program nor a script that begins with #!")

    def _script(self, path: str, data: bytes, search: str, depth: int) -> None:
        if depth == MAX_SCRIPT_DEPTH:
            raise PackError(f"{path}: its interpreter is a script of a script of a script: too deep")
        words = data[2:].split(b"\n")[0].decode("utf-8", "surrogateescape").split()
        if not words:
            raise PackError(f"{path}: no interpreter stands behind #!")
        self.host_path(path)
        if not os.path.exists(words[0]):
            raise PackError(f"{path}: its interpreter {words[0]} is missing here")
        self.program(words[0], search, depth + 1)
        if os.path.basename(words[0]) != "env":
            return
        wanted = next((word for word in words[1:] if not word.startswith("-") and "=" not in word), None)
        if wanted is None:
            raise PackError(f"{path}: it names no program for env")
        found = shutil.which(wanted, path=search)
        if found is None:
            raise PackError(f"{path}: its interpreter {wanted} is not found in {search}")
        self.program(found, search, depth + 1)

    def elf_file(self, path: str, rpath: tuple[str, ...] = ()) -> None:
        """A program or library with its interpreter and its libraries, and theirs. `rpath`: what its users hand down."""
        real = os.path.realpath(path)
        self.host_path(path)
        if real in self._done:
            return
        self._done.add(real)
        try:
            what = elf.parse(read_file(path))
        except elf.ElfError as error:
            raise PackError(f"{path}: {error}") from None
        if what.interpreter:
            if not os.path.exists(what.interpreter):
                raise PackError(f"{path}: its loader {what.interpreter} is missing here")
            self.host_path(what.interpreter)
            if os.path.exists("/etc/ld.so.cache"):
                self.host_path("/etc/ld.so.cache")
            for folder, _, files in os.walk(LOCALE):
                for name in sorted(files):
                    self.host_path(f"{folder}/{name}")
        handed = rpath if what.runpath else (*what.rpath, *rpath)
        for name in what.needed:
            found = self._library(name, path, what, handed)
            if found is None:
                places = ", ".join(dict.fromkeys((*self.library_path, *what.runpath, *handed))) or "the system's folders"
                raise PackError(f"{path}: it needs {name}, which is not found in {places} nor by the loader's cache")
            self.elf_file(found, () if what.runpath else handed)
            for unnamed in UNNAMED.get(name, ()):
                also = self._library(unnamed, path, what, handed)
                if also is not None:
                    self.elf_file(also)

    def _library(self, name: str, user: str, what: elf.Elf, rpath: tuple[str, ...]) -> str | None:
        """Where the loader will find a library [ld.so(8)]."""
        origin = os.path.dirname(os.path.realpath(user))

        def expand(folder: str) -> str:
            for word, value in (("ORIGIN", origin), ("LIB", "lib/x86_64-linux-gnu"), ("PLATFORM", "x86_64")):
                folder = folder.replace("${" + word + "}", value).replace("$" + word, value)
            return folder

        if "/" in name:
            return name if _is_library(name) else None
        if self._cache is None:
            self._cache = elf.library_cache()
        before = (*(() if what.runpath else rpath), *self.library_path, *what.runpath)
        candidates = [os.path.join(expand(folder), name) for folder in before]
        candidates += [self._cache[name]] if name in self._cache else []
        candidates += [os.path.join(folder, name) for folder in LIBRARY_FOLDERS]
        return next((path for path in candidates if _is_library(path)), None)

    def library(self, name: str) -> None:
        """A library that is named from outside, as in LD_PRELOAD."""
        found = self._library(name, "/", elf.Elf(None, (), (), (), True), ())
        if found is None:
            raise PackError(f"{name}: no such library")
        self.elf_file(found)


def _lstat(path: str) -> os.stat_result:
    try:
        return os.lstat(path)
    except OSError as error:
        raise PackError(f"{path}: {error.strerror}") from None


def _is_library(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            head = file.read(20)
    except OSError:
        return False
    return elf.is_elf(head) and head[4:5] == b"\2" and head[18:20] == bytes((elf.EM_X86_64, 0))


def read_file(path: str, size: int = -1) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(size)
    except OSError as error:
        raise PackError(f"{path}: {error.strerror}") from None


def stripped(program: str) -> bytes:
    """Without debug information; symbols stay, for gdb."""
    with tempfile.TemporaryDirectory(prefix="tollgate-") as folder:
        out = os.path.join(folder, "program")
        run = subprocess.run(["strip", "--strip-debug", "-o", out, program], capture_output=True, text=True)
        if run.returncode:
            raise PackError(f"{program}: strip: {run.stderr.strip()}")
        return read_file(out)


def main(arguments: list[str]) -> int:
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 64
    archive = pathlib.Path(arguments[0])
    try:
        image = Image()
        for program in arguments[1:]:
            image.file(f"bin/{os.path.basename(program)}", stripped(program), 0o755)
        draft = archive.with_suffix(f".{os.getpid()}")
        draft.write_bytes(image.archive())
        draft.replace(archive)
    except PackError as error:
        print(f"pack: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
