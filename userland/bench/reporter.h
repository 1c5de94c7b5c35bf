// What /bin/bench prints and writes: a short line a benchmark for people, and Google Benchmark's JSON, one entry a
// repetition.
#pragma once

#include <benchmark/benchmark.h>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace tollgate::bench {

class Reporter : public benchmark::BenchmarkReporter {
public:
    Reporter(std::string accel, std::ofstream& file);

    bool ReportContext(const Context& context) override { return json_.ReportContext(context); }
    void ReportRuns(const std::vector<Run>& runs) override;
    void Finalize() override;

    [[nodiscard]] unsigned failures() const { return failures_; }
    [[nodiscard]] unsigned reported() const { return reported_; }

private:
    std::string figure(const std::string& name, double per_call) const;

    std::string accel_;
    std::ofstream& file_;
    std::map<std::string, double> native_; ///< operation -> per_call natively
    benchmark::JSONReporter json_;
    unsigned failures_ = 0;
    unsigned reported_ = 0;
};

} // namespace tollgate::bench
