"""Result files: reads what /bin/bench wrote, checks it, and merges several passes into one Google Benchmark document.

A pass is one boot: its kind says what its figures mean (icount: instructions, kvm: cycles, tcg: ratios only). Called by run.py,
which makes the passes, and by report.py, which prints them.
"""

import json
import math
import pathlib
import re
import shlex
import statistics
from dataclasses import dataclass, field

UNIT = {"icount": "instructions per call", "kvm": "cycles per call", "tcg": "ratio to native"}
KINDS = tuple(UNIT)
DECORATION = re.compile(r"((repeats|iterations|min_time|min_warmup_time|threads):.*|(process|real|manual)_time)")
STATISTICS = ("n", "min", "median", "mean", "p90", "p99", "max", "ci95_low", "ci95_high")


class ResultError(Exception):
    """A result file is not what it should be; the message names the file and the place."""


@dataclass(frozen=True)
class Pass:
    kind: str
    pti: str  # "on" or "off"
    smp: int
    command: tuple[str, ...] = ()
    image: dict = field(default_factory=dict, hash=False)  # file -> SHA-256
    kernel_options: str = ""

    @property
    def prefix(self) -> str:
        smp = f"/smp:{self.smp}" if self.smp != 1 else ""
        return f"{self.kind}{smp}/pti:{self.pti}"


@dataclass(frozen=True)
class Row:
    """One path in one pass, over all its repetitions."""

    kind: str
    smp: int
    pti: str
    operation: str
    gate: str
    batch: int  # 0 = a path without batches
    per_call: float  # median of the repetitions
    repetitions: int
    n: float
    ns: float | None


def parse(text: str, where: str) -> dict:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ResultError(f"{where}: not JSON: {error}") from None
    if not isinstance(document, dict):
        raise ResultError(f"{where}: a result is a JSON object, not a {type(document).__name__}")
    if not isinstance(document.get("context"), dict):
        raise ResultError(f"{where}: 'context' is missing or no object")
    if not isinstance(document.get("benchmarks"), list):
        raise ResultError(f"{where}: 'benchmarks' is missing or no list")
    for index, entry in enumerate(document["benchmarks"]):
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or not entry["name"]:
            raise ResultError(f"{where}: benchmarks[{index}] has no name")
    return document


def load(path: pathlib.Path) -> dict:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ResultError(f"{path}: {error}") from None
    return parse(text, str(path))


def number(entry: dict, key: str, where: str) -> float:
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ResultError(f"{where}: '{entry['name']}' has no usable '{key}' (it is {value!r})")
    return float(value)


def is_measured(entry: dict) -> bool:
    """One repetition with figures, as opposed to an aggregate or a benchmark that was skipped."""
    return entry.get("run_type", "iteration") == "iteration" and not entry.get("error_occurred")


def plain_name(name: str) -> str:
    """The name without what Google Benchmark appends: /repeats:9, /manual_time and the like."""
    return "/".join(part for part in name.split("/") if not DECORATION.fullmatch(part))


def _per_call(entries: list[dict], where: str) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for entry in entries:
        if is_measured(entry):
            values.setdefault(plain_name(entry["name"]), []).append(number(entry, "per_call", where))
    return {name: statistics.median(found) for name, found in values.items()}


def _ghz(context: dict) -> float | None:
    try:
        hertz = float(context.get("tsc_hz", 0))
    except (TypeError, ValueError):
        return None
    return hertz / 1e9 if math.isfinite(hertz) and hertz > 0 else None


def merged_entries(boot: Pass, document: dict, where: str) -> tuple[list[dict], dict[str, str]]:
    """The entries of one pass, renamed, with real_time holding the one figure that this kind of machine can tell; and what
    has no figure, with the reason (such entries would confuse compare.py, so they go into the context)."""
    native = {name.split("/")[0]: value for name, value in _per_call(document["benchmarks"], where).items()
              if name.split("/")[1:] == ["native"]}
    ghz = _ghz(document["context"])
    entries, unmeasured = [], {}
    for old in document["benchmarks"]:
        if old.get("run_type", "iteration") != "iteration":
            continue
        plain = plain_name(old["name"])
        name = f"{boot.prefix}/{plain}"
        if old.get("error_occurred"):
            unmeasured[name] = str(old.get("error_message") or "no reason given")
            continue
        figure = number(old, "per_call", where)
        entry = {**old, "name": name, "run_name": name, "time_unit": "ns", "label": UNIT[boot.kind]}
        if boot.kind == "kvm" and ghz:
            entry["label"] = "ns per call"
            figure /= ghz
        elif boot.kind == "tcg":
            base = native.get(plain.split("/")[0])
            if not base:
                unmeasured[name] = "no native figure in this pass to set it against"
                continue
            for key in (*STATISTICS[1:], "per_call", "user_per_call", "post_per_call", "reap_per_call"):
                entry.pop(key, None)  # ticks of a plain TCG mean nothing, so they are not kept
            figure /= base
            entry["ratio"] = figure
        entry["real_time"] = entry["cpu_time"] = figure
        entries.append(entry)
    return entries, unmeasured


def merge(passes: list[tuple[Pass, dict]], context: dict) -> dict:
    guests, boots, entries, unmeasured = {}, {}, [], {}
    for boot, document in passes:
        if boot.kind not in KINDS:
            raise ResultError(f"a pass of unknown kind '{boot.kind}'")
        if boot.prefix in guests:
            raise ResultError(f"two passes are both named {boot.prefix}")
        said = str(document["context"].get("pti", boot.pti))
        if said.split()[:1] != [boot.pti]:
            raise ResultError(f"{boot.prefix}: the guest says pti={said}; its figures would stand in the wrong column")
        guests[boot.prefix] = document["context"]
        boots[boot.prefix] = {"command": shlex.join(boot.command), "kernel_options": boot.kernel_options,
                              "image_sha256": boot.image, "vcpus": boot.smp, "unit": UNIT[boot.kind]}
        measured, rest = merged_entries(boot, document, boot.prefix)
        entries += measured
        unmeasured |= rest
    return {"context": {**context, "passes": boots, "guest": guests, "not_measured": unmeasured}, "benchmarks": entries}


NAME = re.compile(r"(?P<kind>\w+)(?:/smp:(?P<smp>\d+))?/pti:(?P<pti>on|off)/(?P<op>[\w.-]+)/(?P<gate>[\w.-]+)"
                  r"(?:/batch:(?P<batch>\d+))?")


def rows(document: dict, where: str = "result") -> list[Row]:
    """All paths of a merged document, in the order of the file. One whose name is not ours is an error."""
    groups: dict[str, list[dict]] = {}
    for entry in document["benchmarks"]:
        if is_measured(entry):
            groups.setdefault(entry["name"], []).append(entry)
    found = []
    for name, entries in groups.items():
        match = NAME.fullmatch(name)
        if not match or match["kind"] not in KINDS:
            raise ResultError(f"{where}: '{name}' is not of the form kind[/smp:N]/pti:on|off/operation/gate[/batch:N]")
        key = "ratio" if match["kind"] == "tcg" else "per_call"
        value = statistics.median(number(entry, key, where) for entry in entries)
        ns = statistics.median(number(entry, "real_time", where) for entry in entries) \
            if match["kind"] == "kvm" and entries[0].get("label") == "ns per call" else None
        found.append(Row(match["kind"], int(match["smp"] or 1), match["pti"], match["op"], match["gate"],
                         int(match["batch"] or 0), value, len(entries),
                         number(entries[0], "n", where) if "n" in entries[0] else 0, ns))
    return found


def skipped(document: dict) -> list[str]:
    unmeasured = document["context"].get("not_measured")
    return [f"{name}: {why}" for name, why in unmeasured.items()] if isinstance(unmeasured, dict) else []
