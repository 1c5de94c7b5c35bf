#!/usr/bin/env python3
"""Prints a merged result file as a table, keeps README.md's table true, and gates instruction counts.

    tools/report.py [FILE]                       the table (default build/results/latest.json)
    tools/report.py --readme [--check]           write README.md's table from docs/results/reference.json, or check it
    tools/report.py --gate REFERENCE NEW         fail when an icount path grew by more than 5 % or vanished

Exit status: 0 good, 1 the gate or the check says no, 2 a file is malformed, 64 wrong usage.
"""

import argparse
import pathlib
import sys

import anchors
import flexsc_fit
import results
from guest import BUILD, ROOT
from results import ResultError, Row

REFERENCE = ROOT / "docs" / "results" / "reference.json"
LATEST = BUILD / "results" / "latest.json"
README = ROOT / "README.md"
BEGIN, END = "<!-- table:begin -->", "<!-- table:end -->"
GROWTH = 0.05  # what an icount path may grow before the gate closes
# Instructions that a path may cost whatever the reference says: (operation, gate, batch, figure).
BUDGETS = {("getppid", "flexsc_own", 64, "user_per_call"): 20.0, ("getppid", "flexsc_own", 64, "post_per_call"): 10.0}
COMMAND = "./run-qemu.sh --accel icount"

TITLE = {
    "icount": "Guest instructions per call (QEMU TCG with icount: exact and repeatable; blind to pipeline, cache and TLB)",
    "kvm": "TSC cycles and nanoseconds per call (hardware KVM)",
    "tcg": "Ratios to native on the same boot",
}
BANNER = """\
+--------------------------------------------------------------------------------------------+
| PLAIN TCG: emulated, several vCPUs. Ratios between whole runs only; no time measured here  |
| is the cost of a mechanism: a system call looks cheaper than on hardware and a nop dearer. |
+--------------------------------------------------------------------------------------------+"""

GATE_ORDER = ("direct", "vdso", "native", "int80", "flexsc_own", "flexsc_ipi", "flexsc_poll", "flexsc_adaptive", "fastcall")


def _rank(row: Row, operations: list[str]) -> tuple:
    gate = GATE_ORDER.index(row.gate) if row.gate in GATE_ORDER else len(GATE_ORDER)
    return operations.index(row.operation), gate, row.gate, row.batch


def gate_label(row: Row) -> str:
    return f"{row.gate} x{row.batch}" if row.batch else row.gate


def figure(row: Row | None) -> str:
    if row is None:
        return "-"
    if row.kind == "tcg":
        return f"{row.per_call:.2f}x"
    text = f"{row.per_call:.1f}".removesuffix(".0")
    return f"{text} ({row.ns:.1f} ns)" if row.ns is not None else text


def grid(found: list[Row]) -> list[tuple[str, str, Row | None, Row | None]]:
    """(operation, gate, pti=off, pti=on) of the rows of one kind. Of two boots with one path, the smaller -smp counts."""
    operations = list(dict.fromkeys(row.operation for row in found))
    best: dict[tuple, dict[str, Row]] = {}
    for row in sorted(found, key=lambda row: (*_rank(row, operations), row.smp)):
        best.setdefault((row.operation, gate_label(row)), {}).setdefault(row.pti, row)
    return [(op, gate, cell.get("off"), cell.get("on")) for (op, gate), cell in best.items()]


def sampling(found: list[Row]) -> str:
    counts = sorted({int(row.n) for row in found if row.n})
    times = sorted({row.repetitions for row in found})

    def span(values: list[int]) -> str:
        return "n/a" if not values else f"{values[0]}" if len(values) == 1 else f"{values[0]} to {values[-1]}"

    return f"median of {span(times)} repetitions, each the median of n = {span(counts)} samples, ruler subtracted"


def aligned(cells: list[tuple[str, ...]]) -> list[str]:
    width = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return ["  " + "  ".join(cell.ljust(w) if column < 2 else cell.rjust(w)
                             for column, (cell, w) in enumerate(zip(row, width))).rstrip() for row in cells]


def machine(context: dict, kind: str) -> list[str]:
    """What a figure may not be printed without: machine, mitigations, versions."""
    guests = [(name, facts) for name, facts in context.get("guest", {}).items() if name.split("/")[0] == kind]
    lines = [f"QEMU {context.get('qemu_version', 'n/a')}, host {context.get('host_cpu', 'n/a')}, "
             f"commit {str(context.get('git_commit', 'n/a'))[:12]}{'-dirty' if str(context.get('git_commit')).endswith('-dirty') else ''}, "
             f"{context.get('date', 'n/a')}"]
    for name, facts in guests:
        shown = ", ".join(f"{key}={facts[key]}" for key in
                          ("pti", "pcid", "smap", "mitigations", "retpoline", "ibrs", "verw", "vcpus", "roles", "ruler")
                          if key in facts)
        lines.append(f"{name}: {shown or 'the guest reported no facts'}")
    return lines


def text(document: dict, where: str) -> str:
    found = results.rows(document, where)
    if not found:
        raise ResultError(f"{where}: no benchmark in it has a figure")
    parts = []
    for kind in results.KINDS:
        mine = [row for row in found if row.kind == kind]
        if not mine:
            continue
        head = [BANNER] if kind == "tcg" else []
        head += [TITLE[kind], sampling(mine), *machine(document["context"], kind), ""]
        cells = [("operation", "gate", "pti=off", "pti=on")]
        shown = shown_gates(mine)  # the batches between are in the next table
        cells += [(op, gate, figure(off), figure(on)) for op, gate, off, on in grid(mine) if gate in shown]
        parts.append("\n".join(head + aligned(cells)))
        if batches := flexsc_fit.table(mine, kind):
            parts.append(batches)
    if notes := results.skipped(document):
        parts.append("Not measured:\n" + "\n".join("  " + note for note in notes))
    parts.append(anchors.table())
    return "\n\n".join(parts)


def shown_gates(found: list[Row]) -> list[str]:
    """The columns of the short table: of each gate's batches only the smallest and the largest."""
    labels: dict[str, dict[int, str]] = {}
    for row in found:
        labels.setdefault(row.gate, {})[row.batch or 0] = gate_label(row)
    known = [gate for gate in GATE_ORDER if gate in labels]
    return [labels[gate][size] for gate in known + sorted(set(labels) - set(known))
            for size in sorted({min(labels[gate]), max(labels[gate])})]


def markdown(document: dict, where: str) -> str:
    found = [row for row in results.rows(document, where) if row.kind == "icount"]
    if not found:
        raise ResultError(f"{where}: a reference result needs an icount pass")
    context = document["context"]
    cells = {(op, gate): (figure(off), figure(on)) for op, gate, off, on in grid(found)}
    gates = shown_gates(found)
    lines = ["| operation | " + " | ".join(gates) + " |", "|---|" + "---:|" * len(gates)]
    for operation in dict.fromkeys(row.operation for row in found):
        pairs = [cells.get((operation, gate), ("-", "-")) for gate in gates]
        lines.append(f"| {operation} | " + " | ".join(off if off == on else f"{off} / {on}" for off, on in pairs) + " |")
    lines += ["", "Guest instructions per call; of two figures the first is with pti=off, the second with pti=on; xN: N calls a batch. "
              f"{sampling(found).capitalize()}; QEMU {context.get('qemu_version', 'n/a')}, icount, `{COMMAND}`. "
              "The other batches and everything else a reader may ask are in `docs/results/reference.json`."]
    return "\n".join(lines)


def readme(check: bool, readme_path: pathlib.Path = README, reference: pathlib.Path = REFERENCE) -> list[str]:
    """Brings README.md's table up to date, or with `check` says what is wrong with it."""
    wanted = f"{BEGIN}\n{markdown(results.load(reference), reference.name)}\n{END}"
    try:
        old = readme_path.read_text(encoding="utf-8")
    except OSError as error:
        raise ResultError(f"{readme_path.name}: {error.strerror}") from None
    if old.count(BEGIN) != 1 or old.count(END) != 1 or old.index(BEGIN) > old.index(END):
        raise ResultError(f"{readme_path.name} needs the two lines {BEGIN} and {END}, once each")
    new = old[:old.index(BEGIN)] + wanted + old[old.index(END) + len(END):]
    if check:
        return [] if new == old else [f"{readme_path.name}'s table is not that of {reference.name}: "
                                      "run tools/report.py --readme"]
    readme_path.write_text(new, encoding="utf-8")
    return []


def over_budget(document: dict) -> list[str]:
    bad = []
    for (operation, gate_name, batch, figure_name), most in BUDGETS.items():
        for entry in document["benchmarks"]:
            match = results.NAME.fullmatch(entry["name"])
            if match and (match["kind"], match["op"], match["gate"], match["batch"]) == ("icount", operation, gate_name, str(batch)) \
                    and results.number(entry, figure_name, "new result") > most:
                bad.append(f"{entry['name']}: {figure_name} is {entry[figure_name]:.1f}, at most {most:g} are allowed")
    return list(dict.fromkeys(bad))


def gate(reference: dict, new: dict) -> tuple[list[str], list[str]]:
    """(why the gate closes, what else is worth knowing)."""
    def paths(document: dict, where: str) -> dict[tuple, Row]:
        return {(row.smp, row.pti, row.operation, gate_label(row)): row
                for row in results.rows(document, where) if row.kind == "icount"}

    old, now = paths(reference, "reference"), paths(new, "new result")
    if not old:
        raise ResultError("reference: it has no icount path to compare with")
    bad, notes = over_budget(new), []
    for key, row in old.items():
        name = f"smp {key[0]} pti={key[1]} {key[2]}/{key[3]}"
        if key not in now:
            bad.append(f"{name}: vanished (it was {figure(row)})")
            continue
        before, after = row.per_call, now[key].per_call
        change = f"{name}: {figure(row)} -> {figure(now[key])} instructions"
        if before > 0:
            change += f" ({(after / before - 1) * 100:+.1f} %)"
        if after > before * (1 + GROWTH) if before > 0 else after > 0.5:
            bad.append(change)
        elif after < before * (1 - GROWTH):
            notes.append(change + ": an improvement; refresh the reference to keep it")
    notes += [f"smp {k[0]} pti={k[1]} {k[2]}/{k[3]}: new, not in the reference" for k in now if k not in old]
    return bad, notes


class Parser(argparse.ArgumentParser):
    def error(self, message: str):
        self.exit(64, f"{self.prog}: {message}\n{self.format_usage()}")


def main(arguments: list[str]) -> int:
    p = Parser(prog="tools/report.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
               allow_abbrev=False)
    p.add_argument("file", type=pathlib.Path, nargs="?", default=LATEST)
    p.add_argument("--readme", action="store_true")
    p.add_argument("--check", action="store_true")
    p.add_argument("--gate", type=pathlib.Path, nargs=2, metavar=("REFERENCE", "NEW"))
    options = p.parse_args(arguments)
    if options.check and not options.readme:
        p.error("--check goes with --readme")
    try:
        if options.readme:
            bad, notes = readme(options.check), []
        elif options.gate:
            bad, notes = gate(*map(results.load, options.gate))
        else:
            print(text(results.load(options.file), options.file.name))
            return 0
    except ResultError as error:
        print(f"report: {error}", file=sys.stderr)
        return 2
    for line in notes:
        print(f"report: {line}")
    for line in bad:
        print(f"report: {'too slow or gone: ' if options.gate else ''}{line}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
