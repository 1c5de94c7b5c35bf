"""What one guest run is (Guest), how it can end (Outcome) and what is known afterwards (Report).

Shared by qemu.py and bochs.py, which run guests, and by everything that asks them to. Nothing here touches a process.
"""

import enum
import pathlib
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"

MACHINES = ("q35", "pc", "microvm")
ACCELS = ("tcg", "icount", "kvm", "bochs")
BOOTS = ("pvh", "iso")

# The guest writes one byte to isa-debug-exit; QEMU then ends with (byte << 1) | 1.
EXIT_LINE = "TOLLGATE EXIT "


class Outcome(enum.IntEnum):
    """How a run ended. The value is vm.py's exit status."""

    PASS = 0
    FAIL = 1
    PANIC = 2
    TRIPLE_FAULT = 3
    TIMEOUT = 4
    ERROR = 5

    @property
    def label(self) -> str:
        return self.name.lower().replace("_", "-")


QEMU_STATUS = {33: Outcome.PASS, 35: Outcome.FAIL, 37: Outcome.PANIC, 0: Outcome.TRIPLE_FAULT}
EXIT_WORD = {"pass": Outcome.PASS, "fail": Outcome.FAIL, "panic": Outcome.PANIC}


class UsageError(Exception):
    """The request itself is wrong: reported without a traceback, exit status 64."""


@dataclass
class Guest:
    kernel: pathlib.Path
    initrd: pathlib.Path | None = None
    append: str = ""
    machine: str = "q35"
    accel: str = "tcg"
    smp: int = 1
    boot: str = "pvh"
    mem: str = "128M"
    timeout: float = 60.0  # seconds on the reference machine; calibrate.py scales it
    gdb: int = 0  # TCP port of the gdb stub, 0 = none; the guest then waits for gdb
    interactive: bool = False  # hand our own standard input to the guest's console
    results: pathlib.Path | None = None  # where the bytes written to port 0xe9 go
    faults: pathlib.Path | None = None  # QEMU's log of interrupts and CPU resets
    cpu: str = ""  # empty = the emulator's default for this project
    extra: list[str] = field(default_factory=list)  # further QEMU arguments, verbatim

    def __post_init__(self) -> None:
        # Emulators run in ROOT, so that recorded command lines carry no path of this machine: see shown().
        for name in ("kernel", "initrd", "results", "faults"):
            path = getattr(self, name)
            setattr(self, name, path.resolve() if path else None)

    def check(self) -> None:
        for what, value, allowed in (("machine", self.machine, MACHINES), ("accel", self.accel, ACCELS),
                                     ("boot", self.boot, BOOTS)):
            if value not in allowed:
                raise UsageError(f"{what} '{value}' is unknown: choose {', '.join(allowed)}")
        if self.smp < 1 or self.smp > 255:
            raise UsageError(f"smp {self.smp} is out of range: 1 to 255")
        if self.boot == "iso" and self.machine == "microvm":
            raise UsageError("microvm has no CD-ROM drive: boot it by pvh, or take q35 or pc")
        for path in (self.kernel, self.initrd):
            if path is not None and not path.is_file():
                raise UsageError(f"{shown(path)}: no such file (build it first: cmake --build build)")

    @property
    def title(self) -> str:
        where = "bochs" if self.accel == "bochs" else f"{self.machine} {self.accel} {self.boot}"
        return f"{self.kernel.name} on {where} smp {self.smp}"


@dataclass
class Report:
    outcome: Outcome
    detail: str  # one line: why this outcome
    command: list[str]
    log: bytes  # everything the console said
    seconds: float
    first_byte: float | None = None  # seconds from process start to the first console byte
    hang: str = ""  # on a timeout: registers and symbolised addresses
    stderr: str = ""
    marks: list[tuple[float, bytes]] = field(default_factory=list)  # (seconds, chunk) as the console arrived

    def lines(self) -> list[str]:
        return self.log.decode("utf-8", "replace").replace("\r", "").splitlines()

    def seconds_to(self, text: bytes) -> float | None:
        """When the console first contained `text`, in seconds from process start."""
        seen = b""
        for when, chunk in self.marks:
            seen += chunk
            if text in seen:
                return when
        return None


def shown(path: pathlib.Path) -> str:
    """A path as a command line run in ROOT may name it."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def exit_word(log: bytes) -> Outcome | None:
    """The verdict the guest printed, if its last line is one."""
    lines = [line.strip() for line in log.decode("utf-8", "replace").splitlines() if line.strip()]
    if not lines or not lines[-1].startswith(EXIT_LINE):
        return None
    return EXIT_WORD.get(lines[-1][len(EXIT_LINE):])
