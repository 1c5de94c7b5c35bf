// What /bin/bench prints and writes: a short line a benchmark for people, and Google Benchmark's JSON, one entry a
// repetition. The JSON may be written by two processes one after the other (main.cpp says why): Part tells which part
// of it this one writes.
#pragma once

#include <benchmark/benchmark.h>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace tollgate::bench {

enum class Part { Whole, First, Last };

class Reporter : public benchmark::BenchmarkReporter {
public:
    /// `native`: operation -> per_call natively, as far as a former part has measured it.
    Reporter(std::string accel, std::ofstream& file, Part part, std::map<std::string, double> native);

    bool ReportContext(const Context& context) override;
    void ReportRuns(const std::vector<Run>& runs) override;
    void Finalize() override;

    /// Ends the JSON document; for the first part when there will be no last one.
    void close_json();

    [[nodiscard]] unsigned failures() const { return failures_; }
    [[nodiscard]] unsigned reported() const { return reported_; }
    [[nodiscard]] const std::map<std::string, double>& native() const { return native_; }

private:
    std::string figure(const std::string& name, double per_call) const;

    std::string accel_;
    std::ofstream& file_;
    Part part_;
    std::map<std::string, double> native_;
    benchmark::JSONReporter json_;
    unsigned failures_ = 0;
    unsigned reported_ = 0;
};

} // namespace tollgate::bench
