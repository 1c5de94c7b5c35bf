#!/usr/bin/env python3
"""Runs a program of others on the host and in a guest, and compares what it wrote and how it ended.

    tests/system/program_test.py NAME [--smp N] [--accel tcg|icount]      --list names all

Both get the same arguments, input, environment and files; each starts in a folder that holds just these files. Exit status: 0 the same,
1 not, 64 wrong usage, 77 a package is missing here.
"""

import argparse
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import calibrate  # noqa: E402
import pack  # noqa: E402
import program  # noqa: E402

BUILT = ROOT / "build" / "tests" / "programs"
BOUND = 120.0  # seconds on the reference machine


@dataclass
class Case:
    arguments: list[str]
    files: dict[str, bytes] = field(default_factory=dict)
    input: bytes | None = None
    packages: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    hide: str = ""  # a pattern of what may differ, such as times
    compare_errors: bool = True


def text_of(size: int, seed: int = 1) -> bytes:
    """Text that packs as text does."""
    source = random.Random(seed)
    words = [bytes(source.choices(b"abcdefghijklmnopqrstuvwxyz", k=source.randint(2, 9))) for _ in range(2000)]
    out = bytearray()
    while len(out) < size:
        out += b" ".join(source.choices(words, k=12)) + b"\n"
    return bytes(out[:size])


SHELL = b"""
set -u
count() { local n=0; while [ $n -lt "$1" ]; do n=$((n + 1)); done; echo "counted $n"; }
count 50
for word in one two three; do case $word in t*) echo "t: $word";; *) echo "other: $word";; esac; done
cat <<TEXT
here: $((6 * 7)) $(echo nested $(echo deeper))
TEXT
mkdir -p d/e && echo content > d/e/f && cat d/e/f && ls d && rm -r d && [ ! -e d ] && echo gone
echo one > log; echo two >> log; wc -l < log | tr -d ' '
(exit 3); echo "status $?"
false || echo "or"; true && echo "and"
sleep 0.01 & wait $!; echo "waited $?"
sh -c 'kill -TERM $$'; echo "killed $?"
trap 'echo trapped' USR1; kill -USR1 $$; echo after
printf '%s-%03d-%x\\n' text 7 255
echo a b c | while read x y; do echo "$y $x"; done
export NAME=value; env | grep ^NAME=
umask 027; echo x > m; ls -l m | cut -c1-10
cd / && pwd && cd - > /dev/null
ulimit -n > /dev/null && echo limit
exit 5
"""

UTILITIES = b"""
seq 1 2000 | awk '{ s += $1; print $1 % 97 } END { print s }' | sort -n | uniq -c | sort -rn | head -5
seq 1 300 | sed -n 's/^\\(.\\)\\(.\\)$/\\2\\1/p' | tail -3
cat text | tr ' ' '\\n' | sort | uniq -c | sort -k1,1nr -k2 | head -4
grep -c e text; wc text; md5sum text; sha256sum text; cut -d' ' -f2 text | head -2
gzip -c text > t.gz && gunzip -c t.gz | cmp - text && echo same
mkdir a && cp text a/one && ln -s one a/two && ln a/one a/three && tar cf a.tar a && rm -r a && tar xf a.tar && ls a && readlink a/two
find . -name 't*' -type f | sort | xargs -n1 basename
od -An -tx1 text | head -2; dd if=text bs=1000 count=3 2>/dev/null | wc -c
yes | head -1000 | wc -l
split -l 1000 text part. && cat part.* | cmp - text && ls part.* | wc -l
base64 text | head -1; expr 7 \\* 6; stat -c '%s %F' text; touch -d '2020-01-02 03:04:05' text; date -u -r text
echo done
"""

PYTHON = b"""
import os, re, struct, subprocess, sys, threading, time, signal
print(sys.version_info[:2], sys.argv[1:])
print(sum(i * i for i in range(100000)), 2 ** 200)
with open("made", "w") as f:
    f.write("line\\n" * 1000)
print(os.stat("made").st_size, sorted(os.listdir(".")))
print(re.findall(r"(\\w)(\\d+)", "a1 b22 c333"), struct.pack("<IQ", 1, 2).hex())
found = []
def work(n):
    time.sleep(0.001); found.append(n)
threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
print(sorted(found))
child = os.fork()
if child == 0:
    os._exit(9)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(subprocess.run(["/bin/echo", "from a child"], capture_output=True).stdout)
signal.signal(signal.SIGUSR1, lambda *_: print("signal"))
os.kill(os.getpid(), signal.SIGUSR1)
r, w = os.pipe(); os.write(w, b"through a pipe"); print(os.read(r, 100))
print(sys.stdin.read().upper())
try:
    open("/nowhere/file")
except OSError as error:
    print(error)
sys.exit(3)
"""

SQL = b"""
CREATE TABLE t(a INTEGER PRIMARY KEY, b INTEGER, c TEXT);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
INSERT INTO t SELECT i, (i * 7919) % 10007, printf('row %d of many', (i * 31) % 977) FROM n;
COMMIT;
CREATE INDEX tb ON t(b); CREATE INDEX tc ON t(c);
SELECT count(*), sum(b), min(c), max(c) FROM t;
SELECT c, count(*) FROM t GROUP BY c ORDER BY 2 DESC, 1 LIMIT 3;
UPDATE t SET b = b + 1 WHERE a % 3 = 0; DELETE FROM t WHERE a % 5 = 0;
SELECT count(*), sum(b) FROM t WHERE b BETWEEN 100 AND 5000;
SELECT x.a, y.a FROM t x JOIN t y ON x.b = y.b AND x.a < y.a ORDER BY 1, 2 LIMIT 3;
VACUUM; PRAGMA integrity_check; PRAGMA journal_mode=WAL; INSERT INTO t VALUES(0, 0, 'wal'); SELECT * FROM t WHERE a = 0;
SELECT nosuch FROM t;
"""

PERL = b"""
use strict; my %count;
while (<STDIN>) { $count{$_}++ for split; }
print "$_ $count{$_}\\n" for (sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count)[0 .. 4];
printf "%.6f %s\\n", atan2(1, 1) * 4, join ",", map { $_ ** 2 } grep { $_ % 2 } 1 .. 9;
open my $out, '>', 'made' or die; print $out "x" x 100000; close $out; print -s 'made', "\\n";
my $id = fork; if (!$id) { exit 4 } waitpid $id, 0; print $? >> 8, "\\n";
print `echo from a shell`;
local $SIG{ALRM} = sub { die "alarm\\n" }; eval { alarm 1; select undef, undef, undef, 5; }; print $@;
my $text = "2024-01-02"; print "$3/$2/$1\\n" if $text =~ /^(\\d+)-(\\d+)-(\\d+)$/; opendir my $d, '.'; print join(' ', sort grep !/^\\./, readdir $d), "\\n";
exit 6;
"""

TIMES = r"\(\d+ ms( total)?\)"


def built(name: str) -> str:
    return str(BUILT / name)


CASES = {
    "busybox_script": Case(["/bin/busybox", "sh", "script"], {"script": SHELL}),
    "busybox_utilities": Case(["/bin/busybox", "sh", "-c", "mkdir bin; busybox --install -s bin; PATH=$PWD/bin; . ./script"],
                              {"script": UTILITIES.replace(b"split -l", b"# no split here: "), "text": text_of(100_000)}),
    "dash_script": Case(["/bin/dash", "script"], {"script": SHELL},
                        also=("/bin/sh", "/usr/bin/cat", "/usr/bin/ls", "/usr/bin/mkdir", "/usr/bin/rm", "/usr/bin/wc", "/usr/bin/tr",
                              "/usr/bin/sleep", "/usr/bin/env", "/usr/bin/grep", "/usr/bin/cut")),
    "bash_script": Case(["/bin/bash", "script"], {"script": SHELL},
                        also=("/bin/sh", "/usr/bin/cat", "/usr/bin/ls", "/usr/bin/mkdir", "/usr/bin/rm", "/usr/bin/wc", "/usr/bin/tr",
                              "/usr/bin/sleep", "/usr/bin/env", "/usr/bin/grep", "/usr/bin/cut")),
    "bash_words": Case(["/bin/bash", "-c", "a=(x y z); echo ${a[@]} ${#a[@]}; declare -A m=([k]=v); echo ${m[k]}; [[ abc =~ b(.) ]] && "
                        "echo ${BASH_REMATCH[1]}; for ((i=0;i<3;i++)); do echo -n $i; done; echo; echo {1..5} | { read -a w; echo ${w[3]}; };"
                        " cat < <(echo through a process); x=$(( 2 ** 40 )); echo $x; { sleep 0.01; echo bg; } & wait; mapfile -t l < text;"
                        " echo ${#l[@]}"], {"text": text_of(3000)}, also=("/usr/bin/cat", "/usr/bin/sleep")),
    "coreutils": Case(["/bin/dash", "script"], {"script": UTILITIES, "text": text_of(100_000)}, packages=("coreutils",),
                      also=("/usr/bin/mawk", "/usr/bin/awk", "/usr/bin/sed", "/usr/bin/grep", "/usr/bin/gzip", "/usr/bin/gunzip", "/usr/bin/cmp",
                            "/usr/bin/tar", "/usr/bin/find", "/usr/bin/xargs", "/bin/sh")),
    "gzip_megabytes": Case(["/bin/dash", "-c", "sha256sum < big; gzip -c big | tee packed | gunzip | sha256sum; gzip -l packed | wc -l; "
                            "gzip -1 < big | wc -c"], {"big": text_of(4_000_000)},
                           also=("/usr/bin/sha256sum", "/usr/bin/gzip", "/usr/bin/gunzip", "/usr/bin/tee", "/usr/bin/wc", "/bin/sh")),
    "python": Case(["/usr/bin/python3.11", "-I", "-B", "-S", "script", "an argument", ""], {"script": PYTHON}, b"some input",
                   ("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib"), also=("/bin/echo",)),
    "sqlite": Case(["/usr/bin/sqlite3", "-batch", "test.db"], input=SQL),
    # In a file, with journal and sync; the verification hash is over the results of all its queries.
    "sqlite_speed": Case([built("speedtest1"), "--size", "5", "--verify", "test.db"], hide=r"\.*\s*\d+\.\d+s\b"),
    "perl": Case(["/usr/bin/perl", "script"], {"script": PERL}, text_of(20_000), ("perl-base",), also=("/bin/sh", "/usr/bin/echo")),
    "library_dynamic": Case([built("library_dynamic"), "a", "b c"], input=text_of(10_000)),
    "library_static": Case([built("library_static"), "a", "b c"], input=text_of(10_000)),
    "unit_tests_dynamic": Case([built("unit_tests_dynamic")], hide=TIMES, compare_errors=False),
    "unit_tests_static": Case([built("unit_tests_static")], hide=TIMES, compare_errors=False),
    "micro_benchmark_dynamic": Case([built("micro_benchmark_dynamic")], hide=r"\s+[\d.]+ ns\b", compare_errors=False),
    "micro_benchmark_static": Case([built("micro_benchmark_static")], hide=r"\s+[\d.]+ ns\b", compare_errors=False),
    "preload": Case(["/usr/bin/id", "-u"], environment={"LD_PRELOAD": built("libpreloaded.so")}),
    "cat": Case(["/bin/cat", "-", "text"], {"text": b"\0\xff\r\n" * 1000}, bytes(range(256)) * 40),
}


def on_host(case: Case, folder: pathlib.Path) -> tuple[int, bytes, bytes]:
    run = subprocess.run([program.locate(case.arguments[0]), *case.arguments[1:]], cwd=folder, input=case.input or b"", capture_output=True,
                         env=program.ENVIRONMENT | case.environment, timeout=calibrate.scaled(BOUND))
    return (128 - run.returncode if run.returncode < 0 else run.returncode), run.stdout, run.stderr


def lay_out(case: Case, folder: pathlib.Path) -> pathlib.Path:
    for name, data in case.files.items():
        (folder / name).write_bytes(data)
    return folder


def difference(what: str, host: bytes, guest: bytes, hide: str) -> list[str]:
    def seen(data: bytes) -> list[str]:
        text = data.decode("utf-8", "backslashreplace")
        return (re.sub(hide, "...", text) if hide else text).splitlines()

    ours, theirs = seen(guest), seen(host)
    if ours == theirs and (hide or host == guest):
        return []
    for number, (a, b) in enumerate(zip(theirs, ours), 1):
        if a != b:
            return [f"{what}, line {number}: host '{a[:200]}', guest '{b[:200]}'"]
    return [f"{what}: {len(host)} bytes in {len(theirs)} lines on the host, {len(guest)} in {len(ours)} in the guest"]


def compare(case: Case, smp: int, accel: str) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="tollgate-") as first, tempfile.TemporaryDirectory(prefix="tollgate-") as second:
        status, output, errors = on_host(case, lay_out(case, pathlib.Path(first)))
        wanted = program.Program(case.arguments, [(lay_out(case, pathlib.Path(second)), f"/{program.WORK}")], list(case.packages),
                                 case.environment, list(case.also))
        ended = program.start(wanted, case.input, False, accel, smp, timeout=BOUND)
    found = [] if ended.status == status else [f"the host's exit status is {status}, the guest: {ended.detail}"]
    found += difference("output", output, ended.output, case.hide)
    if case.compare_errors:
        found += difference("errors", errors, ended.errors, case.hide)
    if found:
        print(f"--- guest's output\n{ended.output[-3000:].decode('utf-8', 'backslashreplace')}\n--- guest's errors\n"
              f"{ended.errors[-3000:].decode('utf-8', 'backslashreplace')}\n--- console\n{ended.console[-2000:].decode('utf-8', 'replace')}---")
    return found


def main(arguments: list[str]) -> int:
    p = argparse.ArgumentParser(prog="tests/system/program_test.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("name", nargs="?", choices=CASES)
    p.add_argument("--smp", type=int, default=1)
    p.add_argument("--accel", default="tcg", choices=("tcg", "icount"))
    p.add_argument("--list", action="store_true")
    options = p.parse_args(arguments)
    if options.list or not options.name:
        print("\n".join(CASES))
        return 0
    case = CASES[options.name]
    try:
        found = compare(case, options.smp, options.accel)
    except pack.PackError as error:
        print(f"WRONG: {error} (tools/setup.sh test installs what is needed)")
        return 1
    for line in found:
        print(f"WRONG: {line}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
