// A histogram of latencies as HdrHistogram keeps them: every power of two is divided into 64 equal buckets, so that a
// value is known within 3.2 % whatever its size, and recording is a shift and an increment. (Debian 12 has HdrHistogram
// for Go and Java only.)
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace tollgate {

class Histogram {
public:
    void record(std::uint64_t value) {
        ++counts_[index_of(value)];
        ++total_;
        most_ = value > most_ ? value : most_;
    }

    [[nodiscard]] std::uint64_t total() const { return total_; }
    [[nodiscard]] std::uint64_t most() const { return most_; }

    /// The smallest value that `percent` of all do not exceed, up to the bucket's width.
    [[nodiscard]] std::uint64_t percentile(double percent) const {
        const auto wanted = static_cast<std::uint64_t>(static_cast<double>(total_) * percent / 100.0 + 0.5);
        std::uint64_t seen = 0;
        for (unsigned i = 0; i < counts_.size(); ++i)
            if ((seen += counts_[i]) >= wanted && seen != 0)
                return highest_of(i) < most_ ? highest_of(i) : most_;
        return most_;
    }

    void add(const Histogram& other) {
        for (unsigned i = 0; i < counts_.size(); ++i)
            counts_[i] += other.counts_[i];
        total_ += other.total_;
        most_ = other.most_ > most_ ? other.most_ : most_;
    }

private:
    static constexpr unsigned kBits = 6; // values below 64 have a bucket each
    static constexpr unsigned index_of(std::uint64_t value) {
        const auto width = static_cast<unsigned>(std::bit_width(value | ((1u << kBits) - 1)));
        return (width - kBits) * (1u << kBits) + static_cast<unsigned>(value >> (width - kBits));
    }
    static constexpr std::uint64_t highest_of(unsigned index) {
        const unsigned shift = index >> kBits;
        const std::uint64_t place = index & ((1u << kBits) - 1);
        return ((place + 1) << shift) - 1;
    }

    std::array<std::uint32_t, (64 - kBits + 2) * (1u << kBits)> counts_{};
    std::uint64_t total_ = 0, most_ = 0;
};

} // namespace tollgate
