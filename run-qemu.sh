#!/bin/bash
# Builds Tollgate, boots it in QEMU and prints what each way into the kernel costs. See usage() below; the work is done by
# tools/setup.sh (packages, sources) and tools/run.py (build, boots, report).

set -u
here=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 6

usage() {
    cat <<'TEXT'
usage: ./run-qemu.sh [OPTION]...                                   measure every gate
       ./run-qemu.sh [OPTION]... --program PATH [ARGUMENT]...      run a program of this machine in the guest
       ./run-qemu.sh [OPTION]... --vs linux                        measure ordinary calls beside Debian's Linux
       ./run-qemu.sh [OPTION]... --study NAME                      exception-less calls in programs: requests, working-set, poller
       ./run-qemu.sh [OPTION]... --vs spma22                       measure what was published with fastcalls, beside those figures
  --accel auto|kvm|tcg|icount  what to run on (auto: KVM if it proves to be real, else icount and multi-threaded TCG)
  --smp N                      virtual CPUs of every boot (default: 1, and 2 where a worker core takes part)
  --boot pvh|iso               load the kernel directly, or through GRUB from an ISO (default pvh)
  --machine q35|pc|microvm     QEMU's machine (default q35)
  --bench FILTER               only benchmarks whose name matches, e.g. getppid/native
  --sweep                      instead: FlexSC by batches of 1 to 512 and by every policy, beside the native call
  --append 'KERNEL OPTIONS'    further kernel options, e.g. 'pti=on mitigations=off'
  --shell [COMMAND]            boot busybox' shell on this terminal instead; see tools/shell.py --help for its options
  --gdb                        boot once and wait for gdb; prints the line to type
  --no-build                   boot what is built already
  --help                       this text
with --program (must be last; the program gets its libraries, our standard input, and gives us its output and exit status):
  --files DIR[:PATH]           puts a folder's contents into the guest, at PATH or where the program starts (/work)
  --package NAME               puts an installed Debian package's files into the guest, e.g. python3.11-minimal
  --also PATH                  a further program that the first one starts
  --env NAME=VALUE             an environment variable
  --mem SIZE                   the guest's memory, e.g. 512M (also with --vs linux)
with --study requests:
  --total N                    so many requests at every concurrency (default 2048)
with --vs linux:
  --calls 'NAME...'            only these operations (shell patterns)
exit status of --program: the program's; 128 + N after signal N; 126 or 127 it cannot be started; 125 the guest failed; 1 it cannot be
  packed; of all else: 0 every guest passed; otherwise how the first bad one ended: 1 it said no, 2 kernel panic, 3 triple fault,
  4 timeout, 5 QEMU failed; or 6 set-up failed, 7 build failed, 8 no usable results, 64 wrong option
result files: build/results/latest.json (Google Benchmark's format, for its compare.py; tools/report.py prints it again)
TEXT
}

wrong() { printf 'run-qemu.sh: %s\n' "$1" >&2; usage >&2; exit 64; }

# An interactive machine has options of its own.
for word in "$@"; do
    [ "$word" != --program ] || break # what follows is the program's
    [ "$word" = --shell ] || continue
    others=()
    for word in "$@"; do [ "$word" = --shell ] || others+=("$word"); done
    tools/setup.sh shell || exit 6
    exec python3 tools/shell.py "${others[@]}"
done

# Options are checked before anything is installed or built.
one_of() { case " $3 " in *" $2 "*) ;; *) wrong "$1 '$2' is unknown: choose ${3// /, }" ;; esac; }
# A path as the caller meant it, from the folder of the call; a name without "/" is looked up in PATH.
from_here() { case $1 in /*) printf %s "$1" ;; */* | . | ..) printf %s "$here/$1" ;; *) [ -d "$here/$1" ] && printf %s "$here/$1" || printf %s "$1" ;; esac; }
# What a run is, for messages.
mode() {
    case $what in
        bench) echo "a run of the gates: it needs --program, --vs linux or --study" ;;
        linux | spma22) echo "--vs $what" ;;
        *) echo "--$what" ;;
    esac
}
arguments=() program=() only=()
machine=q35 boot=pvh what=bench
while [ $# -gt 0 ]; do
    case $1 in
        --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
    esac
    case $1 in
        --help | -h) usage; exit 0 ;;
        --gdb) only+=("bench $1"); arguments+=("$1"); shift; continue ;;
        --sweep) only+=("bench $1"); arguments+=("$1"); shift; continue ;;
        --no-build) arguments+=("$1"); shift; continue ;;
        --accel | --smp | --boot | --machine | --bench | --append | --program | --vs | --files | --package | --also | --env | --mem | --calls | --study | --total)
            [ $# -ge 2 ] || wrong "$1 needs a value" ;;
        *) wrong "'$1' is no option" ;;
    esac
    case $1 in
        --accel) one_of "$1" "$2" "auto kvm tcg icount" ;;
        --boot) one_of "$1" "$2" "pvh iso"; boot=$2; only+=("bench $1") ;;
        --machine) one_of "$1" "$2" "q35 pc microvm"; machine=$2; only+=("bench,program,linux,spma22 $1") ;;
        --smp) [[ $2 =~ ^[1-9][0-9]{0,2}$ && $2 -le 255 ]] || wrong "--smp '$2' is no number of CPUs: 1 to 255"; only+=("bench,program $1") ;;
        --bench) only+=("bench $1") ;;
        --append) only+=("bench,program,study $1") ;;
        --package | --env) only+=("program $1") ;;
        --files | --also) only+=("program $1"); set -- "$1" "$(from_here "$2")" "${@:3}" ;;
        --mem) [[ $2 =~ ^[1-9][0-9]*[MG]$ ]] || wrong "--mem '$2' is no size: write 128M or 1G"; only+=("program,linux $1") ;;
        --calls) only+=("linux $1") ;;
        --total) [[ $2 =~ ^[1-9][0-9]{0,6}$ ]] || wrong "--total '$2' is no number of requests"; only+=("study $1") ;;
        --study) one_of "$1" "$2" "requests working-set poller"; [ $what = bench ] || wrong "$1 does not go with $(mode)"; what=study; study=$2; shift 2; continue ;;
        --vs) one_of "$1" "$2" "linux spma22"; [ $what = bench ] || wrong "$1 does not go with $(mode)"; what=$2; shift 2; continue ;;
        --program) [ $what = bench ] || wrong "$1 does not go with $(mode)"; what=program; program=("$(from_here "$2")" "${@:3}"); break ;;
    esac
    arguments+=("$1=$2")
    shift 2
done
for pair in "${only[@]}"; do
    [[ ,${pair%% *}, = *,$what,* ]] || wrong "${pair#* } does not go with $(mode)"
done
[ "$machine-$boot" != microvm-iso ] || wrong "microvm has no CD-ROM drive: choose --boot pvh, or --machine q35 or pc"
[ "$machine-$what" != microvm-linux ] || wrong "Debian's kernel does not start on microvm: choose --machine q35 or pc"

tools/setup.sh run >&2 || exit 6
case $what in
    program) exec python3 tools/program.py "${arguments[@]}" --program "${program[@]}" ;;
    linux) exec python3 tools/versus.py "${arguments[@]}" ;;
    spma22) exec python3 tools/published.py "${arguments[@]}" ;;
    study) exec python3 tools/study.py "$study" "${arguments[@]}" ;;
esac
exec python3 tools/run.py "${arguments[@]}"
