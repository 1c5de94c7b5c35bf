// Nothing is subtracted: what the empty loop costs is an operation of its own, and no sample is thrown away.
#include "userland/bench/calls/measure.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "userland/lib/ticks.h"

namespace tollgate::calls {

Measurement measure(const Operation& operation) {
    Measurement measurement{.operation = &operation, .repetitions = {}};
    long result = operation.prepare != nullptr ? operation.prepare() : 0;
    if (result >= 0)
        result = operation.once();
    if (result >= 0) {
        operation.repeat(operation.calls); // warms up
        measurement.repetitions.assign(kRepetitions, std::vector<std::uint64_t>(operation.samples));
        for (auto& repetition : measurement.repetitions)
            for (auto& sample : repetition) {
                const auto begin = ticks_begin();
                operation.repeat(operation.calls);
                sample = ticks_end() - begin;
            }
        result = operation.once();
    }
    if (operation.finish != nullptr)
        operation.finish();
    if (result < 0)
        measurement.error = -result;
    return measurement;
}

Statistics statistics(std::vector<std::uint64_t> samples, unsigned calls) {
    std::sort(samples.begin(), samples.end());
    const auto count = samples.size();
    const auto at = [&](double rank) { // the rank-th smallest, counted from one, rounded up
        const auto index = static_cast<std::size_t>(std::ceil(rank));
        return static_cast<double>(samples[std::clamp<std::size_t>(index, 1, count) - 1]) / calls;
    };
    const auto n = static_cast<double>(count);
    const double middle = static_cast<double>(samples[(count - 1) / 2] + samples[count / 2]) / 2;
    // 95 % confidence interval of the median: ranks n/2 -+ 1.96 sqrt(n)/2 of the order statistics, rounded outwards.
    const double half = 1.96 * std::sqrt(n) / 2;
    return {n,
            at(1),
            middle / calls,
            static_cast<double>(std::accumulate(samples.begin(), samples.end(), std::uint64_t{0})) / n / calls,
            at(0.90 * n),
            at(0.99 * n),
            at(n),
            at(std::floor(n / 2 - half)),
            at(n / 2 + half + 1)};
}

Statistics statistics(const Measurement& measurement) {
    std::vector<std::uint64_t> all;
    for (const auto& repetition : measurement.repetitions)
        all.insert(all.end(), repetition.begin(), repetition.end());
    return statistics(std::move(all), measurement.operation->calls);
}

} // namespace tollgate::calls
