#!/usr/bin/env python3
"""What the fastcall gate costs every native call: entry_check.py KERNEL.ELF fails unless native_entry begins with exactly two instructions
for it, a comparison with the number and a jump that is not taken, and goes on with SWAPGS."""

import re
import subprocess
import sys

NUMBER = 442
WANTED = [("cmp", rf"\$0x{NUMBER:x},%rax"), ("je", r"[0-9a-f]+ <fastcall_\w+>"), ("swapgs", "")]


def instructions(listing: str) -> list[tuple[str, str]]:
    """(mnemonic, operands) of an objdump listing."""
    found = re.findall(r"^\s*[0-9a-f]+:\s+(\w+)[ \t]*([^\n#]*)", listing, re.MULTILINE)
    return [(mnemonic.removesuffix("q") if mnemonic == "cmpq" else mnemonic, operands.strip()) for mnemonic, operands in found]


def problem(found: list[tuple[str, str]]) -> str | None:
    for (mnemonic, operands), (wanted, pattern) in zip(found, WANTED):
        if mnemonic != wanted or not re.fullmatch(pattern, operands):
            return f"'{mnemonic} {operands}' where '{wanted} {pattern}' is expected"
    return None if len(found) >= len(WANTED) else "native_entry cannot be read"


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 64
    listing = subprocess.run(["objdump", "-d", "--no-show-raw-insn", "--disassemble=native_entry", arguments[0]], capture_output=True, text=True,
                             check=True).stdout
    wrong = problem(instructions(listing))
    print(f"WRONG: {wrong}" if wrong else "two instructions, then swapgs")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
