#!/bin/bash
# Runs the whole test suite on a bare Debian 12 and up: set-up, build, then CTest on the host and in guests. Further arguments
# go to ctest (for instance: tests/run.sh -R ktap, or -L slow for the tests that are left out here).
# Exit status: 0 all passed, 6 the set-up failed, 7 the build failed, else ctest's own.

set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 6

tools/setup.sh test || exit 6
cmake --preset default -DTOLLGATE_TESTS=ON || exit 7
cmake --build build || exit 7

leave_out=(-LE '^slow$')
for argument in "$@"; do
    case $argument in
        -L | -L* | --label-regex | -LE | --label-exclude) leave_out=() ;;
    esac
done
exec ctest --test-dir build --output-on-failure -j2 --no-tests=error "${leave_out[@]}" "$@"
