// The statistics of one repetition: order statistics only, no outlier is thrown away.
#include "userland/bench/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tollgate::bench {

namespace {

/// The smallest value that at least `share` of the sorted samples do not exceed.
std::uint64_t quantile(const std::vector<std::uint64_t>& sorted, double share) {
    const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
    return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

double middle(const std::vector<std::uint64_t>& sorted) {
    const auto n = sorted.size();
    return (static_cast<double>(sorted[(n - 1) / 2]) + static_cast<double>(sorted[n / 2])) / 2;
}

/// The samples in their order, equal neighbours as value*count.
std::string raw_text(const std::vector<std::uint64_t>& samples) {
    std::string text;
    for (std::size_t i = 0; i < samples.size();) {
        std::size_t end = i;
        while (end < samples.size() && samples[end] == samples[i])
            ++end;
        text += (i == 0 ? "" : " ") + std::to_string(samples[i]) + (end - i > 1 ? "*" + std::to_string(end - i) : "");
        i = end;
    }
    return text;
}

} // namespace

double median(std::vector<double> values) {
    if (values.empty())
        return 0;
    std::sort(values.begin(), values.end());
    const auto n = values.size();
    return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

void Sampler::report(benchmark::State& state, const std::string& unit, bool keep_samples) const {
    if (ticks_.empty())
        return;
    auto sorted = ticks_;
    std::sort(sorted.begin(), sorted.end());
    const auto n = static_cast<double>(sorted.size());
    const double calls = calls_;
    // 95 % confidence interval of the median: ranks n/2 -+ 1.96 sqrt(n)/2 of the order statistics, rounded outwards.
    const double half = 1.96 * std::sqrt(n) / 2;
    const auto low = static_cast<std::size_t>(std::max(1.0, std::floor(n / 2 - half)));
    const auto high = static_cast<std::size_t>(std::min(n, std::ceil(n / 2 + half + 1)));
    const double sum = std::accumulate(sorted.begin(), sorted.end(), 0.0);

    auto& counters = state.counters;
    counters["per_call"] = middle(sorted) / calls;
    counters["n"] = n;
    counters["calls_per_sample"] = calls;
    counters["min"] = static_cast<double>(sorted.front()) / calls;
    counters["median"] = middle(sorted) / calls;
    counters["mean"] = sum / n / calls;
    counters["p90"] = static_cast<double>(quantile(sorted, 0.90)) / calls;
    counters["p99"] = static_cast<double>(quantile(sorted, 0.99)) / calls;
    counters["max"] = static_cast<double>(sorted.back()) / calls;
    counters["ci95_low"] = static_cast<double>(sorted[low - 1]) / calls;
    counters["ci95_high"] = static_cast<double>(sorted[high - 1]) / calls;
    state.SetLabel(keep_samples ? unit + "; raw samples: " + raw_text(ticks_) : unit);
}

} // namespace tollgate::bench
