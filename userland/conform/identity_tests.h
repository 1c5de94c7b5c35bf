// What the parts of conform-identity share, and the parts in the order in which they run.
#pragma once

#include "userland/conform/children.h"
#include "userland/lib/ktap.h"

namespace tollgate::conform {

inline constexpr uid_t kUser = 12345, kOther = 12346;
inline char self[256];
inline int wait_for_signals() {
    for (;;)
        pause();
}

void test_groups(Ktap& ktap);
void test_sessions(Ktap& ktap);
void test_orphaned_group(Ktap& ktap);
void test_users(Ktap& ktap);
void test_capabilities(Ktap& ktap);
void test_limits(Ktap& ktap);
void test_prctl(Ktap& ktap);
void test_priorities(Ktap& ktap);
void test_machine(Ktap& ktap);

} // namespace tollgate::conform
