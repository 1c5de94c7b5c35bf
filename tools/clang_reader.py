#!/usr/bin/env python3
"""Has clang read the kernel's sources as a second compiler: its warnings, and its proof that locks are held where they
must be (-Wthread-safety). Nothing is compiled. Kernel's CMakeLists.txt calls it.

clang_reader.py CLANG FILE... -- FLAG...
Exit status: 0 if no file has a warning, 1 otherwise, 64 on wrong usage.
"""

import concurrent.futures
import pathlib
import subprocess
import sys

JOBS = 2
WARNINGS = ["-fsyntax-only", "-Wall", "-Wextra", "-Wthread-safety", "-Werror"]


def read(clang: str, flags: list[str], file: str) -> str:
    """What clang has to say about one file; empty if nothing."""
    run = subprocess.run([clang, *flags, *WARNINGS, file], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         check=False)
    return run.stdout or (f"{file}: clang ended with status {run.returncode}\n" if run.returncode else "")


def main(arguments: list[str]) -> int:
    if "--" not in arguments or arguments.index("--") < 2:
        print(__doc__, file=sys.stderr)
        return 64
    split = arguments.index("--")
    clang, files, flags = arguments[0], arguments[1:split], arguments[split + 1:]
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        complaints = [text for text in pool.map(lambda file: read(clang, flags, file), files) if text]
    print("".join(complaints), end="")
    print(f"clang_reader: {pathlib.Path(clang).name} has read {len(files)} files, {len(complaints)} with complaints")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
