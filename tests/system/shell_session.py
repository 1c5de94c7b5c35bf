#!/usr/bin/env python3
"""Types into the console of a machine that runs busybox' shell, and compares what comes back: editing, ^C, job control, pipelines,
exit status. tests/system/CMakeLists.txt calls it, once a machine type. Exit status: 0 as expected, 1 not, 77 no busybox here.
"""

import argparse
import os
import pathlib
import re
import select
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import calibrate  # noqa: E402
import pack  # noqa: E402
import qemu  # noqa: E402
import shell  # noqa: E402
from guest import ACCELS, MACHINES, Guest  # noqa: E402

SKIPPED = 77
PROMPT = "root@tollgate:"
STEP = 20.0  # seconds for one answer, on the reference machine


class Wrong(Exception):
    """The console did not say what it should have."""


class Console:
    """QEMU's console, with a human's patience."""

    def __init__(self, guest: Guest):
        self.process = subprocess.Popen(qemu.command_line(guest), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.log = b""
        self.seen = 0  # bytes of the log that an expectation has used up

    def type(self, keys: str) -> None:
        self.process.stdin.write(keys.encode())
        self.process.stdin.flush()

    def expect(self, pattern: str, bound: float = STEP) -> re.Match:
        """The first match behind the last one."""
        end = time.monotonic() + calibrate.scaled(bound)
        while True:
            text = self.log[self.seen:].decode("utf-8", "replace")
            found = re.search(pattern, text)
            if found:
                self.seen += len(text[:found.end()].encode())
                return found
            left = end - time.monotonic()
            if left <= 0 or not self._more(left):
                raise Wrong(f"no '{pattern}' came; the rest is {text[-300:]!r}")

    def _more(self, bound: float) -> bool:
        if not select.select([self.process.stdout], [], [], bound)[0]:
            return True
        chunk = self.process.stdout.read() or b""
        self.log += chunk
        return bool(chunk)

    def command(self, line: str, pattern: str) -> re.Match:
        """Types a command and expects the pattern in what follows its echo."""
        self.type(line + "\n")
        self.expect(re.escape(line[-10:]) + r"[^\n]*\n")
        found = self.expect(pattern)
        self.expect(PROMPT)
        return found

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def prompt_time(console: Console, start: float) -> float:
    console.expect(PROMPT, 60)
    return time.monotonic() - start


def session(console: Console) -> None:
    # The kernel's own line editing, where no program does it: cat reads canonically.
    console.type("cat\n")
    console.expect("cat\r\n")
    time.sleep(0.5)  # the shell gives the terminal back just before cat starts
    console.type("helko\x7f\x7flo wrold\x17world\n")
    console.expect("\r\nhello world\r\n")
    console.type("killed\x15kept\n")
    console.expect("\r\nkept\r\n")
    console.type("\x04")
    console.expect(PROMPT)

    console.command("echo $((6 * 7))", r"\b42\r\n")
    console.command("false; echo status $?", r"status 1\r\n")
    console.command("seq 1 100 | grep 7 | wc -l", r"\b19\r\n")
    console.command("tty", r"/dev/ttyS0\r\n")
    console.command("stty size", r"30 100\r\n")

    # ^C ends what runs in the foreground, and only that.
    console.type("sleep 1000\n")
    console.expect("sleep 1000\r\n")
    time.sleep(0.5)
    console.type("\x03")
    console.expect(r"\^C")
    console.expect(PROMPT)
    console.command("echo status $?", r"status 130\r\n")

    # ^Z stops it, bg and fg go on with it.
    console.type("sleep 1001\n")
    console.expect("sleep 1001\r\n")
    time.sleep(0.5)
    console.type("\x1a")
    console.expect(r"Stopped")
    console.expect(PROMPT)
    console.command("jobs", r"Stopped\s+sleep 1001\r\n")
    console.command("bg", r"sleep 1001\r\n")
    console.command("jobs", r"Running\s+sleep 1001\r\n")
    console.type("fg\n")
    console.expect("sleep 1001\r\n")
    time.sleep(0.3)
    console.type("\x03")
    console.expect(PROMPT)
    console.command("jobs; echo none left", r"none left\r\n")

    # A program in the background may not read the terminal.
    console.type("cat &\n")
    console.expect(PROMPT)
    time.sleep(0.5)
    console.command("jobs", r"Stopped \(tty input\)\s+cat\r\n")
    console.command("kill %1; wait; echo waited", r"waited\r\n")

    # ^\ and a stopped screen.
    console.type("sleep 1002\n")
    console.expect("sleep 1002\r\n")
    time.sleep(0.5)
    console.type("\x1c")
    console.expect(PROMPT)
    console.command("echo status $?", r"status 131\r\n")
    console.command("ps | grep -c [s]h", r"\b[1-9]\d*\r\n")
    console.type("exit 7\n")


def main(arguments: list[str]) -> int:
    p = argparse.ArgumentParser(prog="tests/system/shell_session.py", description=__doc__)
    p.add_argument("--machine", default="q35", choices=MACHINES)
    p.add_argument("--accel", default="tcg", choices=ACCELS)
    p.add_argument("--smp", type=int, default=1)
    options = p.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="tollgate-") as folder:
        archive, verdict = pathlib.Path(folder) / "shell.cpio", pathlib.Path(folder) / "verdict"
        try:
            archive.write_bytes(shell.image())
        except pack.PackError as error:
            print(f"skipped: {error}")
            return SKIPPED
        verdict.write_bytes(b"")
        words = "init=/sbin/init quiet=on -- --size 30x100 TERM=linux"
        start = time.monotonic()
        console = Console(Guest(shell.KERNEL, archive, words, options.machine, options.accel, options.smp, results=verdict))
        try:
            print(f"the prompt came after {prompt_time(console, start):.2f} s")
            session(console)
            console.process.wait(timeout=calibrate.scaled(STEP))
            said = verdict.read_text().strip()
            if said != "exit 7":
                raise Wrong(f"the shell's end is told as '{said}', not 'exit 7'")
        except (Wrong, subprocess.TimeoutExpired, BrokenPipeError) as error:
            print(console.log.decode("utf-8", "replace"))
            print(f"WRONG: {error}")
            return 1
        finally:
            console.end()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
