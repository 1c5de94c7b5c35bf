// The loads and stores that user code and the kernel make on an entry, each with its memory order: on these, and on
// nothing else, the protocol in api/flexsc.h stands. tests/host/flexsc puts a class of its own in the place of this
// one, which tries every order in which they may take effect.
#pragma once

#include "api/flexsc.h"

namespace tollgate::api {

/// Number, argument count and status are one aligned word, written by one store and read by one load.
constexpr std::uint64_t flexsc_control(std::uint32_t number, std::uint64_t argument_count, FlexscStatus status) {
    return number | argument_count << 32 | static_cast<std::uint64_t>(status) << 48;
}
static_assert(offsetof(FlexscEntry, number) == 56 && offsetof(FlexscEntry, argument_count) == 60 &&
              offsetof(FlexscEntry, status) == 62);

struct FlexscAccess {
    template <int kOrder>
    static std::uint64_t load_control(const FlexscEntry& entry) {
        return __atomic_load_n(reinterpret_cast<const Word*>(&entry.number), kOrder);
    }
    template <int kOrder>
    static void store_control(FlexscEntry& entry, std::uint64_t control) {
        __atomic_store_n(reinterpret_cast<Word*>(&entry.number), control, kOrder);
    }
    template <int kOrder>
    static std::uint8_t load_status(const FlexscEntry& entry) {
        return __atomic_load_n(&entry.status, kOrder);
    }
    template <int kOrder>
    static void store_status(FlexscEntry& entry, FlexscStatus status) {
        __atomic_store_n(&entry.status, static_cast<std::uint8_t>(status), kOrder);
    }
    /// Exactly one load, which the compiler may not repeat.
    static std::uint64_t load_argument(const std::uint64_t& argument) {
        return __atomic_load_n(&argument, __ATOMIC_RELAXED);
    }
    static void store_argument(std::uint64_t& argument, std::uint64_t value) { argument = value; }
    static std::int64_t load_result(const FlexscEntry& entry) { return entry.result; }
    static void store_result(FlexscEntry& entry, std::int64_t result) {
        __atomic_store_n(&entry.result, result, __ATOMIC_RELAXED);
    }

private:
    using Word [[gnu::may_alias]] = std::uint64_t;
};

} // namespace tollgate::api
