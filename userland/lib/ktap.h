// A tiny KTAP reporter for tests in ring 3; tools/ktap.py on the host reads what it prints. It needs no heap and writes
// each line by one write(), so that its lines survive a crash and never mix with the kernel's log.
//
//     tollgate::Ktap ktap(2);                                   // the plan: exactly two tests
//     ktap.check(result == 0, "getppid returned %ld", result);  // any number of checks belongs to ...
//     ktap.test("native getppid");                              // ... the test that closes them: ok if all of them
//     held ktap.test("page is mapped", address != 0);                // a test of one check return ktap.finish(); // 0
//     if all were ok and the plan was kept
#pragma once

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <unistd.h>

namespace tollgate {

class Ktap {
public:
    explicit Ktap(unsigned plan) : plan_(plan) { line("KTAP version 1\n1..%u\n", plan); }
    Ktap(const Ktap&) = delete;
    Ktap& operator=(const Ktap&) = delete;

    /// Counts one check; the first that fails gives the running test its detail.
    [[gnu::format(printf, 3, 4)]] bool check(bool good, const char* format, ...) {
        ++checks_;
        ++open_;
        if (!good && detail_[0] == '\0') {
            va_list list;
            va_start(list, format);
            std::vsnprintf(detail_, sizeof detail_, format, list);
            va_end(list);
            if (detail_[0] == '\0')
                std::strcpy(detail_, "failed");
        }
        return good;
    }

    /// Closes a test: ok if it made at least one check and all held.
    bool test(const char* name) {
        ++tests_;
        if (open_ == 0)
            std::strcpy(detail_, "no check was made");
        const bool good = detail_[0] == '\0';
        failures_ += good ? 0 : 1;
        if (good)
            line("ok %u %s\n", tests_, name);
        else
            line("not ok %u %s # %s\n", tests_, name, detail_);
        detail_[0] = '\0';
        open_ = 0;
        return good;
    }

    /// A test of one check.
    bool test(const char* name, bool good) {
        check(good, "failed");
        return test(name);
    }

    /// A test that cannot run here; counts towards the plan, and the harness decides whether it may be skipped.
    void skip(const char* name, const char* reason) {
        ++tests_;
        detail_[0] = '\0';
        open_ = 0;
        line("ok %u %s # SKIP %s\n", tests_, name, reason);
    }

    /// A line for the reader.
    [[gnu::format(printf, 2, 3)]] void note(const char* format, ...) {
        char text[200];
        va_list list;
        va_start(list, format);
        std::vsnprintf(text, sizeof text, format, list);
        va_end(list);
        line("# %s\n", text);
    }

    /// The exit status of the program.
    [[nodiscard]] int finish() {
        if (open_ != 0)
            line("# %u check(s) belong to no test\n", open_);
        if (tests_ != plan_)
            line("# planned %u tests, ran %u\n", plan_, tests_);
        line("# checks: %u\n", checks_);
        return failures_ == 0 && tests_ == plan_ && open_ == 0 ? 0 : 1;
    }

private:
    [[gnu::format(printf, 2, 3)]] void line(const char* format, ...) {
        char text[400];
        va_list list;
        va_start(list, format);
        const int length = std::vsnprintf(text, sizeof text, format, list);
        va_end(list);
        if (length <= 0)
            return;
        unsigned size = static_cast<unsigned>(length);
        if (size >= sizeof text) {
            size = sizeof text - 1;
            text[size - 1] = '\n';
        }
        if (write(STDOUT_FILENO, text, size) != static_cast<ssize_t>(size))
            ++failures_;
    }

    unsigned plan_;
    unsigned tests_ = 0;
    unsigned failures_ = 0;
    unsigned checks_ = 0;
    unsigned open_ = 0; // checks of the running test
    char detail_[160] = {};
};

} // namespace tollgate
