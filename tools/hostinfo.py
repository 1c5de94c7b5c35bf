"""Facts about the host, the compiler and the source that a result file must carry. Whatever cannot be read is "n/a".

Used by run.py. The host's name and the paths of its folders are left out on purpose: result files are published.
"""

import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess

from guest import BUILD, ROOT

UNKNOWN = "n/a"
GIT = ("git", "-c", f"safe.directory={ROOT}")  # the tree may belong to another user, in a container for instance


def read(path: str | pathlib.Path) -> str:
    try:
        return pathlib.Path(path).read_text(errors="replace").strip() or UNKNOWN
    except OSError:
        return UNKNOWN


def output(*command: str) -> str:
    try:
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return UNKNOWN
    return answer.stdout.strip() if answer.returncode == 0 else UNKNOWN


def sha256(path: pathlib.Path | None) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() if path else UNKNOWN
    except OSError:
        return UNKNOWN


def cpuinfo(field: str, text: str | None = None) -> str:
    match = re.search(rf"^{field}\s*:\s*(.+)$", text if text is not None else read("/proc/cpuinfo"), re.MULTILINE)
    return match.group(1).strip() if match else UNKNOWN


def turbo(root: str = "/sys/devices/system/cpu") -> str:
    no_turbo, boost = read(f"{root}/intel_pstate/no_turbo"), read(f"{root}/cpufreq/boost")
    if no_turbo in ("0", "1"):
        return "on" if no_turbo == "0" else "off"
    return {"1": "on", "0": "off"}.get(boost, UNKNOWN)


def mitigations(root: str = "/sys/devices/system/cpu/vulnerabilities") -> dict[str, str] | str:
    try:
        return {path.name: read(path) for path in sorted(pathlib.Path(root).iterdir())} or UNKNOWN
    except OSError:
        return UNKNOWN


def commit() -> str:
    """The commit, with "-dirty" behind it when the tree differs from it."""
    head = output(*GIT, "rev-parse", "HEAD")
    if head == UNKNOWN:
        return UNKNOWN
    changed = output(*GIT, "status", "--porcelain", "--untracked-files=no")
    return head + ("-dirty" if changed else "")


def compiler() -> dict[str, str]:
    """Compiler and flags of the kernel, from the build's own record of how it compiled kernel/main.cpp."""
    facts = {"compiler": UNKNOWN, "compiler_flags": UNKNOWN}
    try:
        entries = json.loads((BUILD / "compile_commands.json").read_text())
        entry = next(e for e in entries if e["file"].endswith("kernel/main.cpp"))
        words = shlex.split(entry["command"])
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return facts
    facts["compiler"] = output(words[0], "--version").splitlines()[0]
    flags = [w for w in words[1:] if w[:2] in ("-O", "-f", "-m", "-g") or w.startswith(("-std", "-D"))]
    facts["compiler_flags"] = " ".join(flags).replace(str(ROOT), ".")
    return facts


def facts() -> dict:
    text = read("/proc/cpuinfo")
    return {
        "host_cpu": cpuinfo("model name", text),
        "host_microcode": cpuinfo("microcode", text),
        "host_cpus": os.cpu_count() or UNKNOWN,
        "host_governor": read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "host_turbo": turbo(),
        "host_smt": {"1": "on", "0": "off"}.get(read("/sys/devices/system/cpu/smt/active"), UNKNOWN),
        "host_kernel": os.uname().release,
        "host_mitigations": mitigations(),
        "git_commit": commit(),
        **compiler(),
    }
