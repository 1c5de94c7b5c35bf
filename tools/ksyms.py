#!/usr/bin/env python3
"""Makes the kernel's symbol table for backtraces: assembly with the functions of an ELF file, sorted by address.

ksyms.py --empty OUT.S         a table without entries, for the first link
ksyms.py KERNEL.ELF OUT.S      the functions that nm lists in KERNEL.ELF
"""
import re
import subprocess
import sys


def functions(elf):
    listing = subprocess.run(["nm", "-C", "-n", "--defined-only", elf], check=True, capture_output=True, text=True).stdout
    found = {}
    for line in listing.splitlines():
        match = re.match(r"([0-9a-f]{16}) [tTwW] (.+)", line)
        if match and not match[2].startswith((".", "__")):
            name = re.sub(r"\(.*", "", match[2].replace("tollgate::", "").replace("(anonymous namespace)::", ""))
            found.setdefault(int(match[1], 16), name[:80])
    return sorted(found.items())


def write(path, symbols):
    with open(path, "w", encoding="utf-8") as out:
        out.write('    .section .ksyms, "a"\n    .balign 8\n    .global ksyms_count, ksyms_entries, ksyms_names\n')
        out.write(f"ksyms_count: .quad {len(symbols)}\nksyms_entries:\n")
        offset = 0
        for address, name in symbols:
            out.write(f"    .quad {address:#x}, {offset}\n")
            offset += len(name.encode()) + 1
        out.write("ksyms_names:\n")
        for _, name in symbols:
            out.write('    .asciz "' + name.replace("\\", "\\\\").replace('"', '\\"') + '"\n')
        out.write('    .byte 0\n    .section .note.GNU-stack, "", @progbits\n')


def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 64
    source, target = arguments[0], arguments[1]
    write(target, [] if source == "--empty" else functions(source))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
