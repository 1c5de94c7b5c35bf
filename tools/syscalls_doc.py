#!/usr/bin/env python3
"""Writes docs/syscalls.md: every Linux number, whether Tollgate has the call, what of it is missing, and the test that proves it.

    tools/syscalls_doc.py            writes it
    tools/syscalls_doc.py --check    fails if it is not current, or if a call is implemented and no test makes it

It reads kernel/syscall/table.def (what there is), docs/syscalls-partial.txt (what is missing), the C library's <asm/unistd_64.h> (names)
and the test programs, in which it looks for the call by name.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "kernel" / "syscall" / "table.def"
PARTIAL = ROOT / "docs" / "syscalls-partial.txt"
OUT = ROOT / "docs" / "syscalls.md"
HEADER = pathlib.Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
TESTS = ("userland/conform", "userland/tests")
LAST = 462
# Debian 12's header ends at 450; these came later [Linux, arch/x86/entry/syscalls/syscall_64.tbl].
LATER = {451: "cachestat", 452: "fchmodat2", 453: "map_shadow_stack", 454: "futex_wake", 455: "futex_wait", 456: "futex_requeue",
         457: "statmount", 458: "listmount", 459: "lsm_get_self_attr", 460: "lsm_set_self_attr", 461: "lsm_list_modules", 462: "mseal"}
# What a C program writes to make a call, where that is not the call's own name.
WRITTEN = {
    "access": ("access", "faccessat"), "arch_prctl": ("arch_prctl",), "brk": ("brk", "sbrk"), "clone": ("clone", "pthread_create"),
    "clone3": ("clone3", "pthread_create"), "epoll_create": ("epoll_create",), "exit": ("pthread_exit", "pthread_join", "thread_exit"),
    "exit_group": ("_exit", "exit"), "fadvise64": ("posix_fadvise",), "fork": ("fork",), "futex": ("futex", "pthread_mutex_lock", "pthread_join"),
    "getdents64": ("getdents64", "readdir"), "getrlimit": ("getrlimit",), "newfstatat": ("fstatat", "newfstatat"), "pread64": ("pread",),
    "preadv": ("preadv",), "prlimit64": ("prlimit",), "pselect6": ("pselect",), "pwrite64": ("pwrite",), "rt_sigaction": ("sigaction",),
    "rt_sigpending": ("sigpending",), "rt_sigprocmask": ("sigprocmask", "pthread_sigmask"), "rt_sigqueueinfo": ("sigqueue",),
    "rt_sigreturn": ("sigaction",), "rt_sigsuspend": ("sigsuspend",), "rt_sigtimedwait": ("sigtimedwait", "sigwaitinfo"),
    "rt_tgsigqueueinfo": ("rt_tgsigqueueinfo", "pthread_sigqueue"), "sendfile": ("sendfile",), "set_robust_list": ("set_robust_list",),
    "set_tid_address": ("set_tid_address",), "stat": ("stat",), "tgkill": ("tgkill", "pthread_kill", "raise"), "umount2": ("umount", "umount2"),
    "wait4": ("wait4", "waitpid", "wait"), "mknod": ("mknod", "mkfifo"), "eventfd2": ("eventfd",), "signalfd4": ("signalfd",),
    "faccessat2": ("faccessat",), "inotify_init1": ("inotify_init1", "inotify_init"), "renameat2": ("renameat2", "renameat"),
    "flexsc_register": ("kSysFlexscRegister", "Flexsc"), "flexsc_wait": ("kSysFlexscWait", "Flexsc"), "copy64": ("kSysCopy64",),
    "null": ("kSysNull",), "probe": ("probe", "kSysProbe"),
    "fccmp_array": ("kFccmpArray",), "fccmp_nt": ("kFccmpNt",), "syscall_bench": ("kSyscallBench",),
}
# Not Linux' calls; the last three have numbers that Linux gives to others, and are there with option spma22=on alone.
OWN = ("flexsc_register", "flexsc_wait", "copy64", "null", "probe", "fccmp_array", "fccmp_nt", "syscall_bench")


def linux_names(text: str) -> dict[int, str]:
    names = {int(number): name for name, number in re.findall(r"#define __NR_(\w+) (\d+)", text)}
    return LATER | names


def table(text: str) -> dict[int, tuple[str, str]]:
    """Number -> (name, gates)."""
    return {int(number): (name, gates.strip())
            for number, name, gates in re.findall(r"^SYSCALL\((\d+),\s*(\w+),\s*([^)]*)\)", text, re.MULTILINE)}


def partial(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, missing = line.partition(":")
            found[name.strip()] = missing.strip()
    return found


def programs(root: pathlib.Path = ROOT) -> dict[str, str]:
    """Name of a test program -> its text without comments. NAME_*.cpp beside NAME_tests.h are parts of NAME."""
    found: dict[str, str] = {}
    for folder in TESTS:
        prefix = "conform" if folder.endswith("conform") else "test"
        wholes = [header.stem.removesuffix("_tests") for header in (root / folder).glob("*_tests.h")]
        for path in sorted((root / folder).glob("*.cpp")):
            if path.stem == "fuzz_calls":
                continue  # it makes every call and proves none
            text = re.sub(r"//[^\n]*", "", path.read_text(encoding="utf-8"))
            stem = next((whole for whole in wholes if path.stem.startswith(whole + "_")), path.stem)
            found[f"{prefix}-{stem}"] = found.get(f"{prefix}-{stem}", "") + text
    return found


def testers(name: str, texts: dict[str, str]) -> list[str]:
    """The test programs that make this call."""
    words = "|".join(map(re.escape, WRITTEN.get(name, (name,))))
    pattern = re.compile(rf"\b(?:SYS_|__NR_){re.escape(name)}\b|(?<![\w.>])(?:::)?(?:{words})\s*\(|\b(?:{words})\b(?=[:;])"
                         if name not in OWN else rf"\b(?:{words})\b")
    return [program for program, text in texts.items() if pattern.search(text)]


def gates(text: str) -> str:
    return "all" if "TrapAndPage" in text else "native, int 0x80"


def document(have: dict[int, tuple[str, str]], names: dict[int, str], missing: dict[str, str], texts: dict[str, str]) -> str:
    whole = sum(1 for name, _ in have.values() if name not in missing)
    linux = sum(1 for name, _ in have.values() if name not in OWN)
    lines = ["# System calls", "",
             "Generated by `tools/syscalls_doc.py` from `kernel/syscall/table.def`, `docs/syscalls-partial.txt` and the tests; do not edit.", "",
             f"{linux} of Linux' {len(names)} calls up to {LAST} are there, and {len(have) - linux} of our own; {len(have) - whole} are partial. "
             "All others return ENOSYS, which is logged once for each number.", "",
             "| number | call | state | gates | missing | tested by |", "|---|---|---|---|---|---|"]
    for number in sorted(set(names) | set(have)):
        if number > LAST and number not in have:
            continue
        if number not in have:
            lines.append(f"| {number} | {names[number]} | ENOSYS | | | |")
            continue
        name, route = have[number]
        proof = testers(name, texts)
        shown = ", ".join(proof[:3]) + (f" and {len(proof) - 3} more" if len(proof) > 3 else "")
        state = "partial" if name in missing else "implemented"
        lines.append(f"| {number} | {name} | {state} | {gates(route)} | {missing.get(name, '')} | {shown} |")
    return "\n".join(lines) + "\n"


def problems(text: str, have: dict[int, tuple[str, str]], names: dict[int, str], missing: dict[str, str], texts: dict[str, str],
             current: str) -> list[str]:
    found = []
    if text != current:
        found.append("docs/syscalls.md is not current: run tools/syscalls_doc.py")
    known = set(names.values()) | {name for name, _ in have.values()}
    found += [f"docs/syscalls-partial.txt: there is no call {name}" for name in missing if name not in known]
    for number, (name, _) in sorted(have.items()):
        if number in names and names[number] != name and name not in OWN:
            found.append(f"table.def: {number} is {names[number]}, not {name}")
        if not testers(name, texts):
            found.append(f"{name} ({number}) is implemented, and no program in {' or '.join(TESTS)} makes it")
    return found


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 64
    have, missing, texts = table(TABLE.read_text()), partial(PARTIAL.read_text()), programs()
    names = linux_names(HEADER.read_text())
    text = document(have, names, missing, texts)
    if not arguments:
        OUT.write_text(text)
        return 0
    found = problems(text, have, names, missing, texts, OUT.read_text() if OUT.exists() else "")
    for line in found:
        print(f"syscalls_doc: {line}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
