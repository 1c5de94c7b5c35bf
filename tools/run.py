#!/usr/bin/env python3
"""What run-qemu.sh does once the set-up is there: build, choose the machine, boot every pass, report.

A pass is one boot of /bin/bench. Under icount there is one for each page-table setting, plus two with a worker core; real KVM
gets one for each setting; multi-threaded TCG one, for ratios. With --sweep the benchmarks are FlexSC's batches of 1 to 512 by every
policy. run-qemu.sh --help lists options and exit codes.
"""

import argparse
import datetime
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass

import accel
import gdbsession
import hostinfo
import qemu
import report
import results
import vm
from guest import ACCELS, BOOTS, BUILD, MACHINES, ROOT, Guest, Outcome, UsageError, shown

KERNEL = BUILD / "kernel" / "tollgate.elf"
ARCHIVE = BUILD / "userland" / "programs.cpio"
RESULTS = BUILD / "results"
BUILD_FAILED, REPORT_FAILED, USAGE = 7, 8, 64
WORKER_FILTER = "flexsc_(ipi|poll|adaptive)"
KIND = {"icount": "TCG, single-threaded, icount shift=0", "tcg": "TCG, multi-threaded", "kvm": "hardware KVM"}
BOOT_BOUND = 180.0  # seconds on the reference machine; a whole benchmark pass takes a tenth of it


@dataclass(frozen=True)
class Plan:
    kind: str
    pti: str
    smp: int
    filter: str

    @property
    def title(self) -> str:
        return f"{self.kind} pti={self.pti} smp={self.smp}"


def options_from(arguments: list[str]) -> argparse.Namespace:
    p = vm.Parser(prog="run-qemu.sh", allow_abbrev=False)
    p.add_argument("--accel", default="auto", choices=("auto", *(a for a in ACCELS if a != "bochs")))
    p.add_argument("--smp", type=int)
    p.add_argument("--boot", default="pvh", choices=BOOTS)
    p.add_argument("--machine", default="q35", choices=MACHINES)
    p.add_argument("--bench", default="", metavar="FILTER")
    p.add_argument("--sweep", action="store_true")
    p.add_argument("--append", default="", metavar="'KERNEL OPTIONS'")
    p.add_argument("--gdb", action="store_true")
    p.add_argument("--no-build", action="store_true")
    options = p.parse_args(arguments)
    if options.smp is not None and not 1 <= options.smp <= 255:
        p.error(f"--smp {options.smp}: 1 to 255")
    if " -- " in f" {options.append} ":
        p.error("--append takes kernel options; what stands behind ' -- ' is run-qemu.sh's own (see --bench)")
    return options


def build() -> bool:
    if not (BUILD / "build.ninja").exists():
        if subprocess.run(["cmake", "--preset", "default"], cwd=ROOT).returncode:
            return False
    return subprocess.run(["cmake", "--build", "build", "--target", "tollgate_elf", "archive"], cwd=ROOT).returncode == 0


def plans(kind: str, options: argparse.Namespace, cpus: int) -> list[Plan]:
    """The boots to make on one kind of machine."""
    chosen = [word.split("=", 1)[1] for word in options.append.split() if word.startswith("pti=")]
    settings = [p for p in chosen[-1:] if p in ("on", "off")] or ["off", "on"]
    if options.smp is not None:
        return [Plan(kind, pti, options.smp, options.bench) for pti in settings]
    if kind == "kvm":
        return [Plan(kind, pti, min(2, cpus), options.bench) for pti in settings]
    if kind == "tcg":
        return [Plan(kind, settings[0], 2, options.bench)]
    return [Plan(kind, pti, 1, options.bench) for pti in settings] + \
           [Plan(kind, pti, 2, options.bench or WORKER_FILTER) for pti in settings]


def choose(options: argparse.Namespace) -> list[str]:
    """The kinds of machine to measure on; says in one line why."""
    if options.accel in ("tcg", "icount"):
        return [options.accel]
    real, why = accel.kvm_is_real(KERNEL, ARCHIVE if ARCHIVE.exists() else None)
    if real:
        print(f"accelerator: KVM ({why})")
        return ["kvm"]
    if options.accel == "kvm":
        raise UsageError(f"no usable KVM: {why}; --accel auto falls back to emulation")
    print(f"accelerator: TCG, instructions by icount and ratios ({why})")
    return ["icount", "tcg"]


def guest_for(plan: Plan, options: argparse.Namespace, results_path: pathlib.Path | None) -> Guest:
    words = ["init=/bin/bench", f"accel={plan.kind}"]
    if plan.smp > 1:
        words.append("flexsc.workers=1")
    if "pti=" not in options.append:
        words.append(f"pti={plan.pti}")
    words += options.append.split()
    program = ["--tollgate_sweep"] if options.sweep else []
    if plan.filter:
        program.append(f"--benchmark_filter={plan.filter}")
    if program:
        words += ["--", *program]
    return Guest(KERNEL, ARCHIVE, " ".join(words), options.machine, plan.kind, plan.smp, options.boot, timeout=BOOT_BOUND,
                 results=results_path)


def keep_wanted(plan: Plan, options: argparse.Namespace, document: dict) -> dict:
    """The second CPU of an icount pass is there for the worker rows; all others were measured with one CPU."""
    if plan.kind != "icount" or options.smp is not None or plan.smp == 1:
        return document
    return {**document, "benchmarks": [e for e in document["benchmarks"] if re.search(WORKER_FILTER, e["name"])]}


def boot(plan: Plan, options: argparse.Namespace, stem: str) -> tuple[Outcome, results.Pass | None, dict | None]:
    raw = RESULTS / f"{stem}-{plan.kind}-{plan.pti}-{plan.smp}.raw.json"
    log = raw.with_suffix("").with_suffix(".log")
    guest = guest_for(plan, options, raw)
    outcome = qemu.run(guest, show=False, log_path=log)
    print(f"  {plan.title:28} {outcome.outcome.label} in {outcome.seconds:.1f} s", flush=True)
    if outcome.outcome is not Outcome.PASS:
        vm.explain(guest, outcome)
        print("\n".join("  | " + line for line in outcome.lines()[-25:]) + f"\nvm: the whole log is {shown(log)}",
              file=sys.stderr)
        return outcome.outcome, None, None
    document = results.load(raw)
    document = keep_wanted(plan, options, document)
    images = {path.name: hostinfo.sha256(path) for path in (KERNEL, ARCHIVE)}
    done = results.Pass(plan.kind, plan.pti, plan.smp, tuple(outcome.command), images, guest.append)
    return Outcome.PASS, done, document


def context(options: argparse.Namespace, passes: list[tuple[results.Pass, dict]]) -> dict:
    now = datetime.datetime.now(datetime.timezone.utc)
    counts = [e.get("repetitions", 1) for _, document in passes for e in document["benchmarks"]]
    return {
        "date": now.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
        "executable": shlex.join(["./run-qemu.sh", *sys.argv[1:]]),
        "num_cpus": os.cpu_count() or 1,
        "library_build_type": "release",
        "qemu_version": qemu.version(),
        "accelerator": {done.kind: KIND[done.kind] for done, _ in passes},
        "machine": options.machine,
        "boot": options.boot,
        "seed": "1 (icount passes); n/a (others)",
        "boots": len(passes),
        "repetitions": max(counts, default=0),
        "outlier_rule": "none: every sample counts, medians are reported",
        **hostinfo.facts(),
    }


def finish(options: argparse.Namespace, passes: list[tuple[results.Pass, dict]], stem: str) -> None:
    merged = results.merge(passes, context(options, passes))
    printed = report.text(merged, "this run")
    path = RESULTS / f"{stem}.json"
    path.write_text(json.dumps(merged, indent=1) + "\n")
    draft = RESULTS / ".latest"
    draft.write_bytes(path.read_bytes())
    draft.replace(RESULTS / "latest.json")
    print(f"\n{printed}\n\nresult file: {shown(path)}")


def debug(options: argparse.Namespace) -> int:
    plan = Plan("tcg" if options.accel == "auto" else options.accel, "off", options.smp or 1, options.bench)
    guest = guest_for(plan, options, None)
    guest.gdb = 1234
    print("The guest waits for the debugger. In a second terminal, in this folder, type:\n\n"
          f"    {gdbsession.write(KERNEL, ARCHIVE, '/bin/bench', guest.gdb)}\n", flush=True)
    outcome = vm.run(guest)
    vm.explain(guest, outcome)
    return int(outcome.outcome)


def main(arguments: list[str]) -> int:
    options = options_from(arguments)
    if not options.no_build and not build():
        print("run-qemu: the build failed", file=sys.stderr)
        return BUILD_FAILED
    RESULTS.mkdir(parents=True, exist_ok=True)
    stem = datetime.datetime.now().strftime("%Y%m%dT%H%M%S")
    try:
        if options.gdb:
            return debug(options)
        passes, worst = [], Outcome.PASS
        cpus = len(os.sched_getaffinity(0))
        for kind in choose(options):
            for plan in plans(kind, options, cpus):
                if plan.kind != "icount" and plan.smp > cpus:
                    print(f"  {plan.title:28} left out: {plan.smp} busy vCPUs on {cpus} host CPU(s) measure the host's scheduler")
                    continue
                outcome, done, document = boot(plan, options, stem)
                worst = worst or outcome
                if done is not None:
                    passes.append((done, document))
        if worst is Outcome.PASS:
            finish(options, passes, stem)
        return int(worst)
    except results.ResultError as error:
        print(f"run-qemu: {error}" + (f" (does a benchmark match '{options.bench}'?)" if options.bench else ""), file=sys.stderr)
        return REPORT_FAILED
    except UsageError as error:
        print(f"run-qemu: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
