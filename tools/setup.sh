#!/bin/bash
# Makes a bare Debian 12 able to build and run Tollgate: installs the packages that are missing and fetches the pinned
# third-party sources. run-qemu.sh calls it as "tools/setup.sh run", or "shell" for --shell (which adds busybox), tests/run.sh as
# "tools/setup.sh test" (which adds gdb and Bochs, too). It says what it installs and why, and changes nothing when all is there. Exit status: 0, or 6 when it cannot.

set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 6

kind=${1:-run}
case $kind in
    run | shell | test) ;;
    *) echo "usage: tools/setup.sh [run|shell|test]" >&2; exit 64 ;;
esac

die() { printf 'setup: %s\n' "$@" >&2; exit 6; }

# package | a command or file that proves it is there | what it is for
needed='
g++|g++|compiles the kernel and the programs
cmake|cmake|configures the build
ninja-build|ninja|runs the build
python3|python3|runs the tools
cpio|cpio|packs the programs into the boot archive
qemu-system-x86|qemu-system-x86_64|the machine that Tollgate boots in
grub-common|grub-mkrescue|makes the boot ISO
grub-pc-bin|/usr/lib/grub/i386-pc/multiboot2.mod|GRUB for the boot ISO
xorriso|xorriso|writes the boot ISO
mtools|mformat|grub-mkrescue needs it'
test_only='
gdb|gdb|the debugger session that the tests try out
bochs|bochs|a second, stricter x86 for the boot tests
bochs-term|/usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_term_gui.so|lets Bochs run without a display
bochsbios|/usr/share/bochs/BIOS-bochs-latest|the firmware of Bochs
vgabios|/usr/share/bochs/VGABIOS-lgpl-latest|the video firmware of Bochs
libsqlite3-dev|/usr/include/sqlite3.h|the library of SQLite, whose speed test is run in the guest
libgtest-dev|/usr/include/gtest/gtest.h|GoogleTest, for the tests on the host and as a program to run in the guest
clang|clang++|builds the fuzzers of the parsers
libclang-rt-dev|/usr/share/doc/libclang-rt-dev|the runtime of the fuzzers, which clang only recommends
clang-format|clang-format|the format check
git|git|lists the files for the format check
sqlite3|sqlite3|a program of others that is run in the guest
python3.11-minimal|/usr/bin/python3.11|a program of others that is run in the guest
libpython3.11-stdlib|/usr/lib/python3.11/asyncio/__init__.py|the modules of that Python
perl-base|perl|a program of others that is run in the guest
dash|dash|a shell whose scripts are run in the guest
bash|bash|a shell whose scripts are run in the guest
mawk|mawk|awk in the pipelines that are run in the guest
gzip|gzip|a program of others that is run in the guest'
shell_only='
busybox-static|busybox|the shell and its utilities in the guest'
[ "$kind" = run ] || needed+=$shell_only
[ "$kind" = test ] && needed+=$test_only

missing=()
reasons=()
while IFS='|' read -r package proof reason; do
    [ -n "$package" ] || continue
    case $proof in
        /*) [ -e "$proof" ] && continue ;;
        *) command -v "$proof" >/dev/null && continue ;;
    esac
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' && continue
    missing+=("$package")
    reasons+=("  $package: $reason")
done <<<"$needed"

if [ ${#missing[@]} -gt 0 ]; then
    echo "setup: installing ${#missing[@]} Debian package(s):"
    printf '%s\n' "${reasons[@]}"
    install="apt-get install -y --no-install-recommends ${missing[*]}"
    command -v apt-get >/dev/null || die "there is no apt-get here: Tollgate's set-up needs Debian 12 or a close relative." \
        "Install by hand what provides: ${missing[*]}"
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || die "installing needs root, and there is no sudo. As root, run:" "  $install"
        as_root=(sudo)
        if [ ! -t 0 ]; then
            as_root=(sudo -n)
            sudo -n true 2>/dev/null || die "installing needs root, and sudo wants a password. Run:" "  sudo $install"
        fi
    fi
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"; }
    apt update >"$log" 2>&1 </dev/null || { grep -E '^(E|W|Err)' "$log" | head -5 >&2; echo "setup: the package lists could not be refreshed; trying with those at hand" >&2; }
    # shellcheck disable=SC2086
    apt ${install#apt-get } >"$log" 2>&1 </dev/null || {
        grep -E '^(E|Err)' "$log" | head -8 >&2
        die "the packages could not be installed. Without a network, install them by hand:" "  $install"
    }
fi

version=$(g++ -dumpfullversion -dumpversion)
[ "${version%%.*}" -ge 12 ] || die "g++ $version is too old for C++23: Tollgate needs 12 or newer."

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "python3 $(python3 --version) is too old: the tools need 3.11 or newer."
python3 tools/fetch.py "$kind" || exit 6
