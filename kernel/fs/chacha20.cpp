// The ChaCha20 block function, apart from its use so that the host can test it.
#include "fs/random.h"

namespace tollgate::fs {
namespace {

constexpr u32 rotate(u32 value, unsigned bits) { return value << bits | value >> (32 - bits); }

constexpr void quarter_round(u32& a, u32& b, u32& c, u32& d) {
    a += b;
    d = rotate(d ^ a, 16);
    c += d;
    b = rotate(b ^ c, 12);
    a += b;
    d = rotate(d ^ a, 8);
    c += d;
    b = rotate(b ^ c, 7);
}

} // namespace

void chacha20_block(const u32 (&state)[16], u32 (&output)[16]) {
    for (unsigned i = 0; i < 16; ++i)
        output[i] = state[i];
    for (unsigned round = 0; round < 20; round += 2) {
        for (unsigned i = 0; i < 4; ++i)
            quarter_round(output[i], output[4 + i], output[8 + i], output[12 + i]);
        for (unsigned i = 0; i < 4; ++i)
            quarter_round(output[i], output[4 + (i + 1) % 4], output[8 + (i + 2) % 4], output[12 + (i + 3) % 4]);
    }
    for (unsigned i = 0; i < 16; ++i)
        output[i] += state[i];
}

} // namespace tollgate::fs
