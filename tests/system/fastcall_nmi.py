#!/usr/bin/env python3
"""Injects NMIs by QMP, as fast as QEMU takes them, while a guest makes a million fastcalls (userland/tests/fastcall_nmi.cpp).

    tests/system/fastcall_nmi.py [KERNEL OPTIONS]     exit status: 0 the guest passed, 1 not
"""

import pathlib
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import qemu  # noqa: E402
import qmp  # noqa: E402
from guest import BUILD, Guest, Outcome  # noqa: E402

KERNEL = BUILD / "kernel" / "tollgate-test.elf"
ARCHIVE = BUILD / "userland" / "tests.cpio"


def inject(path: pathlib.Path, console: pathlib.Path, ended: threading.Event) -> int:
    """NMIs from the guest's line "calling" until it has ended; how many. Before it has an IDT one would be a triple fault."""
    while b"calling" not in console.read_bytes():
        if ended.wait(0.02):
            return 0
    sent = 0
    while not ended.is_set():
        try:
            with qmp.Client(str(path)) as monitor:
                while not ended.is_set():
                    monitor.command("inject-nmi")
                    sent += 1
        except (OSError, qmp.Error):
            time.sleep(0.05)  # QEMU is not there yet, or not any more
    return sent


def main(options: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="tollgate-") as scratch:
        control, console = pathlib.Path(scratch) / "injector", pathlib.Path(scratch) / "console"
        console.touch()
        guest = Guest(KERNEL, ARCHIVE, " ".join([*options, "init=/bin/test-fastcall_nmi"]), timeout=120,
                      extra=["-chardev", f"socket,id=injector,path={control},server=on,wait=off", "-mon",
                             "chardev=injector,mode=control"])
        ended, sent = threading.Event(), []
        injector = threading.Thread(target=lambda: sent.append(inject(control, console, ended)))
        injector.start()
        try:
            report = qemu.run(guest, log_path=console)
        finally:
            ended.set()
            injector.join()
    print(f"{sent[0]} NMIs injected; the guest: {report.outcome.label}, {report.detail}")
    return 0 if report.outcome is Outcome.PASS else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
