// A Google Benchmark program like any other, with threads.
#include <algorithm>
#include <atomic>
#include <benchmark/benchmark.h>
#include <string>
#include <vector>

static void sort_numbers(benchmark::State& state) {
    std::vector<unsigned> numbers(static_cast<std::size_t>(state.range(0)));
    for (auto _ : state) {
        unsigned next = 1;
        for (auto& number : numbers)
            number = next = next * 1664525 + 1013904223;
        std::sort(numbers.begin(), numbers.end());
        benchmark::DoNotOptimize(numbers.data());
    }
}
BENCHMARK(sort_numbers)->Arg(64)->Arg(512)->Iterations(20);

static void count_together(benchmark::State& state) {
    static std::atomic<long> total{0};
    for (auto _ : state)
        ++total;
}
BENCHMARK(count_together)->Threads(4)->Iterations(1000);

BENCHMARK_MAIN();
