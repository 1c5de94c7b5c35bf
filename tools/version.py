#!/usr/bin/env python3
"""Writes version.h: commit (with "-dirty" if the tree differs), compiler and flags. Touches the file only when it changes.

version.py SOURCE_DIR OUT.h COMPILER FLAGS
"""
import pathlib
import subprocess
import sys


def git(source, *arguments):
    try:
        done = subprocess.run(["git", "-C", source, "-c", "safe.directory=*", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:  # a machine that only runs Tollgate need not have git
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def commit(source):
    head = git(source, "rev-parse", "--short=12", "HEAD")
    if head is None:
        return "unknown"
    return head + ("-dirty" if git(source, "status", "--porcelain", "--untracked-files=no") else "")


def main(arguments):
    if len(arguments) != 4:
        print(__doc__, file=sys.stderr)
        return 64
    source, target, compiler, flags = arguments
    text = (
        "// Made by tools/version.py.\n#pragma once\n\nnamespace tollgate {\n\n"
        f'inline constexpr const char* kVersionCommit = "{commit(source)}";\n'
        f'inline constexpr const char* kVersionCompiler = "{compiler}";\n'
        f'inline constexpr const char* kVersionFlags = "{flags}";\n\n}}  // namespace tollgate\n'
    )
    path = pathlib.Path(target)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
