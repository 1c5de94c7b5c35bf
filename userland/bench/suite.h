// The benchmarks of all operations through all gates: Suite::add<Op>() lists them, main.cpp chooses among them and runs
// them. The timed loops stand here, one for gates that are called and one for FlexSC batches; each checks every result.
#pragma once

#include <array>
#include <benchmark/benchmark.h>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "userland/bench/flexsc_lane.h"
#include "userland/bench/operation.h"
#include "userland/bench/sampler.h"
#include "userland/lib/gate_direct.h"
#include "userland/lib/gate_fastcall.h"
#include "userland/lib/gate_int80.h"
#include "userland/lib/gate_native.h"
#include "userland/lib/machine.h"
#include "userland/lib/ticks.h"

namespace tollgate::bench {

inline constexpr unsigned kCalls = 64; ///< calls in a sample, so that ruler and loop entry vanish
inline constexpr unsigned kSamples = 100;
inline constexpr unsigned kRepetitions = 9;
inline constexpr std::array kBatches{1U, 2U, 4U, 8U, 16U, 32U, 64U, 128U, 256U, 512U};
inline constexpr unsigned kUsualBatch = 64; ///< the largest one outside of the sweep
static_assert(kBatches.back() == kMostCalls);

/// A number that is known when compiling, as in a program that makes the call.
template <long number>
using Number = std::integral_constant<long, number>;

/// Why a gate cannot be measured. What a kernel says it does not offer is no failure; any other error is.
struct Missing {
    std::string reason;
    bool is_failure;
};

/// Of an errno: that the kernel does not have it is no failure.
Missing missing(const std::string& what, int error);

struct Benchmark {
    std::string name; ///< operation/gate or operation/gate/batch:N
    GateKind gate;
    unsigned batch; ///< 0: the gate has none
    std::function<std::optional<Missing>()> prepare;
    std::function<void(benchmark::State&)> run;
    unsigned samples = kSamples; ///< in a repetition
};

/// Every gate, or FlexSC by all policies and batches beside the native call.
enum class Selection { Usual, Sweep };

class Suite {
public:
    Suite(const Machine& machine, Selection selection);

    /// Lists the benchmarks of one operation, as far as the selection wants them.
    template <class Op>
    void add();

    /// Lists one benchmark that is no operation's: `run` is to end in measure().
    void list(const std::string& operation, GateKind gate, std::function<std::optional<Missing>()> prepare,
              std::function<void(benchmark::State&)> run, unsigned batch = 0, unsigned samples = kSamples);
    template <class Op, class Body>
    void measure(benchmark::State& state, Op& op, GateKind gate, unsigned calls, Body body) const;

    [[nodiscard]] const std::vector<Benchmark>& benchmarks() const { return benchmarks_; }
    [[nodiscard]] std::uint64_t ruler() const { return ruler_; }

private:
    struct Example {
        long index;
        void* shared;
    };
    struct UserShare {
        double post, reap; ///< per call
    };

    template <class Op>
    void add_flexsc(const std::shared_ptr<Op>& op, GateKind gate, flexsc_policy policy);
    std::optional<Missing> open_flexsc(flexsc_policy policy, unsigned batch);
    std::expected<Example, Missing> open_fastcall(std::uint32_t ioctl_code);
    std::optional<Missing> int80_is_ours() const;

    template <class Op, Gate G, class Arguments>
    void measure_calls(benchmark::State& state, Op& op, GateKind gate, auto number, const Arguments& arguments) const;
    template <class Op>
    void measure_batches(benchmark::State& state, Op& op, GateKind gate, unsigned batch, FlexscContext& context) const;
    template <class Op>
    [[gnu::noinline]] std::optional<UserShare> user_share(Op& op, GateKind gate, unsigned batch,
                                                          FlexscContext& context) const;

    std::uint64_t ruler_;
    double seconds_per_tick_;
    std::string unit_;
    bool ticks_mean_something_;
    bool is_tollgate_;
    Selection selection_;
    std::unique_ptr<FlexscLane> lane_;
    int fastcall_device_ = -1;
    std::vector<Benchmark> benchmarks_;
};

/// Runs the samples. `body` makes `calls` calls and returns 0 if every result was right, otherwise the bits that were
/// wrong.
template <class Op, class Body>
void Suite::measure(benchmark::State& state, Op& op, GateKind gate, unsigned calls, Body body) const {
    Sampler sampler(ruler_, calls);
    long wrong = 0;
    bool left_right = true;
    const auto sample = [&] [[gnu::noinline]] {
        op.prepare(gate);
        const auto begin = ticks_begin();
        const long bits = body();
        const auto length = ticks_end() - begin;
        wrong |= bits;
        left_right = left_right && op.verify(gate);
        return length;
    };
    sample(); // warms up
    for (auto _ : state) {
        const double per_call = sampler.add(sample());
        state.SetIterationTime(per_call * seconds_per_tick_);
        if (wrong != 0 || !left_right) {
            char text[120];
            std::snprintf(text, sizeof text,
                          left_right ? "wrong result: bits %#lx differ from %#lx"
                                     : "the calls left wrong content behind",
                          wrong, op.expected());
            state.SkipWithError(text);
            return;
        }
    }
    sampler.report(state, unit_, ticks_mean_something_);
}

/// A gate that is called: kCalls calls in a loop. The loop counts as part of the call, and so does the check.
template <class Op, Gate G, class Arguments>
void Suite::measure_calls(benchmark::State& state, Op& op, GateKind gate, auto number,
                          const Arguments& arguments) const {
    measure(state, op, gate, kCalls, [&] [[gnu::always_inline]] {
        return std::apply(
            [&] [[gnu::always_inline]] (auto... values) {
                const long which = number, expected = op.expected(); // in registers: nothing is loaded in the loop
                long wrong = 0;
                for (unsigned left = kCalls; left != 0; --left)
                    wrong |= G::call(which, values...) ^ expected;
                return wrong;
            },
            arguments);
    });
}

/// FlexSC: as many batches as make about kCalls calls, and at least one.
template <class Op>
void Suite::measure_batches(benchmark::State& state, Op& op, GateKind gate, unsigned batch,
                            FlexscContext& context) const {
    const unsigned batches = batch < kCalls ? kCalls / batch : 1;
    const auto arguments = op.arguments();
    // A worker that polls finds the calls by itself; every other policy is told that they are there.
    const bool waits = gate != GateKind::FlexscPoll;
    long handles[kMostCalls];
    measure(state, op, gate, batches * batch, [&] [[gnu::always_inline]] {
        return std::apply(
            [&] [[gnu::always_inline]] (auto... values) {
                const unsigned count = batch;
                const long expected = op.expected();
                long wrong = 0;
                const auto check = [&](long result) { wrong |= result ^ expected; };
                for (unsigned left = batches; left != 0; --left) {
                    post_batch(context, handles, count, Op::kNumber, values...);
                    if (waits)
                        (void)flexsc_wait(&context);
                    if (!reap_batch(context, handles, count, check)) [[unlikely]]
                        return -1L;
                }
                return wrong;
            },
            arguments);
    });
    if (gate != GateKind::FlexscOwn || state.error_occurred())
        return;
    if (const auto share = user_share(op, gate, batch, context)) {
        state.counters["post_per_call"] = share->post;
        state.counters["reap_per_call"] = share->reap;
        state.counters["user_per_call"] = share->post + share->reap;
    } else {
        state.SkipWithError("wrong result while timing the user's share");
    }
}

/// What of a batch runs in user code: posting and reaping, timed apart from flexsc_wait(). Nothing if a result was
/// wrong.
template <class Op>
std::optional<Suite::UserShare> Suite::user_share(Op& op, GateKind gate, unsigned batch, FlexscContext& context) const {
    std::vector<double> posts, reaps;
    long handles[kMostCalls];
    const auto per_call = [&](std::uint64_t length) {
        return (static_cast<double>(length) - static_cast<double>(ruler_)) / batch;
    };
    for (unsigned i = 0; i < kRepetitions; ++i) {
        op.prepare(gate);
        std::apply(
            [&](auto... values) {
                long wrong = 0;
                const auto post_begin = ticks_begin();
                post_batch(context, handles, batch, Op::kNumber, values...);
                const auto post_length = ticks_end() - post_begin;
                (void)flexsc_wait(&context);
                const long expected = op.expected();
                const auto reap_begin = ticks_begin();
                const bool complete =
                    reap_batch(context, handles, batch, [&](long result) { wrong |= result ^ expected; });
                const auto reap_length = ticks_end() - reap_begin;
                if (complete && wrong == 0) {
                    posts.push_back(per_call(post_length));
                    reaps.push_back(per_call(reap_length));
                }
            },
            op.arguments());
    }
    if (posts.size() != kRepetitions)
        return std::nullopt;
    return UserShare{median(posts), median(reaps)};
}

template <class Op>
void Suite::add_flexsc(const std::shared_ptr<Op>& op, GateKind gate, flexsc_policy policy) {
    for (const unsigned batch : kBatches)
        if (selection_ == Selection::Sweep || batch <= kUsualBatch)
            list(
                Op::kName, gate, [this, policy, batch] { return open_flexsc(policy, batch); },
                [this, op, gate, policy, batch](benchmark::State& state) {
                    if (open_flexsc(policy, batch)) // it could be opened before
                        return state.SkipWithError("the syscall pages cannot be had again");
                    lane_->run([&](FlexscContext& context) { measure_batches(state, *op, gate, batch, context); });
                },
                batch);
}

template <class Op>
void Suite::add() {
    const bool sweep = selection_ == Selection::Sweep;
    if (sweep ? !Op::kSwept : !Op::kUsual)
        return;
    const auto op = std::make_shared<Op>();
    if constexpr (requires { Op::kNumber; }) {
        const auto is_offered = [op]() -> std::optional<Missing> {
            const long result =
                std::apply([](auto... values) { return Native::call(Op::kNumber, values...); }, op->arguments());
            if (result == -ENOSYS)
                return Missing{std::string("this kernel does not know ") + Op::kName + " (ENOSYS)", false};
            return std::nullopt;
        };
        list(Op::kName, GateKind::Native, is_offered, [this, op](benchmark::State& state) {
            measure_calls<Op, Native>(state, *op, GateKind::Native, Number<Op::kNumber>(), op->arguments());
        });
        add_flexsc(op, GateKind::FlexscOwn, FLEXSC_OWN);
        add_flexsc(op, GateKind::FlexscPoll, FLEXSC_WORKER_POLL);
        if (sweep) {
            add_flexsc(op, GateKind::FlexscIpi, FLEXSC_WORKER_IPI);
            add_flexsc(op, GateKind::FlexscAdaptive, FLEXSC_ADAPTIVE);
            return;
        }
        list(Op::kName, GateKind::Direct, {}, [this, op](benchmark::State& state) {
            measure_calls<Op, Direct<&Op::direct>>(state, *op, GateKind::Direct, Number<0>(), op->arguments());
        });
        list(
            Op::kName, GateKind::Int80, [this] { return int80_is_ours(); },
            [this, op](benchmark::State& state) {
                measure_calls<Op, Int80>(state, *op, GateKind::Int80, Number<Op::kNumber>(), op->arguments());
            });
    }
    if constexpr (requires { Op::kFastcall; }) {
        const auto index = std::make_shared<long>(-1);
        const auto register_example = [this, op, index]() -> std::optional<Missing> {
            const auto example = open_fastcall(Op::kFastcall);
            if (!example)
                return example.error();
            *index = example->index;
            op->set_shared(example->shared);
            return std::nullopt;
        };
        list(Op::kName, GateKind::Fastcall, register_example, [this, op, index](benchmark::State& state) {
            measure_calls<Op, Fastcall>(state, *op, GateKind::Fastcall, *index, op->fastcall_arguments());
        });
    }
}

} // namespace tollgate::bench
