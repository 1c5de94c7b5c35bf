// C++20 coroutines over libflexsc, for event-driven programs: a system call is awaited, and meanwhile other coroutines
// of the thread run. Header only.
//
//     using namespace tollgate::flexsc;
//     Task<> copy(Loop& loop, int from, int to) {
//         char buffer[4096];
//         for (;;) {
//             const long got = co_await loop.call(SYS_read, from, buffer, sizeof buffer);
//             if (got <= 0)
//                 co_return;
//             co_await loop.call(SYS_write, to, buffer, got);
//         }
//     }
//     Loop loop(FLEXSC_DEFAULT, 1);
//     loop.start(copy(loop, a, b)), loop.start(copy(loop, c, d));
//     loop.run();
//
// A call allocates nothing: what it needs lies in the coroutine's frame. When the entries run out, coroutines wait in
// line for the next one that becomes free.
#pragma once

#include <array>
#include <coroutine>
#include <exception>
#include <type_traits>
#include <utility>

#include "userland/lib/flexsc/flexsc.h"

namespace tollgate::flexsc {

template <class T = void>
class Task;

/// An event loop over one context. It belongs to the thread that made it and may be neither copied nor moved.
class Loop {
public:
    Loop(flexsc_policy policy, unsigned pages) : error_(flexsc_open(&context_, policy, pages)) {}
    ~Loop() {
        if (error_ == 0)
            flexsc_close(&context_);
    }
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    /// 0, or why there is no context (flexsc_open()); then nothing else may be called.
    [[nodiscard]] int error() const { return error_; }
    [[nodiscard]] struct ::flexsc& context() { return context_; }

    /// One system call, to be awaited at once: `co_await loop.call(number, arguments...)` is its result or -errno.
    template <unsigned N>
    class Call;
    template <class... A>
    requires(sizeof...(A) <= 6) [[nodiscard]] auto call(unsigned number, A... arguments) {
        return Call<sizeof...(A)>(*this, number, {to_word(arguments)...});
    }

    /// Runs a coroutine on this loop; it goes on by itself and frees its frame when it ends.
    inline void start(Task<void> task);

    /// Until no coroutine waits for a call. 0, or flexsc_wait()'s error.
    int run() {
        for (;;) {
            const long ran = flexsc_run_once(&context_);
            post_waiting();
            if (ran == -EINTR)
                continue;
            if (ran < 0)
                return static_cast<int>(ran);
            if (ran == 0 && first_ == nullptr)
                return 0;
        }
    }

private:
    /// A call that found no entry free; it lies in the frame of its coroutine.
    struct Waiting {
        bool (*post)(Waiting&); ///< tries again; false if there is still no entry
        Waiting* next;
    };

    template <class T>
    static long to_word(T value) {
        if constexpr (std::is_pointer_v<T>)
            return reinterpret_cast<long>(value);
        else if constexpr (std::is_null_pointer_v<T>)
            return 0;
        else
            return static_cast<long>(value);
    }

    void wait_in_line(Waiting& waiting) {
        waiting.next = nullptr;
        (first_ == nullptr ? first_ : last_->next) = &waiting;
        last_ = &waiting;
    }
    void post_waiting() {
        while (first_ != nullptr) {
            Waiting& waiting = *first_;
            Waiting* const next = waiting.next; // once it is posted, it is its coroutine's
            if (!waiting.post(waiting))
                return;
            first_ = next;
        }
    }

    struct ::flexsc context_ {};
    int error_;
    Waiting* first_ = nullptr;
    Waiting* last_ = nullptr;
};

template <unsigned N>
class [[nodiscard]] Loop::Call : private Waiting {
public:
    Call(Loop& loop, unsigned number, std::array<long, N> arguments)
        : Waiting{&post_again, nullptr}, loop_(loop), number_(number), arguments_(arguments) {}

    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter) {
        waiter_ = waiter;
        // Behind those that wait already, so that none starves.
        if (loop_.first_ != nullptr || !post())
            loop_.wait_in_line(*this);
    }
    long await_resume() const noexcept { return result_; }

private:
    friend class Loop;
    static bool post_again(Waiting& waiting) { return static_cast<Call&>(waiting).post(); }
    static void finished(void* context, long result) {
        Call& call = *static_cast<Call*>(context);
        call.result_ = result;
        call.waiter_.resume();
    }
    bool post() {
        struct ::flexsc* const context = &loop_.context_;
        const long handle = flexsc_claim(context);
        if (handle < 0)
            return false;
        flexsc_entry* const entry = flexsc_entry_of(handle);
        for (unsigned i = 0; i < N; ++i)
            entry->args[i] = static_cast<uint64_t>(arguments_[i]);
        flexsc_on_done(context, handle, &finished, this);
        flexsc_submit(entry, number_, N);
        return true;
    }

    Loop& loop_;
    unsigned number_;
    std::array<long, N> arguments_;
    long result_ = 0;
    std::coroutine_handle<> waiter_;
};

/// A coroutine that is awaited by another, or given to Loop::start(). It begins when either happens.
template <class T>
class [[nodiscard]] Task {
    struct Result {
        T value{};
        void return_value(T result) { value = std::move(result); }
    };
    struct Nothing {
        void return_void() {}
    };

public:
    struct promise_type
        : std::conditional_t<std::is_void_v<T>, std::type_identity<Nothing>, std::type_identity<Result>>::type {
        Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
        std::suspend_always initial_suspend() noexcept { return {}; }
        void unhandled_exception() { std::terminate(); }
        struct Final {
            bool await_ready() noexcept { return false; }
            std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> self) noexcept {
                if (self.promise().waiter)
                    return self.promise().waiter;
                self.destroy(); // started by a loop: nobody else will
                return std::noop_coroutine();
            }
            void await_resume() noexcept {}
        };
        Final final_suspend() noexcept { return {}; }
        std::coroutine_handle<> waiter;
    };

    Task(Task&& other) noexcept : coroutine_(std::exchange(other.coroutine_, {})) {}
    Task& operator=(Task&&) = delete;
    ~Task() {
        if (coroutine_)
            coroutine_.destroy();
    }

    /// Begins it; it goes on by itself and frees its frame when it ends.
    void start() && { std::exchange(coroutine_, {}).resume(); }

    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiter) noexcept {
        coroutine_.promise().waiter = waiter;
        return coroutine_;
    }
    T await_resume() {
        if constexpr (!std::is_void_v<T>)
            return std::move(coroutine_.promise().value);
    }

private:
    explicit Task(std::coroutine_handle<promise_type> coroutine) : coroutine_(coroutine) {}
    std::coroutine_handle<promise_type> coroutine_;
};

inline void Loop::start(Task<void> task) { std::move(task).start(); }

} // namespace tollgate::flexsc
