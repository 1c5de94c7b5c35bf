// Syscall pages as the tests see them: each entry by its slot, and every field of it, so that they can also write what
// no program should (api/flexsc.h has the protocol). Programs use libflexsc (userland/lib/flexsc). A thread registers
// once, so make one Flexsc and keep it.
#pragma once

#include <cstdint>
#include <expected>
#include <immintrin.h>

#include "api/flexsc_access.h"
#include "api/numbers.h"
#include "userland/lib/gate_native.h"

namespace tollgate {

class Flexsc {
public:
    static constexpr std::string_view kName = "flexsc";

    /// Registers the calling thread; the error is an errno (ENOSYS: no FlexSC here, ENODEV: no worker core, EBUSY:
    /// done before).
    [[nodiscard]] static std::expected<Flexsc, int> open(api::FlexscPolicy policy, unsigned pages = 1) {
        api::FlexscParams params{.size = sizeof params,
                                 .version = api::kFlexscVersion,
                                 .policy = policy,
                                 .pages = pages,
                                 .flags = 0,
                                 .spin_us = 0,
                                 .address = 0};
        if (const long result = Native::call(api::kSysFlexscRegister, &params); result != 0)
            return std::unexpected(static_cast<int>(-result));
        return Flexsc(reinterpret_cast<api::FlexscEntry*>(params.address), params.pages * api::kFlexscEntriesPerPage,
                      params.policy);
    }

    [[nodiscard]] unsigned size() const { return size_; }
    [[nodiscard]] api::FlexscEntry& entry(unsigned slot) const { return entries_[slot]; }

    /// Writes a call into a free slot. Number, argument count and status share one aligned word and go out by one
    /// store, a release: whoever sees Submitted sees the arguments.
    template <class Access = api::FlexscAccess, Word... A>
    requires(sizeof...(A) <= 6)
        [[gnu::always_inline]] static void post(api::FlexscEntry& entry, unsigned number, A... arguments) {
        unsigned i = 0;
        (Access::store_argument(entry.args[i++], static_cast<std::uint64_t>(word(arguments))), ...);
        Access::template store_control<__ATOMIC_RELEASE>(
            entry, api::flexsc_control(number, sizeof...(A), api::FlexscStatus::Submitted));
    }

    /// The acquire pairs with the kernel's release of Done: the result is there.
    template <class Access = api::FlexscAccess>
    [[gnu::always_inline]] static bool is_done(const api::FlexscEntry& entry) {
        return Access::template load_status<__ATOMIC_ACQUIRE>(entry) ==
               static_cast<std::uint8_t>(api::FlexscStatus::Done);
    }

    /// Takes the result of a done entry and frees the slot.
    template <class Access = api::FlexscAccess>
    [[gnu::always_inline]] static long take(api::FlexscEntry& entry) {
        const long result = Access::load_result(entry);
        Access::template store_status<__ATOMIC_RELEASE>(entry, api::FlexscStatus::Free);
        return result;
    }

    /// flexsc_wait(): executes (own core) or waits for (worker) what was submitted in these pages (0: all); how many
    /// are newly done, or -errno.
    [[gnu::always_inline]] static long wait(std::uint64_t pages = 0, std::uint64_t flags = 0) {
        return Native::call(api::kSysFlexscWait, pages, flags);
    }

    /// Waits until the entry is done; false if it never is: every wait here has a bound.
    [[nodiscard, gnu::always_inline]] bool await(const api::FlexscEntry& entry) const {
        return is_done(entry) || await_slowly(entry);
    }

    /// Posts `count` equal calls in slots 0 to count - 1.
    template <Word... A>
    [[gnu::always_inline]] void post_batch(unsigned count, unsigned number, A... arguments) const {
        for (auto *entry = entries_, *end = entries_ + count; entry != end; ++entry)
            post(*entry, number, arguments...);
    }

    /// Waits for slots 0 to count - 1 in this order and hands each result to `take_result(long)`. False: one was never
    /// done.
    template <class TakeResult>
    [[nodiscard, gnu::always_inline]] bool reap_batch(unsigned count, TakeResult&& take_result) const {
        for (auto *entry = entries_, *end = entries_ + count; entry != end; ++entry) {
            if (!await(*entry)) [[unlikely]]
                return false;
            take_result(take(*entry));
        }
        return true;
    }

    /// A whole batch: post, have it executed, take every result. `count` is at most size().
    template <class TakeResult, Word... A>
    [[nodiscard, gnu::always_inline]] bool batch(unsigned count, TakeResult&& take_result, unsigned number,
                                                 A... arguments) const {
        post_batch(count, number, arguments...);
        if (policy_ == api::FlexscPolicy::Own)
            wait();
        return reap_batch(count, take_result);
    }

    /// A batch of one. -ETIME if the kernel never finished it.
    template <Word... A>
    requires(sizeof...(A) <= 6) long call(long number, A... arguments) const {
        long result = -62;
        const auto keep = [&result](long value) { result = value; };
        return batch(1, keep, static_cast<unsigned>(number), arguments...) ? result : -62;
    }

private:
    static constexpr unsigned kSpins = 1000;  ///< polls of a worker's entry between two flexsc_wait()
    static constexpr unsigned kRounds = 1000; ///< flexsc_wait() calls before giving up

    Flexsc(api::FlexscEntry* entries, unsigned size, api::FlexscPolicy policy)
        : entries_(entries), size_(size), policy_(policy) {}

    /// PAUSE matters: under an emulator that runs one virtual CPU at a time it is what lets the worker run.
    [[gnu::noinline, gnu::cold]] bool await_slowly(const api::FlexscEntry& entry) const {
        for (unsigned round = 0; round < kRounds; ++round) {
            if (policy_ != api::FlexscPolicy::Own)
                for (unsigned spin = 0; spin < kSpins; ++spin) {
                    if (is_done(entry))
                        return true;
                    _mm_pause();
                }
            if (wait() < 0)
                return false;
            if (is_done(entry))
                return true;
        }
        return false;
    }

    api::FlexscEntry* entries_;
    unsigned size_;
    api::FlexscPolicy policy_;
};
static_assert(Gate<Flexsc>);

} // namespace tollgate
