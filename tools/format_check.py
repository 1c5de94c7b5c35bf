#!/usr/bin/env python3
"""Fails if a C++ file that git tracks is not formatted as .clang-format says.

format_check.py CLANG_FORMAT [--fix]
"""
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main(arguments):
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 64
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "--", "*.cpp", "*.h"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    files = listing.stdout.split()
    if not files:
        print("format_check: git lists no C++ files", file=sys.stderr)
        return 1
    mode = ["-i"] if arguments[1:] == ["--fix"] else ["--dry-run", "--Werror", "--ferror-limit=1"]
    done = subprocess.run([arguments[0], *mode, *files], cwd=ROOT, check=False)
    print(f"format_check: {len(files)} files, {'not all as .clang-format says' if done.returncode else 'all formatted'}")
    return 1 if done.returncode else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
