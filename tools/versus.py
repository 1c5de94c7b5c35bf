#!/usr/bin/env python3
"""Tollgate beside Linux: boots both under the same QEMU options with the same binary (/bin/calls) and prints both figures and their ratio.

    ./run-qemu.sh --vs linux [--accel auto|kvm|icount|tcg] [--mem SIZE] [--calls 'NAME...']

Linux is Debian's cloud kernel (tools/linux.py). Under icount the figures are instructions, on real KVM cycles; on multi-threaded TCG only
the ratio of both systems' times is printed, because its ticks are not what a call costs.
"""

import datetime
import json
import os
import pathlib
import shlex
import statistics
import sys
from dataclasses import dataclass

import accel
import hostinfo
import linux
import pack
import qemu
import report
import results
import vm
from guest import BUILD, MACHINES, Guest, Outcome, UsageError, shown

KERNEL = BUILD / "kernel" / "tollgate.elf"
ARCHIVE = BUILD / "userland" / "programs.cpio"
PROGRAMS = BUILD / "userland" / "bin"
RESULTS = BUILD / "results"
TIMED_BOOTS = 3  # of each system, in turn, where time is noisy; under icount every boot is the same
BOUND = 240.0  # seconds on the reference machine for one boot; Linux under icount takes a fifth of it
UNIT = {"icount": "instructions", "kvm": "cycles", "tcg": "ratio only"}
BANNER = {"icount": "instructions per call, exact and repeatable (qemu -icount shift=0)", "kvm": "cycles per call (hardware KVM)",
          "tcg": "ratio of times under multi-threaded emulation: whole paths only, never what a call costs on hardware"}
# What Debian's kernel is told beyond the mitigations: nothing on the console, no time-outs for timers that an emulator has no need of.
LINUX_OPTIONS = "console=ttyS0 quiet loglevel=0 rdinit=/init panic=-1 tsc=reliable no_timer_check random.trust_cpu=on"
LEVELS = {"off": ("mitigations=off pti=off", "mitigations=off"), "pti on": ("mitigations=auto pti=on", "mitigations=auto pti=on")}
BUILD_FAILED, NO_LINUX, NO_RESULTS, USAGE = 7, 6, 8, 64


@dataclass(frozen=True)
class Pass:
    system: str  # tollgate or linux
    kind: str
    level: str  # a key of LEVELS
    guest: Guest

    @property
    def prefix(self) -> str:
        return f"{self.system}/{self.kind}/{self.level.replace(' ', ':')}"


def linux_archive() -> bytes:
    """/init and the two programs; the same bytes of /bin/calls and /bin/tiny as in our own archive."""
    image = pack.Image()
    image.file("init", pack.stripped(str(PROGRAMS / "linux_init")), 0o755)
    for name in ("calls", "tiny"):
        image.file(f"bin/{name}", pack.stripped(str(PROGRAMS / name)), 0o755)
    return image.archive()


def passes(kind: str, opponent: linux.Linux, initramfs: pathlib.Path, options, raw: pathlib.Path) -> list[Pass]:
    levels = LEVELS if kind == "icount" else {"off": LEVELS["off"]}
    names = options.calls.split()
    found = []
    for level, (ours, theirs) in levels.items():
        words = f"init=/bin/calls accel={kind} {ours} -- {' '.join(names)}".strip()
        other = f"{LINUX_OPTIONS} {theirs} -- --accel={kind} {' '.join(names)}".strip()
        for system, kernel, archive, append in (("tollgate", KERNEL, ARCHIVE, words), ("linux", opponent.kernel, initramfs, other)):
            path = raw / f"vs-{system}-{kind}-{level.replace(' ', '-')}.raw.json"
            found.append(Pass(system, kind, level, Guest(kernel, archive, append, options.machine, kind, 1, "pvh", options.mem, BOUND,
                                                         results=path)))
    return found


def figures(document: dict, where: str) -> dict[str, float | None]:
    """Operation -> median over the repetitions, None for what the system lacks; in the program's order."""
    values: dict[str, list[float]] = {}
    for entry in document["benchmarks"]:
        kept = values.setdefault(entry["name"], [])
        if not entry.get("error_occurred"):
            kept.append(results.number(entry, "per_call", where))
    return {name: statistics.median(found) if found else None for name, found in values.items()}


def cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}" if value >= 1000 else f"{value:.4g}"


def ratio(ours: float | None, theirs: float | None) -> str:
    return "-" if not ours or theirs is None else f"{theirs / ours:.2f}"


def table(kind: str, columns: dict[tuple[str, str], dict[str, float | None]]) -> list[str]:
    """Lines for one kind of machine; columns: (system, level) -> figures."""
    levels = list(dict.fromkeys(level for _, level in columns))
    head = ["operation"]
    for level in levels:
        head += [f"Linux / Tollgate, {level}"] if kind == "tcg" else [f"Tollgate {level}", f"Linux {level}", "ratio"]
    rows = [tuple(head)]
    for name in next(iter(columns.values())):
        row = [name]
        for level in levels:
            ours, theirs = (columns.get((system, level), {}).get(name) for system in ("tollgate", "linux"))
            row += [ratio(ours, theirs)] if kind == "tcg" else [cell(ours), cell(theirs), ratio(ours, theirs)]
        rows.append(tuple(row))
    return report.aligned(rows)


def run_pass(one: Pass) -> dict | None:
    log = one.guest.results.with_suffix("").with_suffix(".log")
    ended = qemu.run(one.guest, show=False, log_path=log)
    print(f"  {one.prefix:28} {ended.outcome.label} in {ended.seconds:.1f} s", file=sys.stderr, flush=True)
    if ended.outcome is not Outcome.PASS:
        vm.explain(one.guest, ended)
        print("\n".join("  | " + line for line in ended.lines()[-25:]), file=sys.stderr)
        return None
    return results.load(one.guest.results)


def result_file(done: list[tuple[Pass, dict]], opponent: linux.Linux, options) -> dict:
    entries, unmeasured, boots = [], {}, {}
    for one, document in done:
        boots[one.prefix] = {
            "command": shlex.join(qemu.command_line(one.guest)), "kernel_options": one.guest.append, "vcpus": one.guest.smp,
            "unit": UNIT[one.kind], "kernel": document["context"].get("kernel", "n/a"),
            "image_sha256": {path.name: hostinfo.sha256(path) for path in (one.guest.kernel, one.guest.initrd)}}
        for entry in document["benchmarks"]:
            name = f"{one.prefix}/{entry['name']}"
            if entry.get("error_occurred"):
                unmeasured[name] = entry.get("error_message", "no reason given")
                continue
            if one.kind == "tcg":  # kept for the ratio alone, and labelled so
                entry = {**entry, "label": "tsc ticks of multi-threaded TCG: for ratios to the other system only"}
            entries.append({**entry, "name": name, "run_name": name})
    now = datetime.datetime.now(datetime.timezone.utc)
    context = {
        "date": now.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
        "executable": shlex.join(["./run-qemu.sh", "--vs", "linux", *sys.argv[1:]]),
        "num_cpus": os.cpu_count() or 1, "library_build_type": "release", "qemu_version": qemu.version(),
        "linux_package": opponent.title, "machine": options.machine, "memory": options.mem, "boots": len(done),
        "seed": "1 (icount passes); n/a (others)", "outlier_rule": "none: every sample counts, medians are reported",
        "program": {name: hostinfo.sha256(PROGRAMS / name) for name in ("calls", "tiny")},
        **hostinfo.facts(), "passes": boots, "unmeasured": unmeasured,
    }
    return {"context": context, "benchmarks": entries}


def options_from(arguments: list[str]):
    p = vm.Parser(prog="run-qemu.sh --vs linux", allow_abbrev=False)
    p.add_argument("--accel", default="auto", choices=("auto", "kvm", "icount", "tcg"))
    p.add_argument("--machine", default="q35", choices=[machine for machine in MACHINES if machine != "microvm"])
    p.add_argument("--mem", default="256M")
    p.add_argument("--calls", default="", metavar="'NAME...'")
    p.add_argument("--no-build", action="store_true")
    return p.parse_args(arguments)


def kinds(choice: str) -> list[str]:
    if choice in ("icount", "tcg"):
        return [choice]
    real, why = accel.kvm_is_real(KERNEL, ARCHIVE)
    if choice == "kvm" and not real:
        raise UsageError(f"no usable KVM: {why}; --accel auto falls back to emulation")
    print(f"accelerator: {'KVM' if real else 'TCG, instructions by icount and ratios'} ({why})")
    return ["kvm"] if real else ["icount", "tcg"]


def measure(options, opponent: linux.Linux) -> int:
    RESULTS.mkdir(parents=True, exist_ok=True)
    initramfs = RESULTS / "vs-linux.cpio"
    initramfs.write_bytes(linux_archive())
    done: list[tuple[Pass, dict]] = []
    for kind in kinds(options.accel):
        boots: dict[tuple[str, str], list[dict]] = {}
        for one in passes(kind, opponent, initramfs, options, RESULTS) * (1 if kind == "icount" else TIMED_BOOTS):
            document = run_pass(one)
            if document is None:
                return NO_RESULTS
            done.append((one, document))
            boots.setdefault((one.system, one.level), []).extend(document["benchmarks"])
        columns = {key: figures({"benchmarks": entries}, f"{key[0]} under {kind}") for key, entries in boots.items()}
        print(f"\n{BANNER[kind]}\n\n" + "\n".join(table(kind, columns)), flush=True)
    document = result_file(done, opponent, options)
    stamp = datetime.datetime.now().strftime("%Y%m%dT%H%M%S")
    path = RESULTS / f"vs-linux-{stamp}.json"
    path.write_text(json.dumps(document, indent=1) + "\n")
    context = document["context"]
    print(f"\nLinux: {opponent.title}; QEMU {context['qemu_version']}, -machine {options.machine} -cpu max -m {options.mem} -smp 1;\n"
          f"host: {context['host_cpu']}, Linux {context['host_kernel']}; Tollgate {context['git_commit']}\nresult file: {shown(path)}")
    return 0


def main(arguments: list[str]) -> int:
    options = options_from(arguments)
    try:
        if not options.no_build:
            import run
            if not run.build():
                print("run-qemu: the build failed", file=sys.stderr)
                return BUILD_FAILED
        return measure(options, linux.fetch())
    except linux.LinuxError as error:
        print(f"run-qemu: {error}", file=sys.stderr)
        return NO_LINUX
    except (results.ResultError, pack.PackError) as error:
        print(f"run-qemu: {error}", file=sys.stderr)
        return NO_RESULTS
    except UsageError as error:
        print(f"run-qemu: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
