// What the tests of syscall pages share: a case is a victim, a process of its own, since a thread registers once and
// with one policy; the victim's argument says which. Cases of the policies with a worker want `-smp 2
// flexsc.workers=1` or more; without one they are skipped, by the kernel's own word (ENODEV).
#pragma once

#include <cstdio>
#include <initializer_list>

#include "userland/tests/flexsc_pages.h"
#include "userland/tests/support.h"

namespace tollgate::test {

using api::FlexscEntry;
using api::FlexscPolicy;
using api::FlexscStatus;

using Policies = std::initializer_list<FlexscPolicy>;
inline constexpr Policies kAllPolicies{FlexscPolicy::Own, FlexscPolicy::WorkerIpi, FlexscPolicy::WorkerPoll,
                                       FlexscPolicy::Adaptive};
inline constexpr Policies kOwnAndPoll{FlexscPolicy::Own, FlexscPolicy::WorkerPoll};

/// A victim's argument.
constexpr FlexscPolicy policy_of(uint64_t argument) { return static_cast<FlexscPolicy>(argument); }
constexpr uint64_t argument_of(FlexscPolicy policy) { return static_cast<uint64_t>(policy); }
constexpr const char* name_of(FlexscPolicy policy) {
    constexpr const char* kNames[] = {"own core", "worker by IPI", "worker that polls", "adaptive"};
    return kNames[argument_of(policy)];
}

inline FlexscStatus status_of(const FlexscEntry& entry) {
    return static_cast<FlexscStatus>(__atomic_load_n(&entry.status, __ATOMIC_ACQUIRE));
}

/// A victim; to be in every program's list.
inline int probe_for_worker(uint64_t) {
    const auto gate = Flexsc::open(FlexscPolicy::WorkerPoll);
    return gate.has_value() ? 1 : gate.error() == ENODEV ? 2 : 3;
}
inline constexpr Victim kFlexscHelpers[] = {{"probe-for-worker", probe_for_worker}};

/// Is there a worker core? A status other than 1 or 2 is a kernel that gives a wrong reason.
inline int worker_status() {
    static const int status = run_victim("probe-for-worker");
    return status;
}
inline bool has_worker() { return exited_with(worker_status(), 1); }

/// `body(policy)`, a test for each policy.
template <class Body>
void for_policies(Ktap& ktap, const char* name, Policies policies, Body&& body) {
    for (const FlexscPolicy policy : policies) {
        char line[128];
        std::snprintf(line, sizeof line, "%s, %s", name, name_of(policy));
        if (policy != FlexscPolicy::Own && !has_worker()) {
            ktap.skip(line, "there is no worker core");
            continue;
        }
        body(policy);
        ktap.test(line);
    }
}

/// A victim that checks everything itself.
inline void test_case(Ktap& ktap, const char* victim, const char* name, Policies policies = kAllPolicies) {
    for_policies(ktap, name, policies, [&](FlexscPolicy policy) {
        const int status = run_victim(victim, argument_of(policy));
        ktap.check(exited_with(status, 0), "%s", describe(status));
    });
}

} // namespace tollgate::test
