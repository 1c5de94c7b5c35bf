// Random bytes for getrandom(2), /dev/urandom and /dev/random: ChaCha20 keyed once from the CPU and rekeyed after every
// use. Worth: with RDRAND as good as the CPU's generator; without it (QEMU's TCG model qemu64) the key comes from the
// time-stamp counter alone, and under icount even that repeats: fine for hash seeds, worthless for keys.
#pragma once

#include "lib/types.h"

#include <span>

namespace tollgate::fs {

/// One 64-byte block of the ChaCha20 stream [RFC 8439, 2.3]: `state` is constants, key, counter and nonce.
void chacha20_block(const u32 (&state)[16], u32 (&output)[16]);

inline constexpr u64 kRandomPiece = 32;
/// At most kRandomPiece random bytes at a time: callers loop, copying out between calls.
void random_bytes(std::span<std::byte> to);
/// Any number of them, into kernel memory.
void fill_random(void* to, u64 size);

} // namespace tollgate::fs
