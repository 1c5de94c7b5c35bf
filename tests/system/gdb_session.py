#!/usr/bin/env python3
"""Tries out the debugger session: boots a guest that waits for gdb, has gdb connect by .gdbinit, stop in kernel_main and print
a backtrace, then checks what gdb said.
"""

import os
import pathlib
import socket
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import calibrate  # noqa: E402
import qemu  # noqa: E402
from guest import BUILD, Guest  # noqa: E402

KERNEL = BUILD / "kernel" / "tollgate.elf"
ARCHIVE = BUILD / "userland" / "programs.cpio"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main(kernel: pathlib.Path = KERNEL, function: str = "kernel_main") -> int:
    guest = Guest(kernel, ARCHIVE if ARCHIVE.exists() else None, "init=/bin/smoke", gdb=free_port())
    machine = subprocess.Popen(qemu.command_line(guest), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    try:
        gdb = subprocess.run(
            ["gdb", "-nx", "-q", "-batch", "-x", ".gdbinit", "-ex", f"thbreak {function}", "-ex", "continue", "-ex", "backtrace",
             "-ex", "tg-where", "-ex", "kill"],
            cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=calibrate.scaled(60),
            env={**os.environ, "TOLLGATE_GDB_PORT": str(guest.gdb), "TOLLGATE_GDB_KERNEL": str(kernel)})
        said = gdb.stdout + gdb.stderr
    except subprocess.TimeoutExpired as error:
        said = f"{(error.stdout or b'').decode('utf-8', 'replace')}\ngdb hung"
    finally:
        machine.kill()
        console = machine.communicate()[0]
    wanted = ("#0  ", f"{function} (", "CPU 0: ring 0,")
    missing = [text for text in wanted if text not in said]
    print(said)
    for text in missing:
        print(f"WRONG: gdb never said '{text}'")
    if missing:
        print("--- console\n" + console.decode("utf-8", "replace"))
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(*([pathlib.Path(sys.argv[1]), sys.argv[2]] if len(sys.argv) > 2 else [])))
