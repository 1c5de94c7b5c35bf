// Collects the samples of one repetition and turns them into the figures of spec/measuring.md. A sample is a length in
// ticks over a known number of calls; the ruler has been subtracted.
#pragma once

#include <benchmark/benchmark.h>
#include <cstdint>
#include <string>
#include <vector>

namespace tollgate::bench {

class Sampler {
public:
    Sampler(std::uint64_t ruler, unsigned calls) : ruler_(ruler), calls_(calls) { ticks_.reserve(1024); }

    /// Ticks per call of this sample.
    double add(std::uint64_t length) {
        ticks_.push_back(length > ruler_ ? length - ruler_ : 0);
        return static_cast<double>(ticks_.back()) / calls_;
    }

    /// Writes n, min, median, mean, p90, p99, max and the confidence interval, all per call. The label is the unit and,
    /// where a tick means something, the raw samples in ticks over calls_per_sample calls.
    void report(benchmark::State& state, const std::string& unit, bool keep_samples) const;

private:
    std::uint64_t ruler_;
    unsigned calls_;
    std::vector<std::uint64_t> ticks_;
};

double median(std::vector<double> values);

} // namespace tollgate::bench
