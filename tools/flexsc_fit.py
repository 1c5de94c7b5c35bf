"""What a batch of N posted calls costs each: the least-squares fit c + w/N over our batches, the N from which it beats a native
call, and the paper's curves (OSDI'10) in the same table, fitted in the same way. tools/report.py prints it.
"""

from dataclasses import dataclass

from results import Row

# getppid, ns a call by batch, i7 Nehalem 2.3 GHz; a native call took 56 ns.
PAPER_NATIVE = 56.0
PAPER = {
    "same core": {1: 80, 2: 52, 4: 38, 8: 34, 16: 27, 32: 24, 64: 24},
    "remote core by IPI": {1: 642, 2: 543, 4: 321, 8: 176, 16: 130, 32: 71, 64: 44},
}


@dataclass(frozen=True)
class Fit:
    """per_call(N) = call + wait / N."""

    call: float  # what every call costs
    wait: float  # what a batch costs, shared by its calls
    error: float  # the largest distance of a point from the curve

    def break_even(self, native: float) -> float | None:
        """The batch from which a posted call costs less than a native one; None: never."""
        return None if native <= self.call else max(1.0, self.wait / (native - self.call))


def fit(points: dict[int, float]) -> Fit | None:
    """None with fewer than three batches: two points lie on any such curve."""
    if len(points) < 3:
        return None
    x = [1 / batch for batch in points]
    y = list(points.values())
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y)) / sum((a - mean_x) ** 2 for a in x)
    call = mean_y - slope * mean_x
    return Fit(call, slope, max(abs(call + slope * a - b) for a, b in zip(x, y)))


def cells(name: str, points: dict[int, float], batches: list[int], native: float | None) -> tuple[str, ...]:
    """One line of the table; without a fit its columns stay empty."""
    found = fit(points)
    if found is None:
        curve = even = "-"
    else:
        curve = f"{found.call:.1f} + {found.wait:.1f}/N +- {found.error:.1f}"
        batch = None if native is None else found.break_even(native)
        even = "?" if native is None else "never" if batch is None else f"{batch:.1f}"
    values = [f"{points[batch]:.1f}" if batch in points else "" for batch in batches]
    return name, *values, curve, "?" if native is None else f"{native:.1f}", even


def aligned(lines: list[tuple[str, ...]]) -> list[str]:
    width = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return ["  " + line[0].ljust(width[0]) + "".join("  " + cell.rjust(w) for cell, w in zip(line[1:], width[1:])) for line in lines]


def table(rows: list[Row], kind: str) -> str:
    """Empty without batches."""
    unit = {"icount": "instructions", "kvm": "cycles", "tcg": "times native"}[kind]
    # A native call is the same with more CPUs, and not measured again with them.
    native = {(row.pti, row.operation): row.per_call for row in rows if row.gate == "native"}
    curves: dict[tuple, dict[int, float]] = {}
    for row in rows:
        if row.gate.startswith("flexsc") and row.batch:
            curves.setdefault((row.operation, row.gate, row.smp, row.pti), {})[row.batch] = row.per_call
    if not curves:
        return ""
    batches = sorted({batch for points in curves.values() for batch in points})
    lines = [("N =", *map(str, batches), "c + w/N", "native", "less from N")]
    lines += [cells(f"{operation}/{gate}, smp {smp}, pti={pti}", points, batches, native.get((pti, operation)))
              for (operation, gate, smp, pti), points in curves.items()]
    lines += [cells(f"OSDI'10, getppid, {name}, ns", points, batches, PAPER_NATIVE) for name, points in PAPER.items()]
    return "\n".join([f"A call posted in a batch of N, {unit}; c + w/N fitted by least squares, +- its largest error; the native call, and "
                      "the batch from which the fit costs less:", *aligned(lines)])
