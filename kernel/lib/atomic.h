// The only header that includes <atomic>. In the kernel the waiting half of libstdc++'s atomics (wait, notify) is cut
// away by claiming that its header has been included: it needs futexes and pthreads. Call sites name a memory order and
// say why.
#pragma once

#if defined(TOLLGATE_KERNEL) && !defined(_GLIBCXX_ATOMIC_WAIT_H)
#define _GLIBCXX_ATOMIC_WAIT_H 1
#endif
#include <atomic>

namespace tollgate {

/// At most 8 bytes wide: 16-byte atomics would call libatomic.
template <class T>
requires(sizeof(T) <= 8) using Atomic = std::atomic<T>;

inline constexpr std::memory_order kRelaxed = std::memory_order_relaxed;
inline constexpr std::memory_order kAcquire = std::memory_order_acquire;
inline constexpr std::memory_order kRelease = std::memory_order_release;
inline constexpr std::memory_order kAcqRel = std::memory_order_acq_rel;
inline constexpr std::memory_order kSeqCst = std::memory_order_seq_cst;

/// Keeps the compiler, not the CPU, from moving memory accesses across this point.
inline void compiler_barrier() { std::atomic_signal_fence(std::memory_order_seq_cst); }

} // namespace tollgate
