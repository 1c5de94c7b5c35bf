"""Published figures that the report prints beside our own. Other machines, other settings: they show the scale, no more.

Sources: fastcall = the fastcall-spma results; OSDI'10 = Soares & Stumm, FlexSC; EuroSys'21 = the Unikraft artifact;
sel4bench = its results of 2026-06.
"""

# what our row would be | figure | machine and settings | source
ANCHORS = (
    ("null/native", "1278 cycles (355.7 ns)", "i7-4790 Haswell, KPTI + MDS", "fastcall"),
    ("null/fastcall", "112 cycles (23.9 ns)", "i7-4790 Haswell, KPTI + MDS", "fastcall"),
    ("null/native", "172 cycles (46.7 ns)", "i7-4790, mitigations off", "fastcall"),
    ("null/fastcall", "100 cycles (23.9 ns)", "i7-4790, mitigations off", "fastcall"),
    ("null/native", "279 cycles (86.7 ns)", "Xeon 8375C Ice Lake, auto", "fastcall"),
    ("null/fastcall", "162 cycles (50.7 ns)", "Xeon 8375C Ice Lake, auto", "fastcall"),
    ("null/native", "192 cycles (55.0 ns)", "Ryzen 3700X Zen 2, auto", "fastcall"),
    ("null/fastcall", "90 cycles (25.7 ns)", "Ryzen 3700X Zen 2, auto", "fastcall"),
    ("null/vdso", "1.7 ns", "i7-4790, auto", "fastcall"),
    ("copy64 native : fastcall", "12.7x / 2.0x / 1.9x / 2.2x", "i7 auto / i7 off / Ice Lake / Zen 2", "fastcall"),
    ("null/native", "222 cycles; mitigations off 154", "Linux in a KVM guest", "EuroSys'21"),
    ("null/direct", "4 cycles", "Unikraft function call", "EuroSys'21"),
    ("null/native", "630 cycles; without page-table switch 136", "seL4, Skylake", "sel4bench"),
    ("getppid/native", "56 ns", "i7 Nehalem 2.3 GHz", "OSDI'10"),
    ("getppid/flexsc_own, N = 1 8 64", "80, 34, 24 ns a call", "i7 Nehalem 2.3 GHz, same core", "OSDI'10"),
    ("getppid/flexsc_ipi, N = 1 8 64", "642, 176, 44 ns a call", "i7 Nehalem 2.3 GHz, remote core by IPI", "OSDI'10"),
)


def table() -> str:
    width = [max(len(row[column]) for row in ANCHORS) for column in range(4)]
    lines = ["Published, for scale (hardware; settings matter more than the mechanism):"]
    lines += ["  " + "  ".join(cell.ljust(w) for cell, w in zip(row, width)).rstrip() for row in ANCHORS]
    return "\n".join(lines)
