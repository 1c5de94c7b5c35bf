// Prints only what the machine can tell: instructions, cycles, or the ratio to the native call of the same run.
#include "userland/bench/reporter.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "userland/bench/sampler.h"

namespace tollgate::bench {

Reporter::Reporter(std::string accel, std::ofstream& file) : accel_(std::move(accel)), file_(file) {
    json_.SetOutputStream(&file_);
    json_.SetErrorStream(&file_);
}

std::string Reporter::figure(const std::string& name, double per_call) const {
    char text[80];
    if (accel_ == "icount" || accel_ == "kvm") {
        std::snprintf(text, sizeof text, "%10.2f %s", per_call, accel_ == "icount" ? "instructions" : "cycles");
        return text;
    }
    const auto native = native_.find(name.substr(0, name.find('/')));
    if (native == native_.end() || native->second <= 0)
        return "right; no ratio without the native call in the same run";
    std::snprintf(text, sizeof text, "%10.2f x native", per_call / native->second);
    return text;
}

void Reporter::ReportRuns(const std::vector<Run>& runs) {
    std::vector<Run> kept;
    std::vector<double> values;
    std::string error;
    for (const auto& run : runs) {
        if (run.run_type != Run::RT_Iteration)
            continue; // aggregates can be made from the repetitions
        auto& copy = kept.emplace_back(run);
        copy.run_name = {};
        copy.run_name.function_name = run.run_name.function_name; // without what Google Benchmark appends
        if (run.error_occurred)
            error = run.error_message.empty() ? "unknown error" : run.error_message;
        else if (const auto found = run.counters.find("per_call"); found != run.counters.end())
            values.push_back(found->second.value);
    }
    if (kept.empty())
        return;
    const std::string name = kept.front().run_name.function_name;
    if (error.empty() && values.size() != kept.size())
        error = "a repetition has no figure";
    if (!error.empty()) {
        ++failures_;
        std::printf("%-36s FAILED: %s\n", name.c_str(), error.c_str());
    } else {
        const double per_call = median(values);
        if (name.ends_with("/native"))
            native_[name.substr(0, name.find('/'))] = per_call;
        std::printf("%-36s %s\n", name.c_str(), figure(name, per_call).c_str());
    }
    std::fflush(stdout);
    json_.ReportRuns(kept);
    ++reported_;
}

void Reporter::Finalize() {
    json_.Finalize();
    file_.flush();
}

} // namespace tollgate::bench
