// /bin/bench: what each gate costs for each operation, in the guest. Chooses the benchmarks by --benchmark_filter (a
// regular expression on operation/gate[/batch:N], a leading '-' inverts), runs them on Google Benchmark, prints a line
// for each and writes the JSON to /dev/debugcon or --benchmark_out. With --tollgate_sweep these are FlexSC's batches of
// 1 to 512 by every policy, beside the native calls. Exit status 0 only if every result of every call was right.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <iostream>
#include <regex.h>
#include <set>

#include "userland/bench/operations.h"
#include "userland/bench/reporter.h"
#include "userland/bench/suite.h"

namespace tollgate::bench {

namespace {

constexpr const char* kDebugConsole = "/dev/debugcon";

struct Options {
    std::string filter = ".";
    std::string out;
    bool list = false;
    bool repetitions_given = false;
    Selection selection = Selection::Usual;
    std::vector<char*> others; ///< for Google Benchmark
};

[[noreturn]] void die(const std::string& message) {
    std::cout << std::flush;
    std::cerr << "bench: " << message << std::endl;
    std::exit(1);
}

/// "--name=value" -> value, if the argument has this name.
std::optional<std::string> value_of(std::string_view argument, std::string_view name) {
    if (!argument.starts_with(name) || argument.size() <= name.size() || argument[name.size()] != '=')
        return std::nullopt;
    return std::string(argument.substr(name.size() + 1));
}

Options parse(int argc, char** argv) {
    Options options;
    options.others.push_back(argv[0]);
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (const auto filter = value_of(argument, "--benchmark_filter"))
            options.filter = filter->empty() || *filter == "all" ? "." : *filter;
        else if (const auto out = value_of(argument, "--benchmark_out"))
            options.out = *out;
        else if (const auto format = value_of(argument, "--benchmark_out_format")) {
            if (*format != "json")
                die("--benchmark_out_format: only json");
        } else if (argument == "--tollgate_sweep")
            options.selection = Selection::Sweep;
        else if (argument == "--benchmark_list_tests" || argument == "--benchmark_list_tests=true")
            options.list = true;
        else {
            options.repetitions_given |= argument.starts_with("--benchmark_repetitions=");
            options.others.push_back(argv[i]);
        }
    }
    return options;
}

/// The benchmarks whose name the filter matches; those of one gate and batch together: FlexSC's pages take turns.
std::vector<const Benchmark*> choose(const Suite& suite, std::string filter) {
    const bool invert = filter.starts_with('-');
    if (invert)
        filter.erase(0, 1);
    regex_t expression;
    if (const int error = regcomp(&expression, filter.c_str(), REG_EXTENDED | REG_NOSUB); error != 0) {
        char text[100];
        regerror(error, &expression, text, sizeof text);
        die("--benchmark_filter='" + filter + "': " + text);
    }
    std::vector<const Benchmark*> chosen;
    for (const auto& benchmark : suite.benchmarks())
        if ((regexec(&expression, benchmark.name.c_str(), 0, nullptr, 0) == 0) != invert)
            chosen.push_back(&benchmark);
    regfree(&expression);
    std::ranges::stable_sort(chosen, {}, [](const auto* one) { return std::pair(one->gate, one->batch); });
    return chosen;
}

/// Where the JSON goes: given, or the debug console if there is one, or nowhere.
std::ofstream open_output(const Options& options) {
    const std::string path = options.out.empty() ? kDebugConsole : options.out;
    const bool is_device = path.starts_with("/dev/");
    std::ofstream file(path, is_device ? std::ios::out | std::ios::in // neither created nor truncated
                                       : std::ios::out | std::ios::trunc);
    if (!file && is_device) {
        file.clear();
        file.open(path, std::ios::out); // a device that can only be written
    }
    if (!file && !options.out.empty())
        die("cannot write to " + path);
    return file; // closed: swallows everything
}

void add_context(const Machine& machine, const Suite& suite) {
    const std::string accel = machine.get("accel");
    machine.for_each([](std::string_view key, std::string_view value) {
        benchmark::AddCustomContext(std::string(key), std::string(value));
    });
    std::map<std::string, std::string> own{
        {"unit", accel == "icount" ? "instructions"
                 : accel == "kvm"  ? "cycles"
                                   : "tsc ticks (not a cost)"},
        {"ruler", std::to_string(suite.ruler()) + " ticks, subtracted from every sample"},
        {"calls_per_sample", std::to_string(kCalls)},
        {"samples_per_repetition", std::to_string(kSamples)},
        {"counted", "at the caller; loop, check and, under icount, the instructions of all CPUs included"},
        {"compiler", "g++ " __VERSION__},
        {"flags", TOLLGATE_FLAGS},
    };
    for (const auto& [key, value] : own)
        if (machine.get(key).empty())
            benchmark::AddCustomContext(key, value);
}

void say_what_this_is(const Machine& machine, const Suite& suite) {
    const std::string accel = machine.get("accel", machine.is_tollgate() ? "unknown" : "none: this is not Tollgate");
    std::printf("bench: accel=%s pti=%s cpus=%s workers=%s\n", accel.c_str(), machine.get("pti", "?").c_str(),
                machine.get("cpus", "?").c_str(), machine.get("workers", "?").c_str());
    if (accel == "icount" || accel == "kvm")
        std::printf("bench: %s per call, median over repetitions of %u samples of %u calls, ruler %lu subtracted\n",
                    accel == "icount" ? "instructions" : "cycles", kSamples, kCalls, suite.ruler());
    else
        std::puts("bench: no figure here is a cost: only ratios to the native call of this run");
}

struct Registered {
    unsigned count = 0;
    unsigned failures = 0; ///< reasons that no kernel may give
};

/// Registers what can be measured; says once a gate and reason what cannot.
Registered register_all(const std::vector<const Benchmark*>& chosen, const Options& options) {
    std::set<std::string> said;
    Registered result;
    for (const Benchmark* benchmark : chosen) {
        const auto missing = benchmark->prepare ? benchmark->prepare() : std::nullopt;
        if (missing) {
            const std::string gate = gate_name(benchmark->gate);
            if (said.insert(gate + missing->reason).second) {
                std::printf("bench: %s is not measured: %s%s\n", gate.c_str(), missing->reason.c_str(),
                            missing->is_failure ? " -- FAILED" : "");
                result.failures += missing->is_failure ? 1 : 0;
            }
            continue;
        }
        auto* registered = benchmark::RegisterBenchmark(benchmark->name.c_str(), benchmark->run);
        registered->Iterations(benchmark->samples)->UseManualTime();
        if (!options.repetitions_given)
            registered->Repetitions(kRepetitions);
        ++result.count;
    }
    return result;
}

/// Google Benchmark looks for /proc/cpuinfo and the like, complains where they are absent, and remembers what it found.
void look_at_cpu_quietly() {
    auto* const buffer = std::cerr.rdbuf(nullptr);
    benchmark::CPUInfo::Get();
    std::cerr.rdbuf(buffer);
    std::cerr.clear();
}

int run(int argc, char** argv) {
    Options options = parse(argc, argv);
    const Machine machine = Machine::read();
    Suite suite(machine, options.selection);
    add_all_operations(suite);

    auto chosen = choose(suite, options.filter);
    if (options.list) {
        for (const auto* benchmark : chosen)
            std::puts(benchmark->name.c_str());
        return chosen.empty() ? 1 : 0;
    }
    if (chosen.empty())
        die("no benchmark matches --benchmark_filter='" + options.filter + "' (--benchmark_list_tests lists them)");

    say_what_this_is(machine, suite);
    const auto by_worker = [](const auto* benchmark) { return is_by_worker(benchmark->gate); };
    if (machine.number("workers") == 0 && std::erase_if(chosen, by_worker) != 0)
        std::puts(
            "bench: no worker's rows are measured: there is no worker core (flexsc.workers=1 and two CPUs make one)");

    const auto registered = register_all(chosen, options);
    unsigned failures = registered.failures;
    int count = static_cast<int>(options.others.size());
    options.others.push_back(nullptr);
    benchmark::Initialize(&count, options.others.data());
    if (benchmark::ReportUnrecognizedArguments(count, options.others.data()))
        return 1;

    look_at_cpu_quietly();
    add_context(machine, suite);
    std::ofstream file = open_output(options);
    Reporter reporter(machine.get("accel"), file);
    if (registered.count != 0)
        benchmark::RunSpecifiedBenchmarks(&reporter, ".");
    failures += reporter.failures();
    if (file.is_open() && !file)
        die("writing the JSON failed");

    if (reporter.reported() == 0)
        die("nothing could be measured");
    std::printf("bench: %s\n", failures == 0 ? "ok" : "FAILED");
    return failures == 0 ? 0 : 1;
}

} // namespace

} // namespace tollgate::bench

int main(int argc, char** argv) { return tollgate::bench::run(argc, argv); }
