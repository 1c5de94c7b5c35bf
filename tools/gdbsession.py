"""Writes build/gdb-session.gdb, which tells tools/gdb/tollgate.gdb the kernel, the user program and the port of this boot.

The program is taken out of the boot archive, so gdb reads exactly what the guest runs. Called by run.py for --gdb.
"""

import pathlib

import cpio
from guest import BUILD, shown

SESSION = BUILD / "gdb-session.gdb"
COMMAND = "gdb -nx -q -x .gdbinit"


def program_symbols(archive: pathlib.Path, program: str) -> pathlib.Path | None:
    try:
        image = cpio.extract(archive, program)
    except (OSError, cpio.CpioError) as error:
        print(f"gdb: no symbols for {program}: {error}")
        return None
    target = BUILD / "gdb-programs" / program.strip("/").replace("/", "-")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(image)
    return target


def write(kernel: pathlib.Path, archive: pathlib.Path, program: str, port: int) -> str:
    """Writes the session file; returns the command line to type."""
    symbols = program_symbols(archive, program)
    lines = ["# Written by run-qemu.sh --gdb; read by tools/gdb/tollgate.gdb.",
             f'set $tg_port = {port}',
             f"python tollgate_kernel = '{shown(kernel)}'",
             f"python tollgate_program = {repr(shown(symbols)) if symbols else None}"]
    SESSION.parent.mkdir(parents=True, exist_ok=True)
    SESSION.write_text("\n".join(lines) + "\n")
    return COMMAND
