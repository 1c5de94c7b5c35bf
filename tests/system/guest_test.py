#!/usr/bin/env python3
"""One guest test: boots a guest by tools/vm.py's means and compares how it ended and what it said with what was demanded.

CTest calls it; tests/system/CMakeLists.txt writes its command lines. On a failure it prints the line that repeats the run.
Exit status: 0 as demanded, 1 not, 64 wrong usage.
"""

import pathlib
import re
import shlex
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import ktap  # noqa: E402
import vm  # noqa: E402
from guest import Guest, Outcome, Report, UsageError  # noqa: E402

EXPECTATIONS = {outcome.label: outcome for outcome in Outcome}


def parser() -> vm.Parser:
    p = vm.Parser(prog="tests/system/guest_test.py", description=__doc__, allow_abbrev=False)
    vm.add_guest_options(p)
    p.add_argument("--expect", default="pass", choices=EXPECTATIONS)
    p.add_argument("--expect-output", action="append", default=[], metavar="REGEX", help="a console line must match")
    p.add_argument("--reject-output", action="append", default=[], metavar="REGEX", help="no console line may match")
    p.add_argument("--ktap", type=int, help="the console must hold whole KTAP reports with at least so many tests")
    p.add_argument("--checks", type=int, default=0, help="KTAP: at least so many checks")
    p.add_argument("--skips", type=int, default=0, help="KTAP: at most so many skips")
    p.add_argument("--fails", metavar="REGEX", help="KTAP: demand that tests matching this, and only they, fail")
    p.add_argument("--log", type=pathlib.Path, required=True)
    return p


def wrong(options, report: Report) -> list[str]:
    """Why this run is not what was demanded."""
    found = []
    if report.outcome is not EXPECTATIONS[options.expect]:
        found.append(f"the guest ended with '{report.outcome.label}', not '{options.expect}'")
    lines = report.lines()
    for pattern in options.expect_output:
        if not any(re.search(pattern, line) for line in lines):
            found.append(f"no console line matches '{pattern}'")
    for pattern in options.reject_output:
        found += [f"this line matches '{pattern}': {line}" for line in lines if re.search(pattern, line)][:3]
    if options.ktap is not None:
        verdict = ktap.parse("\n".join(lines))
        problems = ktap.problems(verdict, options.ktap, None, options.checks, options.skips, options.fails)
        ktap.show(verdict, [])
        found += problems
    return found


def repeat_line(arguments: list[str]) -> str:
    """The vm.py command that shows the same run: our own options less what only this script knows."""
    kept, skip = [], False
    own = ("--expect", "--expect-output", "--reject-output", "--ktap", "--checks", "--skips", "--fails", "--log")
    for word in arguments:
        if skip or word.split("=")[0] in own:
            skip = not skip and "=" not in word
            continue
        kept.append(word)
    return shlex.join(["tools/vm.py", *kept])


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    options.log.parent.mkdir(parents=True, exist_ok=True)
    try:
        guest: Guest = vm.guest_from(options)
        report = vm.run(guest, show=False, log_path=options.log)
    except UsageError as error:
        print(f"guest test: {error}", file=sys.stderr)
        return 64
    except re.error as error:
        print(f"guest test: a pattern is no regular expression: {error}", file=sys.stderr)
        return 64
    print(f"{guest.title}: {report.outcome.label} after {report.seconds:.1f} s")
    found = wrong(options, report)
    if not found:
        return 0
    print("--- console\n" + "\n".join(report.lines()[-200:]) + "\n--- end of console", flush=True)
    vm.explain(guest, report, sys.stdout)
    for line in found:
        print(f"WRONG: {line}")
    print(f"repeat: {repeat_line(arguments)}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
