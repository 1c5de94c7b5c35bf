#!/usr/bin/env python3
"""Programs that show what exception-less calls are worth beyond one call, each booted by itself, and their figures side by side.

    ./run-qemu.sh --study requests      a server of requests: threads and an event loop, with native calls and with posted ones
    ./run-qemu.sh --study working-set   what calls cost the code around them
    ./run-qemu.sh --study poller        what a worker burns while it polls
    options: --accel auto|kvm|icount|tcg, --append 'KERNEL OPTIONS', --total N (requests at every concurrency), --no-build

Under icount the figures are instructions, on real KVM nanoseconds and cycles; under multi-threaded TCG only ratios mean something.
"""

import re
import sys

import accel
import hostinfo
import qemu
import report
import run
import vm
from guest import Guest, Outcome, UsageError

BUILD_FAILED, USAGE = 7, 64
BOUND = 400.0  # seconds on the reference machine for one boot
# Column, program and its last argument; a posted column is set against the native one before it.
SERVERS = (("threads", "requests-threads", ""), ("FlexSC-Threads", "requests-flexsc", ""),
           ("event loop", "requests-loop", "native"), ("libflexsc", "requests-loop", "posted"))
LINE = re.compile(r"\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s*")


def options_from(arguments: list[str]):
    p = vm.Parser(prog="run-qemu.sh --study", allow_abbrev=False)
    p.add_argument("study", choices=("requests", "working-set", "poller"))
    p.add_argument("--accel", default="auto", choices=("auto", "kvm", "icount", "tcg"))
    p.add_argument("--append", default="")
    p.add_argument("--total", type=int, default=2048)
    p.add_argument("--no-build", action="store_true")
    return p.parse_args(arguments)


def kind_of(choice: str) -> str:
    if choice in ("icount", "tcg"):
        return choice
    real, why = accel.kvm_is_real(run.KERNEL, run.ARCHIVE)
    if choice == "kvm" and not real:
        raise UsageError(f"no usable KVM: {why}; --accel auto falls back to emulation")
    return "kvm" if real else "icount"


def boot(kind: str, program: str, append: str, smp: int = 1) -> list[str]:
    """The console's lines; RuntimeError if the guest did not pass."""
    words = f"init=/bin/{program.split()[0]} accel={kind} {append}".strip()
    if arguments := program.split()[1:]:
        words += f" -- {' '.join(arguments)}"
    guest = Guest(run.KERNEL, run.ARCHIVE, words, accel=kind, smp=smp, mem="512M", timeout=BOUND)
    ended = qemu.run(guest, show=False, log_path=None)
    if ended.outcome is not Outcome.PASS:
        vm.explain(guest, ended)
        print("\n".join("  | " + line for line in ended.lines()[-25:]), file=sys.stderr)
        raise RuntimeError(f"{program}: {ended.outcome.label}")
    return ended.lines()


def served(lines: list[str]) -> dict[int, tuple[int, ...]]:
    """Concurrency -> n, requests a second, p50, p90, p99, most."""
    found = (LINE.fullmatch(line) for line in lines)
    return {int(match[1]): tuple(map(int, match.groups()[1:])) for match in found if match}


def requests_table(columns: dict[str, dict[int, tuple[int, ...]]]) -> list[str]:
    names = list(columns)
    rows = [("at a time", "n", *(cell for name in names for cell in ([name] if names.index(name) % 2 == 0 else [name, "ratio"])))]
    for concurrency in sorted(set.intersection(*(set(column) for column in columns.values()))):
        row = [str(concurrency), str(columns[names[0]][concurrency][0])]
        for index, name in enumerate(names):
            rate = columns[name][concurrency][1]
            row.append(str(rate))
            if index % 2 == 1:
                row.append(f"{rate / columns[names[index - 1]][concurrency][1]:.2f}")
        rows.append(tuple(row))
    lines = ["requests a second:", *report.aligned(rows)]
    for place, title in ((2, "p50"), (3, "p90"), (4, "p99")):
        rows = [("at a time", "", *names)]
        rows += [(str(concurrency), "", *(str(columns[name][concurrency][place]) for name in names))
                 for concurrency in sorted(columns[names[0]]) if all(concurrency in column for column in columns.values())]
        lines += ["", f"latency, {title}, ns:", *report.aligned(rows)]
    return lines


def machine(kind: str, append: str) -> str:
    facts = hostinfo.facts()
    unit = {"icount": "a nanosecond is an instruction", "kvm": "hardware", "tcg": "ratios only"}[kind]
    return (f"QEMU {qemu.version()}, {kind} ({unit}), -machine q35 -cpu max, host {facts['host_cpu']}, "
            f"commit {facts['git_commit'][:12]}, options: {append or 'none'}")


def study(options) -> None:
    kind = kind_of(options.accel)
    print(machine(kind, options.append))
    if options.study == "requests":
        columns = {}
        for name, program, way in SERVERS:
            columns[name] = served(boot(kind, f"{program} {options.total} 512 {way}", options.append))
            print(f"  {name}: {len(columns[name])} concurrencies", file=sys.stderr, flush=True)
        print("\n".join(requests_table(columns)))
        return
    workers = options.study == "poller"
    for pti in ("off", "on") if "pti=" not in options.append and not workers else ("",):
        words = f"{f'pti={pti}' if pti else ''} {'flexsc.workers=1' if workers else ''} {options.append}".strip()
        lines = boot(kind, options.study, words, 2 if workers else 1)
        print("\n".join(line for line in lines if not line.startswith(("[kernel]", "TOLLGATE"))))


def main(arguments: list[str]) -> int:
    options = options_from(arguments)
    if not options.no_build and not run.build():
        print("run-qemu: the build failed", file=sys.stderr)
        return BUILD_FAILED
    try:
        study(options)
    except UsageError as error:
        print(f"run-qemu: {error}", file=sys.stderr)
        return USAGE
    except RuntimeError as error:
        print(f"run-qemu: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
