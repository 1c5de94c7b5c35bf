"""What a batch of N posted calls costs each: the least-squares fit c + w/N over our batches, the N from which it beats a native
call, and the paper's curves (OSDI'10) fitted in the same way. tools/report.py prints it.
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


def line(name: str, found: Fit, native: float | None, unit: str) -> str:
    if native is None:
        even = "no native call to compare with"
    elif (batch := found.break_even(native)) is None:
        even = f"native {native:.1f}: never less"
    else:
        even = f"native {native:.1f}: less from N = {batch:.1f}"
    return f"  {name}: {found.call:.1f} + {found.wait:.1f}/N {unit}, off by {found.error:.1f} at most; {even}"


def table(rows: list[Row], kind: str) -> str:
    """Empty without batches."""
    unit = {"icount": "instructions", "kvm": "cycles", "tcg": "times native"}[kind]
    # A native call is the same with more CPUs, and not measured again with them.
    native = {(row.pti, row.operation): row.per_call for row in rows if row.gate == "native"}
    curves: dict[tuple, dict[int, float]] = {}
    for row in rows:
        if row.gate.startswith("flexsc") and row.batch:
            curves.setdefault((row.smp, row.pti, row.operation, row.gate), {})[row.batch] = row.per_call
    lines = [line(f"{operation}/{gate}, smp {smp}, pti={pti}", found, native.get((pti, operation)), unit)
             for (smp, pti, operation, gate), points in curves.items() if (found := fit(points))]
    if not lines:
        return ""
    lines += [line(f"the paper, getppid, {name}", fit(points), PAPER_NATIVE, "ns") for name, points in PAPER.items()]
    return "\n".join(["A posted call by its batch of N, fitted by least squares:", *lines])
