#!/bin/sh
# Packs programs into the boot archive: pack.sh ARCHIVE PROGRAM... Each becomes /bin/NAME, without debug information
# (symbols stay, for gdb). Names are sorted, owners, times and inode numbers fixed: equal programs give equal bytes.
# Called by CMake.
set -eu
archive=$1
shift
stage=$archive.stage
rm -rf "$stage"
trap 'rm -rf "$stage" "$archive.part"' EXIT
umask 022
mkdir -p "$stage/bin" "$stage/dev" "$stage/etc" "$stage/proc" "$stage/tmp"
for program; do
    strip --strip-debug -o "$stage/bin/$(basename "$program")" "$program"
done
chmod 755 "$stage"/bin/*
find "$stage" -exec touch -h -d @0 {} +
(cd "$stage" && find . -mindepth 1 | LC_ALL=C sort | cpio --quiet --reproducible --owner=+0:+0 -H newc -o) \
    >"$archive.part"
mv "$archive.part" "$archive"
