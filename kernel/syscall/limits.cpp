// Resource limits and what has been used: getrlimit, setrlimit, prlimit64, getrusage, times.
#include "cpu/clock.h"
#include "syscall/handlers.h"
#include "syscall/usage.h"

namespace tollgate {
namespace {

/// A lower soft or hard limit is anybody's right; raising the hard one is root's.
Result<void> set_limit(const Caller& caller, Process& process, u32 which, ResourceLimit wanted) {
    constexpr u64 kMostFiles = 1 << 20; // Linux' fs.nr_open
    if (wanted.current > wanted.maximum)
        return fail(Errno::Inval);
    if (which == static_cast<u32>(Limit::OpenFiles) && wanted.maximum > kMostFiles)
        return fail(Errno::Perm);
    if (wanted.maximum > process.limits.get(which).maximum && !caller.process->credentials.privileged())
        return fail(Errno::Perm);
    process.limits.set(which, wanted);
    if (which == static_cast<u32>(Limit::AddressSpace) || which == static_cast<u32>(Limit::Data)) {
        const Ref<AddressSpace> space = process.space();
        if (space)
            space->set_limits(process.limits[Limit::AddressSpace], process.limits[Limit::Data]);
    }
    if (which == static_cast<u32>(Limit::OpenFiles))
        if (const Ref<FileTable> files = process.files())
            files->set_limit(wanted.current);
    return {};
}

/// Another's limits are for root and for those who are the same user in every role.
bool may_change(const Caller& caller, const Process& process) {
    const Credentials &own = caller.process->credentials, &theirs = process.credentials;
    const auto same = [](const Identity& mine, const Identity& other) {
        const u32 real = mine.real.load(kRelaxed);
        return other.real.load(kRelaxed) == real && other.effective.load(kRelaxed) == real &&
               other.saved.load(kRelaxed) == real;
    };
    return own.privileged() || (same(own.user, theirs.user) && same(own.group, theirs.group));
}

u64 clock_ticks(u64 ns) { return ns / 10'000'000; } // 100 a second

} // namespace

Result<u64> sys_prlimit64(Caller& caller, int id, u32 resource, UserPtr<const ResourceLimit> limit,
                          UserPtr<ResourceLimit> old) {
    if (resource >= kLimits)
        return fail(Errno::Inval);
    ResourceLimit wanted{};
    if (!limit.is_null())
        wanted = TRY(copy_from_user(limit));
    Ref<Process> process = id == 0 ? Ref<Process>(*caller.process) : task::find(id);
    if (!process) {
        if (const Ref<UserThread> thread = task::find_thread(id))
            process = thread->process;
        else
            return fail(Errno::Srch);
    }
    if (process.get() != caller.process && !may_change(caller, *process))
        return fail(Errno::Perm);
    const ResourceLimit before = process->limits.get(resource);
    if (!limit.is_null())
        TRY(set_limit(caller, *process, resource, wanted));
    if (!old.is_null())
        TRY(copy_to_user(old, before));
    return 0;
}

Result<u64> sys_getrlimit(Caller& caller, u32 resource, UserPtr<ResourceLimit> to) {
    if (resource >= kLimits)
        return fail(Errno::Inval);
    TRY(copy_to_user(to, caller.process->limits.get(resource)));
    return 0;
}

Result<u64> sys_setrlimit(Caller& caller, u32 resource, UserPtr<const ResourceLimit> from) {
    if (resource >= kLimits)
        return fail(Errno::Inval);
    TRY(set_limit(caller, *caller.process, resource, TRY(copy_from_user(from))));
    return 0;
}

Result<u64> sys_getrusage(Caller& caller, int who, UserPtr<ResourceUsage> to) {
    constexpr int kSelf = 0, kChildren = -1, kThread = 1; // [linux/resource.h]
    Usage usage;
    switch (who) {
    case kSelf:
        usage = caller.process->usage();
        break;
    case kChildren:
        usage = caller.process->children_usage();
        break;
    case kThread:
        usage = task::thread_usage(*caller.owner);
        break;
    default:
        return fail(Errno::Inval);
    }
    TRY(copy_to_user(to, usage_for_user(usage)));
    return 0;
}

Result<u64> sys_times(Caller& caller, UserPtr<ProcessTimes> to) {
    if (!to.is_null()) {
        const Usage own = caller.process->usage(), children = caller.process->children_usage();
        const ProcessTimes times{clock_ticks(own.user_ns), clock_ticks(own.system_ns), clock_ticks(children.user_ns),
                                 clock_ticks(children.system_ns)};
        TRY(copy_to_user(to, times));
    }
    return clock_ticks(clock_monotonic_ns());
}

} // namespace tollgate
