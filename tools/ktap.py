#!/usr/bin/env python3
"""Checks the KTAP reports in a guest's console log.

A log may hold several reports one after the other; each must be whole: the version line, one plan, and every planned number
exactly once. Other lines between them (the kernel's log) are ignored. Nothing is ok by silence: no report, no plan, too few
tests or too few `# checks: K`, and every skip beyond the allowed number, is a failure.

Exit status: 0 as demanded, 1 not, 64 wrong usage.
"""

import argparse
import pathlib
import re
import sys
from dataclasses import dataclass, field

RESULT = re.compile(r"(not ok|ok)\b\s*(\d*)\s*(.*)")
PLAN = re.compile(r"1\.\.(\d+)(?:\s*#.*)?")
CHECKS = re.compile(r"#\s*checks:\s*(\d+)")


@dataclass
class Report:
    plan: int | None = None
    seen: dict[int, str] = field(default_factory=dict)  # number -> name


@dataclass
class Verdict:
    tests: int = 0
    checks: int = 0
    failures: list[str] = field(default_factory=list)  # names of the tests that said not ok
    skips: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)  # what is wrong with the reports themselves


def _close(report: Report, verdict: Verdict, which: int) -> None:
    if report.plan is None:
        verdict.errors.append(f"report {which} has no plan")
        return
    if report.plan == 0:
        verdict.errors.append(f"report {which} planned no test")
    planned = set(range(1, report.plan + 1))
    missing = sorted(planned - report.seen.keys())
    surplus = sorted(report.seen.keys() - planned)
    if missing:
        verdict.errors.append(f"report {which} planned 1..{report.plan} and lacks {_numbers(missing)}")
    if surplus:
        verdict.errors.append(f"report {which} planned 1..{report.plan} and also has {_numbers(surplus)}")


def _numbers(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:8])) + (f" and {len(numbers) - 8} more" if len(numbers) > 8 else "")


def _result(line: str, report: Report | None, verdict: Verdict, nested: bool) -> None:
    match = RESULT.fullmatch(line)
    verdict_word, number, rest = match.groups()
    name, _, directive = rest.partition(" # ") if not rest.startswith("# ") else ("", "", rest[2:])
    name = name.removeprefix("- ").strip()
    if report is None:
        verdict.errors.append(f"a result stands before any version line: {line}")
        return
    if not number or not name:
        verdict.errors.append(f"a result without number or name: {line}")
        return
    if verdict_word == "not ok":
        verdict.failures.append(name)
    elif directive.upper().startswith("SKIP"):
        verdict.skips.append(f"{name} ({directive[4:].strip() or 'no reason given'})")
    if nested:
        return  # a subtest: its failure counts, its number belongs to another plan
    verdict.tests += 1
    if int(number) in report.seen:
        verdict.errors.append(f"number {number} appears twice: {report.seen[int(number)]}, {name}")
    report.seen[int(number)] = name


def parse(text: str) -> Verdict:
    verdict = Verdict()
    report: Report | None = None
    count = 0
    for raw in text.replace("\r", "").split("\n"):
        line = raw.strip()
        nested = raw[:1] in (" ", "\t")
        if line == "KTAP version 1":
            if not nested:
                if report is not None:
                    _close(report, verdict, count)
                report = Report()
                count += 1
        elif line.startswith("KTAP version"):
            verdict.errors.append(f"unknown version: {line}")
        elif re.match(r"(not )?ok\b", line):
            _result(line, report, verdict, nested)
        elif plan := PLAN.fullmatch(line):
            if nested:
                continue
            if report is None:
                verdict.errors.append("a plan stands before any version line")
            elif report.plan is not None:
                verdict.errors.append(f"report {count} has two plans")
            else:
                report.plan = int(plan.group(1))
        elif line.startswith("Bail out!"):
            verdict.errors.append(line)
        elif checks := CHECKS.fullmatch(line):
            verdict.checks += int(checks.group(1))
    if report is None:
        verdict.errors.append("there is no KTAP report in this log")
    else:
        _close(report, verdict, count)
    return verdict


def problems(verdict: Verdict, expect: int = 1, exact: int | None = None, checks: int = 0, skips: int = 0,
             fails: str | None = None) -> list[str]:
    """What keeps this verdict from being what was demanded; empty when all is well.

    `fails` is for a kernel with a planted fault: some test must fail, and only tests whose name matches may.
    """
    found = list(verdict.errors)
    if exact is not None and verdict.tests != exact:
        found.append(f"{verdict.tests} tests ran, exactly {exact} were expected")
    if verdict.tests < expect:
        found.append(f"{verdict.tests} tests ran, at least {expect} were expected")
    if verdict.checks < checks:
        found.append(f"{verdict.checks} checks were counted, at least {checks} were expected")
    if len(verdict.skips) > skips:
        found.append(f"{len(verdict.skips)} tests were skipped, {skips} may be")
    if fails is None:
        found += [f"not ok: {name}" for name in verdict.failures]
    else:
        found += [f"not ok, though not expected to fail: {n}" for n in verdict.failures if not re.search(fails, n)]
        if not any(re.search(fails, name) for name in verdict.failures):
            found.append(f"no test matching '{fails}' failed, though one was expected to")
    return found


def show(verdict: Verdict, found: list[str]) -> None:
    for skip in verdict.skips:
        print(f"ktap: skipped: {skip}")
    for line in found:
        print(f"ktap: {line}")
    checks = f", {verdict.checks} checks" if verdict.checks else ""
    print(f"ktap: {verdict.tests} tests{checks}, {len(verdict.failures)} failed, {len(verdict.skips)} skipped")


def main(arguments: list[str]) -> int:
    p = argparse.ArgumentParser(prog="tools/ktap.py", description=__doc__, exit_on_error=False,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("log", type=pathlib.Path)
    p.add_argument("--expect", type=int, default=1, help="at least so many tests (default 1)")
    p.add_argument("--exact", type=int, help="exactly so many tests")
    p.add_argument("--checks", type=int, default=0, help="at least so many checks in '# checks: K' lines")
    p.add_argument("--skips", type=int, default=0, help="at most so many skipped tests (default 0)")
    p.add_argument("--fails", metavar="REGEX", help="demand failures, and only of tests that match")
    try:
        options = p.parse_args(arguments)
        text = options.log.read_text(errors="replace")
    except (argparse.ArgumentError, OSError) as error:
        print(f"ktap: {error}", file=sys.stderr)
        return 64
    verdict = parse(text)
    found = problems(verdict, options.expect, options.exact, options.checks, options.skips, options.fails)
    show(verdict, found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
