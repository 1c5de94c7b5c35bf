"""What the unit tests of the tools share: the path to the tools, and builders of small result documents."""

import pathlib
import sys

TOOLS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOOLS))


def entry(name: str, per_call: float = 100, **more) -> dict:
    return {"name": name, "run_name": name, "run_type": "iteration", "repetitions": 1, "repetition_index": 0, "threads": 1,
            "iterations": 10, "real_time": 1.0, "cpu_time": 1.0, "time_unit": "ns", "per_call": per_call, "n": 10, **more}


def document(*entries: dict, **context) -> dict:
    return {"context": context, "benchmarks": list(entries)}
