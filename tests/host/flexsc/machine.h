// A memory as weak as the C++ memory model allows without speculation, and every interleaving of a few threads on it. A
// location is the list of all values it ever had, in order; a thread may read any of them that is not older than what
// it knows of, and what it knows grows by acquire loads of release stores [C++23, 6.9.2]. Threads are fibers that run
// real code, instrumented at its loads and stores: a run is a list of choices, and is repeated from the start for each
// other choice; states that have been seen are not entered again.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <ucontext.h>
#include <vector>

namespace model {

inline constexpr unsigned kLocations = 8;
/// By location: the oldest value that may still be read.
using View = std::array<std::uint8_t, kLocations>;

class Machine {
public:
    explicit Machine(std::vector<std::function<void()>> threads) : programs_(std::move(threads)) {}

    /// Every run there is. Empty: all went well. Otherwise the first bad thing found.
    std::string explore() {
        std::vector<std::vector<std::uint8_t>> open{{}};
        while (!open.empty() && bad_.empty()) {
            const std::vector<std::uint8_t> choices = std::move(open.back());
            open.pop_back();
            run(choices, open);
        }
        return bad_;
    }
    std::size_t states() const { return seen_.size(); }

    // For the threads, through the instrumented accesses.
    std::uint64_t load(unsigned location, bool acquire) {
        yield({location, true});
        Thread& self = threads_[current_];
        const Value& value = memory_[location][self.read];
        self.view[location] = self.read;
        self.fresh[location] = 0;
        if (acquire)
            for (unsigned i = 0; i < kLocations; ++i)
                self.view[i] = std::max(self.view[i], value.view[i]);
        self.history.push_back(value.value);
        return value.value;
    }
    void store(unsigned location, std::uint64_t value, bool release) {
        modify(location, ~std::uint64_t{0}, value, release);
    }
    /// A store of some of a location's bytes: the others stay what they are in memory.
    void modify(unsigned location, std::uint64_t mask, std::uint64_t value, bool release) {
        yield({location, false});
        Thread& self = threads_[current_];
        std::vector<Value>& values = memory_[location];
        self.view[location] = static_cast<std::uint8_t>(values.size());
        View view{};
        view[location] = self.view[location];
        values.push_back({(values.back().value & ~mask) | (value & mask), release ? self.view : view});
        self.history.push_back(location);
    }
    /// The next load of this location must find something newer than the last one: a loop that polls makes progress.
    void wait_for_change(unsigned location) { threads_[current_].fresh[location] = 1; }
    void fail(std::string what) {
        if (bad_.empty())
            bad_ = std::move(what);
    }

private:
    struct Value {
        std::uint64_t value;
        View view;
        auto operator<=>(const Value&) const = default;
    };
    struct Pending {
        unsigned location = 0;
        bool is_load = false;
    };
    struct Thread {
        View view{}, fresh{};
        std::vector<std::uint64_t> history; // what it has read: with its program, all of its state
        std::uint8_t read = 0;              // which value its load gets
        bool done = false;
        Pending pending{};
        auto key() const { return std::tuple(view, fresh, history, done); }
    };
    using State = std::pair<std::array<std::vector<Value>, kLocations>,
                            std::vector<std::tuple<View, View, std::vector<std::uint64_t>, bool>>>;
    static constexpr std::size_t kStack = 128 * 1024;

    void yield(Pending pending) {
        threads_[current_].pending = pending;
        swapcontext(&contexts_[current_], &explorer_);
    }
    static void enter(unsigned low, unsigned high) {
        auto* const self = reinterpret_cast<Machine*>(std::uint64_t{high} << 32 | low);
        const unsigned own = self->current_;
        self->programs_[own]();
        self->threads_[own].done = true;
        swapcontext(&self->contexts_[own], &self->explorer_);
    }
    void resume(unsigned thread) {
        current_ = thread;
        swapcontext(&explorer_, &contexts_[thread]);
    }

    void start() {
        const std::size_t count = programs_.size();
        memory_ = {};
        for (std::vector<Value>& values : memory_)
            values.push_back({});
        threads_.assign(count, {});
        contexts_.resize(count);
        stacks_.resize(count, std::vector<char>(kStack));
        const auto address = reinterpret_cast<std::uint64_t>(this);
        for (unsigned i = 0; i < count; ++i) {
            getcontext(&contexts_[i]);
            contexts_[i].uc_stack.ss_sp = stacks_[i].data();
            contexts_[i].uc_stack.ss_size = kStack;
            makecontext(&contexts_[i], reinterpret_cast<void (*)()>(enter), 2, static_cast<unsigned>(address),
                        static_cast<unsigned>(address >> 32));
            resume(i); // up to its first access
        }
    }

    /// What can happen next: a thread, and which value it reads.
    std::vector<std::pair<unsigned, std::uint8_t>> options() const {
        std::vector<std::pair<unsigned, std::uint8_t>> found;
        for (unsigned i = 0; i < threads_.size(); ++i) {
            const Thread& thread = threads_[i];
            const unsigned at = thread.pending.location;
            if (thread.done)
                continue;
            if (!thread.pending.is_load)
                found.emplace_back(i, 0);
            else
                for (unsigned n = thread.view[at] + thread.fresh[at]; n < memory_[at].size(); ++n)
                    found.emplace_back(i, static_cast<std::uint8_t>(n));
        }
        return found;
    }

    bool is_new() {
        State state{memory_, {}};
        for (const Thread& thread : threads_)
            state.second.push_back(thread.key());
        return seen_.insert(std::move(state)).second;
    }

    void run(const std::vector<std::uint8_t>& choices, std::vector<std::vector<std::uint8_t>>& open) {
        start();
        std::vector<std::uint8_t> path;
        while (bad_.empty()) {
            const auto possible = options();
            bool all_done = true;
            for (const Thread& thread : threads_)
                all_done = all_done && thread.done;
            if (possible.empty()) {
                if (!all_done)
                    fail("stuck");
                return;
            }
            std::uint8_t choice = 0;
            if (path.size() < choices.size()) {
                choice = choices[path.size()];
            } else {
                if (!is_new())
                    return;
                for (std::size_t other = 1; other < possible.size(); ++other) {
                    open.push_back(path);
                    open.back().push_back(static_cast<std::uint8_t>(other));
                }
            }
            path.push_back(choice);
            threads_[possible[choice].first].read = possible[choice].second;
            resume(possible[choice].first);
        }
    }

    std::vector<std::function<void()>> programs_;
    std::array<std::vector<Value>, kLocations> memory_;
    std::vector<Thread> threads_;
    std::vector<ucontext_t> contexts_;
    std::vector<std::vector<char>> stacks_;
    ucontext_t explorer_{};
    unsigned current_ = 0;
    std::set<State> seen_;
    std::string bad_;
};

} // namespace model
