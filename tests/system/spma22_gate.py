#!/usr/bin/env python3
"""The gate on fastcalls: makes the published tables again under icount, and compares with the budgets below and with
docs/results/spma22-reference.json.

    tests/system/spma22_gate.py             fails on a figure above its budget, and on one that grew by more than the limit or is gone
    tests/system/spma22_gate.py --record    measures and makes that the reference; then tools/published.py --doc
"""

import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import published  # noqa: E402
import results  # noqa: E402

LIMIT, SLACK = 1.05, 1  # one instruction: a twentieth of an empty fastcall is less
BUDGETS = {"noop/fastcall": 14, "register/fastcall": 2500, "deregister/fastcall": 3500}  # instructions, loop included
FORK_RATIO = 1.15  # fork with 100 fastcalls to fork without

Figures = dict[tuple[str, str], float]  # (pti, operation/gate) -> instructions


def figures(document: dict, where: str) -> Figures:
    return {(row.pti, f"{row.operation}/{row.gate}"): row.per_call for row in results.rows(document, where) if row.kind == "icount"}


def over_budget(now: Figures) -> list[str]:
    found = []
    for pti in ("off", "on"):
        for name, most in BUDGETS.items():
            figure = now.get((pti, name))
            if figure is None or figure > most:
                found.append(f"pti={pti} {name}: {figure} instructions, at most {most} are allowed")
        without, many = now.get((pti, "fork_0/native")), now.get((pti, "fork_100/native"))
        if not without or many is None or many > without * FORK_RATIO:
            found.append(f"pti={pti}: fork with 100 fastcalls {many}, without {without}: more than {FORK_RATIO} times")
    return found


def grown(reference: Figures, now: Figures) -> list[str]:
    found = []
    for (pti, name), old in reference.items():
        new = now.get((pti, name))
        if new is None:
            found.append(f"pti={pti} {name}: {old:.1f} instructions in the reference, and no figure now")
        elif new > max(old * LIMIT, old + SLACK):
            found.append(f"pti={pti} {name}: {new:.1f} instructions, {100 * (new / old - 1):.1f} % more than the reference's {old:.1f}")
    return found


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--record"]):
        print(__doc__, file=sys.stderr)
        return 64
    try:
        document = published.measure(["icount"], "q35", "spma22-gate")
        now = figures(document, "this run")
        print(published.text(document, "this run"))
        found = over_budget(now)
        if arguments:
            published.REFERENCE.write_text(json.dumps(document, indent=1) + "\n")
        else:
            found += grown(figures(results.load(published.REFERENCE), published.REFERENCE.name), now)
    except results.ResultError as error:
        print(f"WRONG: {error}")
        return 1
    for line in found:
        print(f"WRONG: {line}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
