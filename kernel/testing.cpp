// The runner: KTAP with a plan, and the number of checks, which the harness asserts.
#include "testing.h"

#include "debug/log.h"
#include "lib/fixed_string.h"
#include "tests/harness/test.h"

namespace tollgate {
namespace {

constinit u64 checks = 0, failures = 0;

template <class... Args>
void print(FormatString<std::type_identity_t<Args>...> text, const Args&... args) {
    FixedString<256> line;
    format_to(line, text, args...);
    console_write(line.view());
}

} // namespace

void test_check_passed() { ++checks; }

void test_fail(const char* file, int line, const char* expression) {
    ++checks;
    ++failures;
    print("# {}:{}: {}\n", file, line, expression);
}

bool run_kernel_tests() {
    const u64 count = static_cast<u64>(__stop_ktests - __start_ktests);
    print("KTAP version 1\n1..{}\n", count);
    u64 number = 0, failed_tests = 0;
    for (const KernelTest* test = __start_ktests; test != __stop_ktests; ++test) {
        const u64 before = failures;
        TestContext context;
        test->run(context);
        const bool passed = failures == before;
        failed_tests += !passed;
        print("{} {} {}.{}\n", passed ? "ok" : "not ok", ++number, test->suite, test->name);
    }
    print("# checks: {}\n", checks);
    return failed_tests == 0 && count != 0;
}

} // namespace tollgate
