#!/bin/bash
# Builds Tollgate, boots it in QEMU and prints what each way into the kernel costs. See usage() below; the work is done by
# tools/setup.sh (packages, sources) and tools/run.py (build, boots, report).

set -u
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 6

usage() {
    cat <<'TEXT'
usage: ./run-qemu.sh [OPTION]...
  --accel auto|kvm|tcg|icount  what to run on (auto: KVM if it proves to be real, else icount and multi-threaded TCG)
  --smp N                      virtual CPUs of every boot (default: 1, and 2 where a worker core takes part)
  --boot pvh|iso               load the kernel directly, or through GRUB from an ISO (default pvh)
  --machine q35|pc|microvm     QEMU's machine (default q35)
  --bench FILTER               only benchmarks whose name matches, e.g. getppid/native
  --append 'KERNEL OPTIONS'    further kernel options, e.g. 'pti=on mitigations=off'
  --shell [COMMAND]            boot busybox' shell on this terminal instead; see tools/shell.py --help for its options
  --gdb                        boot once and wait for gdb; prints the line to type
  --no-build                   boot what is built already
  --help                       this text
exit status: 0 every guest passed; otherwise how the first bad one ended: 1 it said no, 2 kernel panic, 3 triple fault,
  4 timeout, 5 QEMU failed; or 6 set-up failed, 7 build failed, 8 no usable results, 64 wrong option
result files: build/results/latest.json (Google Benchmark's format, for its compare.py; tools/report.py prints it again)
TEXT
}

wrong() { printf 'run-qemu.sh: %s\n' "$1" >&2; usage >&2; exit 64; }

# An interactive machine has options of its own.
for word in "$@"; do
    [ "$word" = --shell ] || continue
    others=()
    for word in "$@"; do [ "$word" = --shell ] || others+=("$word"); done
    tools/setup.sh shell || exit 6
    exec python3 tools/shell.py "${others[@]}"
done

# Options are checked before anything is installed or built.
one_of() { case " $3 " in *" $2 "*) ;; *) wrong "$1 '$2' is unknown: choose ${3// /, }" ;; esac; }
arguments=()
machine=q35 boot=pvh
while [ $# -gt 0 ]; do
    case $1 in
        --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
    esac
    case $1 in
        --help | -h) usage; exit 0 ;;
        --gdb | --no-build) arguments+=("$1"); shift; continue ;;
        --accel | --smp | --boot | --machine | --bench | --append) [ $# -ge 2 ] || wrong "$1 needs a value" ;;
        *) wrong "'$1' is no option" ;;
    esac
    case $1 in
        --accel) one_of "$1" "$2" "auto kvm tcg icount" ;;
        --boot) one_of "$1" "$2" "pvh iso"; boot=$2 ;;
        --machine) one_of "$1" "$2" "q35 pc microvm"; machine=$2 ;;
        --smp) [[ $2 =~ ^[1-9][0-9]{0,2}$ && $2 -le 255 ]] || wrong "--smp '$2' is no number of CPUs: 1 to 255" ;;
    esac
    arguments+=("$1=$2")
    shift 2
done
[ "$machine-$boot" != microvm-iso ] || wrong "microvm has no CD-ROM drive: choose --boot pvh, or --machine q35 or pc"

tools/setup.sh run || exit 6
exec python3 tools/run.py "${arguments[@]}"
