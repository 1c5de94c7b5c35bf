#!/usr/bin/env python3
"""Checks which file includes which: an include in kernel/ or drivers/ goes to its own layer or down, never up.

Also: the folders of gate/ do not include each other, lwIP's headers are seen by net/ only, and user programs see no kernel
header but kernel/api. With --long it lists files past 400 lines instead (a warning list,
never a failure). Exit status: 0 clean, 1 not.
"""

import argparse
import pathlib
import re
import sys

ORDER = ("api", "lib", "cpu", "sync", "debug", "mem", "sched", "task", "fs", "drivers", "net", "syscall", "gate")
MAIN = len(ORDER)  # main.cpp and what else stands directly in kernel/ may include everything
INCLUDE = re.compile(r"""^[ \t]*#[ \t]*include(?:_next)?[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)""", re.MULTILINE)
SUFFIXES = (".h", ".hpp", ".c", ".cpp", ".cc", ".S", ".inc", ".def")
TREES = ("kernel", "drivers", "userland", "boot")
LONG = 400


def strip_comments(text: str) -> str:
    return re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text, flags=re.DOTALL)


def sources(root: pathlib.Path, trees: tuple[str, ...]):
    for tree in trees:
        for path in sorted((root / tree).rglob("*")):
            if path.suffix in SUFFIXES and path.is_file():
                yield path.relative_to(root)


def area(path: pathlib.PurePath) -> tuple[str, ...]:
    """The layer of a file: ('mem',), ('gate', 'flexsc'), ('drivers',), ('userland',), ('main',), ('boot',)."""
    top, *rest = path.parts
    if top != "kernel":
        return (top,)
    if len(rest) == 1:
        return ("main",)
    if rest[0] == "gate" and len(rest) > 2:
        return ("gate", rest[1])
    return (rest[0],)


def rank(where: tuple[str, ...]) -> int | None:
    if where[0] in ("main", "boot"):
        return MAIN
    return ORDER.index(where[0]) if where[0] in ORDER else None


def resolve(root: pathlib.Path, user: pathlib.PurePath, name: str, quoted: bool) -> pathlib.PurePath | None:
    """The file in this tree that an include names, as the compiler would look it up; None when it is somebody else's."""
    places = [root / user.parent] if quoted else []
    places += [root, root / "kernel", root / "userland", root / "kernel" / "api"]
    for place in places:
        candidate = (place / name).resolve()
        if candidate.is_file() and candidate.is_relative_to(root):
            return candidate.relative_to(root)
    # A generated header (asm_offsets.h) or a missing one still says its layer by its path.
    parts = pathlib.PurePath(name).parts
    if len(parts) > 1 and parts[0] in ("kernel", "drivers", "userland"):
        return pathlib.PurePath(name)
    if len(parts) > 1 and parts[0] in ORDER:
        return pathlib.PurePath("kernel", name) if parts[0] != "drivers" else pathlib.PurePath(name)
    return None


def fault(user: pathlib.PurePath, used: pathlib.PurePath | None, name: str) -> str | None:
    """Why `user` may not include `name` (which is the file `used`), or None."""
    mine = area(user)
    if used is None and re.match(r"(lwip|netif)/", name) and mine[0] != "net":
        return "lwIP's headers belong to kernel/net only"
    if used is None:
        return None
    theirs = area(used)
    if mine[0] == "userland":
        if theirs[0] != "userland" and theirs[0] != "api" and used.parts[0] in ("kernel", "drivers", "boot"):
            return "user programs see kernel/api only"
        return None
    if theirs[0] == "userland":
        return "the kernel does not include user programs"
    my_rank, their_rank = rank(mine), rank(theirs)
    if my_rank is None:
        return None if user.parts[0] != "kernel" else f"kernel/{mine[0]} is not a layer (tools/layers.py lists them)"
    if their_rank is None:
        return None if used.parts[0] != "kernel" else f"kernel/{theirs[0]} is not a layer (tools/layers.py lists them)"
    if their_rank > my_rank:
        return f"{mine[0]} is below {theirs[0]}: an include goes down only"
    if mine[0] == theirs[0] == "gate" and len(theirs) == 2 and mine != theirs:
        return "the folders of gate/ never include each other" if len(mine) == 2 else None
    return None


def check(root: pathlib.Path) -> list[str]:
    root = root.resolve()
    found = []
    for path in sources(root, TREES):
        text = strip_comments((root / path).read_text(errors="replace"))
        for match in INCLUDE.finditer(text):
            name = match.group(1) or match.group(2)
            reason = fault(path, resolve(root, path, name, match.group(1) is not None), name)
            if reason:
                line = text.count("\n", 0, match.start()) + 1
                found.append(f"{path}:{line}: includes {name}: {reason}")
    return found


def long_files(root: pathlib.Path) -> list[str]:
    found = []
    for path in sources(root, (*TREES, "tests", "tools")):
        lines = (root / path).read_text(errors="replace").count("\n")
        if lines > LONG:
            found.append(f"{path}: {lines} lines; past {LONG}, split")
    for path in sorted((root / "tools").rglob("*.py")):
        lines = path.read_text(errors="replace").count("\n")
        if lines > LONG:
            found.append(f"{path.relative_to(root)}: {lines} lines; past {LONG}, split")
    return found


def main(arguments: list[str]) -> int:
    p = argparse.ArgumentParser(prog="tools/layers.py", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("root", type=pathlib.Path, nargs="?", default=pathlib.Path(__file__).resolve().parent.parent)
    p.add_argument("--long", action="store_true", help="list files of more than 400 lines")
    options = p.parse_args(arguments)
    if not (options.root / "kernel").is_dir():
        print(f"layers: {options.root} has no kernel/ folder", file=sys.stderr)
        return 1
    found = long_files(options.root) if options.long else check(options.root)
    for line in found:
        print(line)
    count = sum(1 for _ in sources(options.root, TREES))
    print(f"layers: {count} files, {len(found)} {'long' if options.long else 'wrong includes'}")
    return 1 if found and not options.long else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
