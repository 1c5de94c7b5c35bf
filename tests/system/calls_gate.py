#!/usr/bin/env python3
"""The gate on ordinary calls: measures /bin/calls under icount and compares with docs/results/calls-reference.json.

    tests/system/calls_gate.py             fails on a figure that grew by more than the limit, or that is gone
    tests/system/calls_gate.py --record    measures and makes that the reference

Figures above the budget that /bin/calls knows are printed, and do not fail: what was reached once is what counts.
"""

import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import qemu  # noqa: E402
import results  # noqa: E402
import versus  # noqa: E402
import vm  # noqa: E402
from guest import Guest, Outcome  # noqa: E402

REFERENCE = ROOT / "docs" / "results" / "calls-reference.json"
LIMIT = 1.05
SLACK = 3  # instructions: a twentieth of the cheapest calls is less than one


def measure() -> dict:
    raw = versus.RESULTS / "calls.raw.json"
    raw.parent.mkdir(parents=True, exist_ok=True)
    guest = Guest(versus.KERNEL, versus.ARCHIVE, "init=/bin/calls accel=icount", accel="icount", timeout=120, results=raw)
    ended = qemu.run(guest, show=False, log_path=raw.with_suffix(".log"))
    print("\n".join(ended.lines()))
    if ended.outcome is not Outcome.PASS:
        vm.explain(guest, ended, sys.stdout)
        raise results.ResultError(f"the guest ended with {ended.outcome.label}")
    return results.load(raw)


def budgets(document: dict) -> dict[str, float]:
    return {entry["name"]: entry["budget"] for entry in document["benchmarks"] if entry.get("budget")}


def compare(reference: dict[str, float | None], new: dict[str, float | None]) -> list[str]:
    """What became worse; an operation that the reference lacks cannot."""
    found = []
    for name, old in reference.items():
        now = new.get(name)
        if old is None:
            continue
        if now is None:
            found.append(f"{name}: {old:.1f} instructions in the reference, and no figure now")
        elif now > max(old * LIMIT, old + SLACK):
            found.append(f"{name}: {now:.1f} instructions, {100 * (now / old - 1):.1f} % more than the reference's {old:.1f}")
    return found


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--record"]):
        print(__doc__, file=sys.stderr)
        return 64
    try:
        document = measure()
        new = versus.figures(document, "this run")
        over = [f"{name}: {new[name]:.1f} instructions, its budget is {most}" for name, most in budgets(document).items()
                if new.get(name) is not None and new[name] > most]
        if arguments:
            REFERENCE.write_text(json.dumps(document, indent=1) + "\n")
            found = []
        else:
            found = compare(versus.figures(results.load(REFERENCE), "the reference"), new)
    except results.ResultError as error:
        print(f"WRONG: {error}")
        return 1
    for line in over:
        print(f"over budget: {line}")
    for line in found:
        print(f"WRONG: {line}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
