#!/usr/bin/env python3
"""The instruction-count gate: measures every path again under icount and compares with docs/results/reference.json.

Icount is exact and repeatable, so any growth beyond tools/report.py's limit is a change of our code (or of the compiler).
"""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "results" / "reference.json"
RESULT = ROOT / "build" / "results" / "latest.json"


def main() -> int:
    RESULT.unlink(missing_ok=True)
    run = subprocess.run([sys.executable, ROOT / "tools" / "run.py", "--no-build", "--accel", "icount"], cwd=ROOT)
    if run.returncode:
        print(f"WRONG: the measurement failed with status {run.returncode}")
        return 1
    gate = subprocess.run([sys.executable, ROOT / "tools" / "report.py", "--gate", os.fspath(REFERENCE), os.fspath(RESULT)])
    return 1 if gate.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
