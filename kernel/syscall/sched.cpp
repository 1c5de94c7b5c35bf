// The scheduler's calls. There is one policy: every thread is run as SCHED_OTHER, round robin. The others are accepted,
// remembered and given back, but change nothing (docs/time.md).
#include "syscall/handlers.h"

namespace tollgate {
namespace {

// [linux/sched.h]
constexpr u32 kFifo = 1, kRoundRobin = 2, kBatch = 3, kIdle = 5, kDeadline = 6;
constexpr u32 kResetOnFork = 0x40000000;
constexpr i32 kMostPriority = 99;

u64 online_cpus() { return cpu_count() == 64 ? ~u64{0} : (u64{1} << cpu_count()) - 1; }

bool is_real_time(u32 policy) { return policy == kFifo || policy == kRoundRobin; }
bool is_policy(u32 policy) { return policy <= kBatch || policy == kIdle; }

/// The thread of that id, 0 for the caller's. Errno::Srch.
Result<Ref<UserThread>> thread_of(Caller& caller, int id) {
    if (id < 0)
        return fail(Errno::Inval);
    if (id == 0 || id == caller.thread_id)
        return Ref<UserThread>(*caller.owner);
    Ref<UserThread> thread = task::find_thread(id);
    if (!thread)
        return fail(Errno::Srch);
    return thread;
}

/// Whether the caller may change the thread [man 2 sched_setaffinity]. Errno::Perm.
Result<void> check_may_change(Caller& caller, const UserThread& thread) {
    const u32 user = caller.process->credentials.user.effective.load(kRelaxed);
    const Identity& owner = thread.process->credentials.user;
    if (user != 0 && user != owner.effective.load(kRelaxed) && user != owner.real.load(kRelaxed))
        return fail(Errno::Perm);
    return {};
}

Result<void> set_policy(Caller& caller, int id, u32 policy, i32 priority) {
    const Ref<UserThread> thread = TRY(thread_of(caller, id));
    const u32 kind = policy & ~kResetOnFork;
    if (!is_policy(kind))
        return fail(Errno::Inval);
    if (is_real_time(kind) ? priority < 1 || priority > kMostPriority : priority != 0)
        return fail(Errno::Inval);
    TRY(check_may_change(caller, *thread));
    if (is_real_time(kind) && !caller.process->credentials.privileged())
        return fail(Errno::Perm);
    thread->policy.store(policy, kRelaxed);
    thread->priority.store(priority, kRelaxed);
    return {};
}

} // namespace

Result<u64> sys_sched_yield(Caller&) {
    sched::yield();
    return 0;
}

Result<u64> sys_sched_setaffinity(Caller& caller, int id, u64 size, u64 mask) {
    u64 cpus = 0;
    TRY(copy_from_user_bytes(&cpus, mask, size < sizeof cpus ? size : sizeof cpus));
    const Ref<UserThread> thread = TRY(thread_of(caller, id));
    TRY(check_may_change(caller, *thread));
    TRY(sched::set_affinity(*thread->thread, cpus & online_cpus()));
    return 0;
}

Result<u64> sys_sched_getaffinity(Caller& caller, int id, u64 size, UserPtr<u64> mask) {
    if (size < sizeof(u64) || size % sizeof(u64) != 0)
        return fail(Errno::Inval);
    const Ref<UserThread> thread = TRY(thread_of(caller, id));
    TRY(copy_to_user(mask, sched::affinity(*thread->thread) & online_cpus()));
    return sizeof(u64);
}

Result<u64> sys_getcpu(Caller&, UserPtr<u32> cpu, UserPtr<u32> node) {
    if (!cpu.is_null())
        TRY(copy_to_user(cpu, this_cpu().number));
    if (!node.is_null())
        TRY(copy_to_user(node, u32{0}));
    return 0;
}

Result<u64> sys_sched_setscheduler(Caller& caller, int id, int policy, UserPtr<const i32> priority) {
    if (policy < 0 || priority.is_null())
        return fail(Errno::Inval);
    TRY(set_policy(caller, id, static_cast<u32>(policy), TRY(copy_from_user(priority))));
    return 0;
}

Result<u64> sys_sched_getscheduler(Caller& caller, int id) {
    return TRY(thread_of(caller, id))
    ->policy.load(kRelaxed);
}

Result<u64> sys_sched_setparam(Caller& caller, int id, UserPtr<const i32> priority) {
    if (priority.is_null())
        return fail(Errno::Inval);
    const i32 wanted = TRY(copy_from_user(priority));
    const Ref<UserThread> thread = TRY(thread_of(caller, id));
    TRY(set_policy(caller, id, thread->policy.load(kRelaxed), wanted));
    return 0;
}

Result<u64> sys_sched_getparam(Caller& caller, int id, UserPtr<i32> priority) {
    if (priority.is_null())
        return fail(Errno::Inval);
    const Ref<UserThread> thread = TRY(thread_of(caller, id));
    TRY(copy_to_user(priority, thread->priority.load(kRelaxed)));
    return 0;
}

Result<u64> sys_sched_get_priority_max(Caller&, int policy) {
    const u32 kind = static_cast<u32>(policy);
    if (!is_policy(kind) && kind != kDeadline)
        return fail(Errno::Inval);
    return is_real_time(kind) ? kMostPriority : 0;
}

Result<u64> sys_sched_get_priority_min(Caller&, int policy) {
    const u32 kind = static_cast<u32>(policy);
    if (!is_policy(kind) && kind != kDeadline)
        return fail(Errno::Inval);
    return is_real_time(kind) ? 1 : 0;
}

Result<u64> sys_sched_rr_get_interval(Caller& caller, int id, UserPtr<Timespec> to) {
    const Ref<UserThread> thread = TRY(thread_of(caller, id));
    const bool endless = (thread->policy.load(kRelaxed) & ~kResetOnFork) == kFifo;
    TRY(copy_to_user(to, Timespec{0, endless ? 0 : static_cast<i64>(sched::kSliceNs)}));
    return 0;
}

Result<u64> sys_sched_setattr(Caller& caller, int id, UserPtr<const SchedulingAttributes> from, u32 flags) {
    if (from.is_null() || flags != 0)
        return fail(Errno::Inval);
    const SchedulingAttributes wanted = TRY(copy_from_user(from));
    if (wanted.size != 0 && wanted.size < sizeof wanted)
        return fail(Errno::TooBig);
    if (wanted.flags & ~u64{1}) // SCHED_FLAG_RESET_ON_FORK
        return fail(Errno::Inval);
    const u32 reset = wanted.flags & 1 ? kResetOnFork : 0;
    TRY(set_policy(caller, id, wanted.policy | reset, static_cast<i32>(wanted.priority)));
    return 0;
}

Result<u64> sys_sched_getattr(Caller& caller, int id, UserPtr<SchedulingAttributes> to, u32 size, u32 flags) {
    if (to.is_null() || flags != 0 || size < sizeof(SchedulingAttributes) || size > kPageSize)
        return fail(Errno::Inval);
    const Ref<UserThread> thread = TRY(thread_of(caller, id));
    const u32 policy = thread->policy.load(kRelaxed);
    SchedulingAttributes state{};
    state.size = sizeof state;
    state.policy = policy & ~kResetOnFork;
    state.flags = policy & kResetOnFork ? 1 : 0;
    state.nice = is_real_time(state.policy) ? 0 : thread->process->nice.load(kRelaxed);
    state.priority = static_cast<u32>(thread->priority.load(kRelaxed));
    TRY(copy_to_user(to, state));
    return 0;
}

namespace {

Result<void> check_io_target(Caller& caller, int which, int id) {
    constexpr int kProcess = 1, kGroup = 2, kUser = 3; // [linux/ioprio.h]
    if (which == kProcess)
        TRY(thread_of(caller, id));
    else if (which != kGroup && which != kUser)
        return fail(Errno::Inval);
    return {};
}

} // namespace

/// There is no disk whose requests could be ordered: everybody has the default priority.
Result<u64> sys_ioprio_get(Caller& caller, int which, int id) {
    TRY(check_io_target(caller, which, id));
    return 0;
}

Result<u64> sys_ioprio_set(Caller& caller, int which, int id, int priority) {
    constexpr int kClassShift = 13, kMostClass = 3;
    if (priority < 0 || priority >> kClassShift > kMostClass)
        return fail(Errno::Inval);
    TRY(check_io_target(caller, which, id));
    return 0;
}

} // namespace tollgate
