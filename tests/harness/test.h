// One test file, two places to run it: on the host these macros are GoogleTest's; inside the kernel (TOLLGATE_KERNEL)
// the same subset is defined here, on two functions of the kernel's test runner. Tests that run in both may use neither
// std::string nor `<<`; what needs the host stands between #ifndef TOLLGATE_KERNEL and #endif.
#pragma once

#ifndef TOLLGATE_KERNEL

#include <gtest/gtest.h>

#else

#include "lib/types.h"

namespace tollgate {

/// What a running test is given. The macros do not use it; the runner may count in it.
struct TestContext {
    u32 checks = 0;
    u32 failures = 0;
};

/// One test. All of them lie in the section "ktests", between __start_ktests and __stop_ktests, in link order.
struct KernelTest {
    const char* suite;
    const char* name;
    void (*run)(TestContext&);
};
static_assert(sizeof(KernelTest) == 24);

/// Defined by the kernel's test runner. A failed check is reported and the test goes on, or returns after an ASSERT_*.
void test_fail(const char* file, int line, const char* expression);
void test_check_passed();

inline bool test_check(bool passed, const char* file, int line, const char* expression) {
    if (passed)
        test_check_passed();
    else
        test_fail(file, line, expression);
    return passed;
}

} // namespace tollgate

extern "C" {
extern const tollgate::KernelTest __start_ktests[];
extern const tollgate::KernelTest __stop_ktests[];
}

// alignas on the variable, not on the type: only that keeps GCC from aligning it to 16 and leaving gaps in the section.
#define TEST(suite, name)                                                                                              \
    static void suite##_##name##_run(::tollgate::TestContext&);                                                        \
    [[gnu::section("ktests"), gnu::used]] alignas(                                                                     \
        8) static constinit const ::tollgate::KernelTest suite##_##name##_test{#suite, #name, suite##_##name##_run};   \
    static void suite##_##name##_run([[maybe_unused]] ::tollgate::TestContext& test_context)

#define TOLLGATE_EXPECT_(condition, text) ((void)::tollgate::test_check((condition), __FILE__, __LINE__, text))
#define TOLLGATE_ASSERT_(condition, text)                                                                              \
    do {                                                                                                               \
        if (!::tollgate::test_check((condition), __FILE__, __LINE__, text))                                            \
            return;                                                                                                    \
    } while (false)

#define EXPECT_EQ(a, b) TOLLGATE_EXPECT_((a) == (b), #a " == " #b)
#define EXPECT_NE(a, b) TOLLGATE_EXPECT_((a) != (b), #a " != " #b)
#define EXPECT_LT(a, b) TOLLGATE_EXPECT_((a) < (b), #a " < " #b)
#define EXPECT_LE(a, b) TOLLGATE_EXPECT_((a) <= (b), #a " <= " #b)
#define EXPECT_GT(a, b) TOLLGATE_EXPECT_((a) > (b), #a " > " #b)
#define EXPECT_GE(a, b) TOLLGATE_EXPECT_((a) >= (b), #a " >= " #b)
#define EXPECT_TRUE(a) TOLLGATE_EXPECT_(static_cast<bool>(a), #a)
#define EXPECT_FALSE(a) TOLLGATE_EXPECT_(!static_cast<bool>(a), "!(" #a ")")

#define ASSERT_EQ(a, b) TOLLGATE_ASSERT_((a) == (b), #a " == " #b)
#define ASSERT_NE(a, b) TOLLGATE_ASSERT_((a) != (b), #a " != " #b)
#define ASSERT_LT(a, b) TOLLGATE_ASSERT_((a) < (b), #a " < " #b)
#define ASSERT_LE(a, b) TOLLGATE_ASSERT_((a) <= (b), #a " <= " #b)
#define ASSERT_GT(a, b) TOLLGATE_ASSERT_((a) > (b), #a " > " #b)
#define ASSERT_GE(a, b) TOLLGATE_ASSERT_((a) >= (b), #a " >= " #b)
#define ASSERT_TRUE(a) TOLLGATE_ASSERT_(static_cast<bool>(a), #a)
#define ASSERT_FALSE(a) TOLLGATE_ASSERT_(!static_cast<bool>(a), "!(" #a ")")

#endif
