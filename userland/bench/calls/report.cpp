// Only under icount is a tick an instruction; elsewhere the budgets mean nothing and are not compared.
#include "userland/bench/calls/report.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <sys/utsname.h>
#include <unistd.h>

#include "userland/lib/machine.h"

namespace tollgate::calls {

namespace {

const char* unit(const Setting& setting) {
    if (setting.accel == "icount")
        return "instructions per call";
    return setting.accel == "kvm" ? "cycles per call" : "tsc ticks, not a cost";
}

bool is_icount(const Setting& setting) { return setting.accel == "icount"; }

[[gnu::format(printf, 2, 3)]] void append(std::string& text, const char* format, ...) {
    char part[400];
    va_list list;
    va_start(list, format);
    std::vsnprintf(part, sizeof part, format, list);
    va_end(list);
    text += part;
}

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\')
            out += '\\';
        out += c < ' ' ? ' ' : c;
    }
    return out + '"';
}

/// The samples in their order, equal neighbours as value*count.
std::string raw(const std::vector<std::uint64_t>& samples) {
    std::string text;
    for (std::size_t i = 0; i < samples.size();) {
        std::size_t end = i;
        while (end < samples.size() && samples[end] == samples[i])
            ++end;
        append(text, i == 0 ? "%llu" : " %llu", static_cast<unsigned long long>(samples[i]));
        if (end - i > 1)
            append(text, "*%zu", end - i);
        i = end;
    }
    return text;
}

std::string context(const Setting& setting, const char* executable) {
    char date[40] = "";
    const std::time_t now = std::time(nullptr);
    std::tm fields{};
    if (gmtime_r(&now, &fields) != nullptr)
        std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S+00:00", &fields);
    utsname names{};
    uname(&names);
    std::string text;
    append(text, " \"context\": {\n  \"date\": \"%s\",\n  \"executable\": %s,\n", date, quoted(executable).c_str());
    append(text, "  \"num_cpus\": %ld,\n  \"library_build_type\": \"release\",\n", sysconf(_SC_NPROCESSORS_ONLN));
    append(text, "  \"kernel\": %s,\n", quoted(std::string(names.sysname) + " " + names.release).c_str());
    append(text, "  \"accel\": %s,\n  \"unit\": \"%s\"", quoted(setting.accel).c_str(), unit(setting));
    Machine::read().for_each([&](std::string_view key, std::string_view value) {
        append(text, ",\n  %s: %s", quoted("tollgate." + std::string(key)).c_str(), quoted(value).c_str());
    });
    return text + "\n },\n";
}

std::string entry(const Measurement& measurement, unsigned index, const Setting& setting) {
    const auto& repetition = measurement.repetitions[index];
    const unsigned calls = measurement.operation->calls;
    const Statistics s = statistics(repetition, calls);
    const char* const name = measurement.operation->name;
    std::string text;
    append(text, "  {\"name\": \"%s\", \"run_name\": \"%s\", \"run_type\": \"iteration\", ", name, name);
    if (measurement.operation->budget != 0)
        append(text, "\"budget\": %u, ", measurement.operation->budget);
    append(text, "\"repetitions\": %zu, \"repetition_index\": %u, \"threads\": 1, ", measurement.repetitions.size(),
           index);
    append(text, "\"iterations\": %zu, \"real_time\": %.3f, \"cpu_time\": %.3f, \"time_unit\": \"ns\", ",
           repetition.size(), s.median, s.median); // for compare.py: the unit is what the context says
    append(text, "\"per_call\": %.3f, \"n\": %.0f, \"calls_per_sample\": %u, \"min\": %.3f, \"median\": %.3f, ",
           s.median, s.n, calls, s.min, s.median);
    append(text, "\"mean\": %.3f, \"p90\": %.3f, \"p99\": %.3f, \"max\": %.3f, ", s.mean, s.p90, s.p99, s.max);
    append(text, "\"ci95_low\": %.3f, \"ci95_high\": %.3f, \"label\": \"%s; raw samples: ", s.ci95_low, s.ci95_high,
           unit(setting));
    return text + raw(repetition) + "\"}";
}

} // namespace

void print_head(const Setting& setting) {
    std::printf("%-22s %5s %12s %12s %8s   %s\n", "operation", "n", "min", "median", "budget", unit(setting));
    std::fflush(stdout);
}

void print_line(const Measurement& measurement, const Setting& setting) {
    const Operation& operation = *measurement.operation;
    char budget[16] = "";
    if (operation.budget != 0)
        std::snprintf(budget, sizeof budget, "%u", operation.budget);
    if (measurement.error != 0) {
        std::printf("%-22s %5s %12s %12s %8s   %s\n", operation.name, "", "", "-", budget,
                    std::strerror(static_cast<int>(measurement.error)));
    } else {
        const Statistics s = statistics(measurement);
        const char* verdict = "";
        if (is_icount(setting) && operation.budget != 0)
            verdict = s.median <= operation.budget ? "ok" : "OVER";
        std::printf("%-22s %5.0f %12.2f %12.2f %8s   %s\n", operation.name, s.n, s.min, s.median, budget, verdict);
    }
    std::fflush(stdout);
}

std::string json(const std::vector<Measurement>& measurements, const Setting& setting, const char* executable) {
    std::string text = "{\n" + context(setting, executable) + " \"benchmarks\": [";
    const char* separator = "\n";
    for (const auto& measurement : measurements) {
        if (measurement.error != 0) {
            const char* const name = measurement.operation->name;
            text += separator;
            append(text,
                   "  {\"name\": \"%s\", \"run_name\": \"%s\", \"run_type\": \"iteration\", \"error_occurred\": true, ",
                   name, name);
            append(text, "\"error_message\": \"%s\"}", std::strerror(static_cast<int>(measurement.error)));
            separator = ",\n";
            continue;
        }
        for (unsigned index = 0; index < measurement.repetitions.size(); ++index) {
            text += separator + entry(measurement, index, setting);
            separator = ",\n";
        }
    }
    return text + "\n ]\n}\n";
}

} // namespace tollgate::calls
