// Runs one operation: repetitions of samples, each the length of many calls by the time stamp counter.
#pragma once

#include <cstdint>
#include <vector>

#include "userland/bench/calls/operation.h"

namespace tollgate::calls {

inline constexpr unsigned kRepetitions = 9;

struct Measurement {
    const Operation* operation = nullptr;
    long error = 0;                                      ///< errno if the operation cannot be measured
    std::vector<std::vector<std::uint64_t>> repetitions; ///< ticks of each sample
};

Measurement measure(const Operation& operation);

struct Statistics {
    double n, min, median, mean, p90, p99, max, ci95_low, ci95_high; ///< ticks per call
};
Statistics statistics(std::vector<std::uint64_t> samples, unsigned calls);

/// All samples of all repetitions together.
Statistics statistics(const Measurement& measurement);

} // namespace tollgate::calls
