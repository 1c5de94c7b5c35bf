// The fixed-width integer names of the whole kernel. Everything includes this header, so it includes nothing but
// the two standard headers that define the originals.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tollgate {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;

using std::size_t;

} // namespace tollgate
