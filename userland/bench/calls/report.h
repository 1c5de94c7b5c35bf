// What /bin/calls prints: a line for each operation, and Google Benchmark's JSON for the tools.
#pragma once

#include <string>
#include <vector>

#include "userland/bench/calls/measure.h"

namespace tollgate::calls {

struct Setting {
    std::string accel; ///< icount, kvm, tcg or empty: what a tick of the time stamp counter means
};

void print_head(const Setting& setting);
void print_line(const Measurement& measurement, const Setting& setting);

/// The whole document. `executable` is argv[0].
std::string json(const std::vector<Measurement>& measurements, const Setting& setting, const char* executable);

} // namespace tollgate::calls
