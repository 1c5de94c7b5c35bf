#!/usr/bin/env python3
"""The tables that were published with fastcalls, made again: boots /bin/spma22 with option spma22=on and prints its figures beside theirs.

    ./run-qemu.sh --vs spma22 [--accel auto|kvm|icount|tcg] [--machine q35|pc|microvm]
    tools/published.py --doc [--check]     write docs/fastcall.md's tables from docs/results/spma22-reference.json, or check them

One boot has all the rows, for which the authors needed two kernels. Under icount the figures are instructions, on real KVM cycles; on
multi-threaded TCG only ratios to the system call are printed. Theirs are cycles and times of their machines.
"""

import argparse
import datetime
import json
import os
import pathlib
import sys

import hostinfo
import qemu
import report
import results
import run
import vm
from guest import MACHINES, ROOT, Guest, Outcome, UsageError, shown

PROGRAM = "/bin/spma22"
DOCUMENT = ROOT / "docs" / "fastcall.md"
REFERENCE = ROOT / "docs" / "results" / "spma22-reference.json"
BEGIN, END = "<!-- published:begin -->", "<!-- published:end -->"
BUILD_FAILED, NO_RESULTS, USAGE = 7, 8, 64
BOUND = 180.0  # seconds on the reference machine for one boot
TITLE = {"icount": "Guest instructions per operation, loop included (QEMU TCG with icount: exact and repeatable)",
         "kvm": "TSC cycles per operation, loop included (hardware KVM)",
         "tcg": "Ratios to the system call of the same boot (multi-threaded emulation: no figure is a cost)"}
GATES = ("fastcall", "native", "ioctl", "vdso")
HEADS = ("fastcall", "system call", "ioctl", "vDSO")

# operation: system call : fastcall as published, by CPU and mitigations. From cycles for `refused`, from times for the copies.
CPUS = ("i7-4790 auto", "i7-4790 off", "Xeon 8375C auto", "Ryzen 3700X auto")
RATIOS = {"refused": ("11.4", "1.7", "1.7", "2.1"), "array_64": ("12.7", "2.0", "1.9", "2.2"), "nt": ("3.6", "-", "-", "0.84 to 0.87")}
# What the ratios come from, and what has no ratio.
FIGURES = (
    ("refused", "fastcall 112, system call 1278 cycles; 23.9, 355.7 ns", "i7-4790 (Haswell), mitigations=auto: KPTI and MDS"),
    ("refused", "fastcall 100, system call 172 cycles; 23.9, 46.7 ns", "i7-4790, mitigations=off"),
    ("refused", "fastcall 162, system call 279 cycles; 50.7, 86.7 ns", "Xeon 8375C (Ice Lake), auto"),
    ("refused", "fastcall 90, system call 192 cycles; 25.7, 55.0 ns", "Ryzen 3700X (Zen 2), auto"),
    ("noop", "vDSO 1.7 ns, ioctl 410.5 ns", "i7-4790, auto"),
    ("register, deregister", "0.82, 1.66 us", "i7-4790, off"),
    ("register, deregister _mappings", "2.6, 2.7 us", "i7-4790, off"),
    ("fork_0, fork_100", "28.5, 32.5 us: 1.14", "i7-4790, auto"),
)
NOTES = """\
refused is what they call the empty call: fastcall 255 (EINVAL) and system call 335 (ENOSYS). noop returns 0: a registered fastcall, call
4099. array_N copies N bytes. Their vDSO copied 2 N bytes for N, by a mistake; ours copies N. The fork rows end when fork returns in the
parent, the vfork rows when the child has ended; _100: with 100 fastcalls of two mappings each."""


def cell(off, on) -> str:
    """One figure, or two that differ: pti=off / pti=on."""
    shown_figures = [report.figure(row) for row in (off, on) if row is not None]
    return " / ".join(dict.fromkeys(shown_figures)) or "-"


def ratio(native, fastcall) -> str:
    return f"{native.per_call / fastcall.per_call:.1f}" if native and fastcall and fastcall.per_call else "-"


def tables(found: list[results.Row]) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Calls by every gate with the ratios beside, and what has one way only."""
    cells = {(row.operation, row.gate, row.pti): row for row in found}
    operations = list(dict.fromkeys(row.operation for row in found))

    def get(operation: str, gate: str, pti: str):
        return cells.get((operation, gate, pti))

    calls = [("operation", *HEADS, "ratio off", "ratio on", *CPUS)]
    others = [("operation", "pti=off", "pti=on")]
    for operation in operations:
        gates = [gate for gate in GATES if get(operation, gate, "off") or get(operation, gate, "on")]
        if len(gates) == 1:
            others.append((operation, *(report.figure(get(operation, gates[0], pti)) for pti in ("off", "on"))))
            continue
        ratios = tuple(ratio(get(operation, "native", pti), get(operation, "fastcall", pti)) for pti in ("off", "on"))
        calls.append((operation, *(cell(get(operation, gate, "off"), get(operation, gate, "on")) for gate in GATES), *ratios,
                      *RATIOS.get(operation, ("-",) * len(CPUS))))
    return calls, others


def markdown(document: dict, where: str) -> str:
    found = [row for row in results.rows(document, where) if row.kind == "icount"]
    if not found:
        raise results.ResultError(f"{where}: a reference result needs an icount pass")
    lines = []
    for cells in (*tables(found), [("published", "figures", "machine"), *FIGURES]):
        lines += ["| " + " | ".join(cells[0]) + " |", "|---|" + "---:|" * (len(cells[0]) - 1)]
        lines += ["| " + " | ".join(row) + " |" for row in cells[1:]] + [""]
    context = document["context"]
    return "\n".join([*lines, f"{TITLE['icount']}; of two figures the first is with pti=off, the second with pti=on. Ratio: system call to fastcall, "
                      f"ours, then as published by CPU and mitigations. {report.sampling(found).capitalize()}; QEMU "
                      f"{context.get('qemu_version', 'n/a')}, one CPU, `spma22=on`, commit {str(context.get('git_commit', 'n/a'))[:12]}; "
                      "`./run-qemu.sh --vs spma22 --accel icount`."])


def write_document(check: bool, path: pathlib.Path = DOCUMENT, reference: pathlib.Path = REFERENCE) -> list[str]:
    """Brings the tables in docs/fastcall.md up to date, or with `check` says what is wrong with them."""
    wanted = f"{BEGIN}\n{markdown(results.load(reference), reference.name)}\n{END}"
    old = path.read_text(encoding="utf-8")
    if old.count(BEGIN) != 1 or old.count(END) != 1 or old.index(BEGIN) > old.index(END):
        raise results.ResultError(f"{path.name} needs the two lines {BEGIN} and {END}, once each")
    new = old[:old.index(BEGIN)] + wanted + old[old.index(END) + len(END):]
    if check:
        return [] if new == old else [f"{path.name}'s tables are not those of {reference.name}: run tools/published.py --doc"]
    path.write_text(new, encoding="utf-8")
    return []


def published() -> list[str]:
    return ["Published (Miemietz and others, SPMA'22, results; cycles and times of hardware):", *report.aligned(list(FIGURES))]


def text(document: dict, where: str) -> str:
    found = results.rows(document, where)
    parts = []
    for kind in results.KINDS:
        mine = [row for row in found if row.kind == kind]
        if mine:
            calls, others = tables(mine)
            parts.append("\n".join([f"{TITLE[kind]}; two figures: pti=off / pti=on.",
                                    "ratio: system call to fastcall, ours, and published by CPU and mitigations.", "", *report.aligned(calls),
                                    *(["", *report.aligned(others)] if len(others) > 1 and kind != "tcg" else []), "", report.sampling(mine),
                                    *report.machine(document["context"], kind)]))
    if not parts:
        raise results.ResultError(f"{where}: no benchmark in it has a figure")
    if notes := results.skipped(document):
        parts.append("Not measured:\n" + "\n".join("  " + note for note in notes))
    return "\n\n".join([*parts, "\n".join(published()), NOTES])


def plans(kind: str) -> list[run.Plan]:
    return [run.Plan(kind, pti, 1, "") for pti in (("off",) if kind == "tcg" else ("off", "on"))]


def guest_for(plan: run.Plan, machine: str, raw: pathlib.Path) -> Guest:
    words = f"init={PROGRAM} spma22=on accel={plan.kind} pti={plan.pti}"
    return Guest(run.KERNEL, run.ARCHIVE, words, machine, plan.kind, plan.smp, "pvh", timeout=BOUND, results=raw)


def boot(plan: run.Plan, machine: str, stem: str) -> tuple[results.Pass, dict]:
    raw = run.RESULTS / f"{stem}-{plan.kind}-{plan.pti}.raw.json"
    guest = guest_for(plan, machine, raw)
    ended = qemu.run(guest, show=False, log_path=raw.with_suffix("").with_suffix(".log"))
    print(f"  {plan.title:28} {ended.outcome.label} in {ended.seconds:.1f} s", file=sys.stderr, flush=True)
    if ended.outcome is not Outcome.PASS:
        vm.explain(guest, ended)
        print("\n".join("  | " + line for line in ended.lines()[-25:]), file=sys.stderr)
        raise results.ResultError(f"{plan.title}: the guest ended with {ended.outcome.label}")
    images = {path.name: hostinfo.sha256(path) for path in (run.KERNEL, run.ARCHIVE)}
    return results.Pass(plan.kind, plan.pti, plan.smp, tuple(ended.command), images, guest.append), results.load(raw)


def measure(kinds: list[str], machine: str, stem: str) -> dict:
    """All boots, as one document in Google Benchmark's format."""
    run.RESULTS.mkdir(parents=True, exist_ok=True)
    passes = [boot(plan, machine, stem) for kind in kinds for plan in plans(kind)]
    return results.merge(passes, run.context(argparse.Namespace(machine=machine, boot="pvh"), passes))


def options_from(arguments: list[str]) -> argparse.Namespace:
    p = vm.Parser(prog="run-qemu.sh --vs spma22", allow_abbrev=False)
    p.add_argument("--accel", default="auto", choices=("auto", "kvm", "icount", "tcg"))
    p.add_argument("--machine", default="q35", choices=MACHINES)
    p.add_argument("--no-build", action="store_true")
    p.add_argument("--doc", action="store_true")
    p.add_argument("--check", action="store_true")
    options = p.parse_args(arguments)
    if options.check and not options.doc:
        p.error("--check goes with --doc")
    return options


def main(arguments: list[str]) -> int:
    options = options_from(arguments)
    try:
        if options.doc:
            bad = write_document(options.check)
            print("\n".join(bad) or "the tables are those of the reference")
            return 1 if bad else 0
        if not options.no_build and not run.build():
            print("run-qemu: the build failed", file=sys.stderr)
            return BUILD_FAILED
        document = measure(run.choose(options), options.machine, "spma22")
        path = run.RESULTS / f"spma22-{datetime.datetime.now().strftime('%Y%m%dT%H%M%S')}.json"
        path.write_text(json.dumps(document, indent=1) + os.linesep)
        print(f"\n{text(document, 'this run')}\n\nresult file: {shown(path)}")
        return 0
    except results.ResultError as error:
        print(f"run-qemu: {error}", file=sys.stderr)
        return NO_RESULTS
    except UsageError as error:
        print(f"run-qemu: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
