// Users, groups and capabilities [man 7 credentials, man 2 setresuid]. Every process starts as root, and root is who
// has the effective user 0: capabilities follow from that and are not kept apart.
#include "syscall/handlers.h"

namespace tollgate {
namespace {

constexpr u32 kKeep = ~u32{0}; // -1: this one stays

bool is_any_of(const Identity& identity, u32 id) {
    return id == identity.real.load(kRelaxed) || id == identity.effective.load(kRelaxed) ||
           id == identity.saved.load(kRelaxed);
}

void set_role(Atomic<u32>& role, u32 id) {
    if (id != kKeep)
        role.store(id, kRelaxed);
}

void set_effective(Identity& identity, u32 id) {
    set_role(identity.effective, id);
    identity.file.store(identity.effective.load(kRelaxed), kRelaxed);
}

/// setuid, setgid.
Result<u64> set_one(const Credentials& who, Identity& identity, u32 id) {
    if (id == kKeep)
        return fail(Errno::Inval);
    if (who.privileged()) {
        identity.real.store(id, kRelaxed);
        identity.saved.store(id, kRelaxed);
    } else if (id != identity.real.load(kRelaxed) && id != identity.saved.load(kRelaxed)) {
        return fail(Errno::Perm);
    }
    set_effective(identity, id);
    return 0;
}

/// setreuid, setregid.
Result<u64> set_two(const Credentials& who, Identity& identity, u32 real, u32 effective) {
    const u32 old_real = identity.real.load(kRelaxed), old_effective = identity.effective.load(kRelaxed);
    if (!who.privileged()) {
        if (real != kKeep && real != old_real && real != old_effective)
            return fail(Errno::Perm);
        if (effective != kKeep && !is_any_of(identity, effective))
            return fail(Errno::Perm);
    }
    const bool saves = real != kKeep || (effective != kKeep && effective != old_real);
    set_role(identity.real, real);
    set_effective(identity, effective);
    if (saves)
        identity.saved.store(identity.effective.load(kRelaxed), kRelaxed);
    return 0;
}

/// setresuid, setresgid.
Result<u64> set_three(const Credentials& who, Identity& identity, u32 real, u32 effective, u32 saved) {
    if (!who.privileged())
        for (const u32 id : {real, effective, saved})
            if (id != kKeep && !is_any_of(identity, id))
                return fail(Errno::Perm);
    set_role(identity.real, real);
    set_role(identity.saved, saved);
    set_effective(identity, effective);
    return 0;
}

/// setfsuid, setfsgid: the old id, whether it could be changed or not.
u64 set_file(const Credentials& who, Identity& identity, u32 id) {
    const u32 old = identity.file.load(kRelaxed);
    if (id != kKeep && (who.privileged() || is_any_of(identity, id) || id == old))
        identity.file.store(id, kRelaxed);
    return old;
}

Result<u64> get_three(const Identity& identity, UserPtr<u32> real, UserPtr<u32> effective, UserPtr<u32> saved) {
    TRY(copy_to_user(real, identity.real.load(kRelaxed)));
    TRY(copy_to_user(effective, identity.effective.load(kRelaxed)));
    TRY(copy_to_user(saved, identity.saved.load(kRelaxed)));
    return 0;
}

Credentials& of(Caller& caller) { return caller.process->credentials; }

} // namespace

Result<u64> sys_getuid(Caller& caller) { return of(caller).user.real.load(kRelaxed); }
Result<u64> sys_geteuid(Caller& caller) { return of(caller).user.effective.load(kRelaxed); }
Result<u64> sys_getgid(Caller& caller) { return of(caller).group.real.load(kRelaxed); }
Result<u64> sys_getegid(Caller& caller) { return of(caller).group.effective.load(kRelaxed); }

Result<u64> sys_getresuid(Caller& caller, UserPtr<u32> real, UserPtr<u32> effective, UserPtr<u32> saved) {
    return get_three(of(caller).user, real, effective, saved);
}
Result<u64> sys_getresgid(Caller& caller, UserPtr<u32> real, UserPtr<u32> effective, UserPtr<u32> saved) {
    return get_three(of(caller).group, real, effective, saved);
}
Result<u64> sys_setuid(Caller& caller, u32 user) { return set_one(of(caller), of(caller).user, user); }
Result<u64> sys_setgid(Caller& caller, u32 group) { return set_one(of(caller), of(caller).group, group); }
Result<u64> sys_setreuid(Caller& caller, u32 real, u32 effective) {
    return set_two(of(caller), of(caller).user, real, effective);
}
Result<u64> sys_setregid(Caller& caller, u32 real, u32 effective) {
    return set_two(of(caller), of(caller).group, real, effective);
}
Result<u64> sys_setresuid(Caller& caller, u32 real, u32 effective, u32 saved) {
    return set_three(of(caller), of(caller).user, real, effective, saved);
}
Result<u64> sys_setresgid(Caller& caller, u32 real, u32 effective, u32 saved) {
    return set_three(of(caller), of(caller).group, real, effective, saved);
}
Result<u64> sys_setfsuid(Caller& caller, u32 user) { return set_file(of(caller), of(caller).user, user); }
Result<u64> sys_setfsgid(Caller& caller, u32 group) { return set_file(of(caller), of(caller).group, group); }

Result<u64> sys_getgroups(Caller& caller, int size, UserPtr<u32> list) {
    const Credentials& own = of(caller);
    const u32 count = own.group_count.load(kAcquire);
    if (size < 0)
        return fail(Errno::Inval);
    if (size == 0)
        return count;
    if (static_cast<u32>(size) < count)
        return fail(Errno::Inval);
    for (u32 i = 0; i < count; ++i)
        TRY(copy_to_user(UserPtr<u32>{list.address() + 4 * i}, own.groups[i].load(kRelaxed)));
    return count;
}

Result<u64> sys_setgroups(Caller& caller, int size, UserPtr<const u32> list) {
    Credentials& own = of(caller);
    if (!own.privileged())
        return fail(Errno::Perm);
    const auto count = static_cast<u32>(size);
    if (count > Credentials::kMaxGroups)
        return fail(Errno::Inval);
    u32 groups[Credentials::kMaxGroups];
    TRY(copy_from_user_bytes(groups, list.address(), count * sizeof groups[0]));
    own.group_count.store(0, kRelease); // whoever looks meanwhile finds fewer, never wrong ones
    for (u32 i = 0; i < count; ++i)
        own.groups[i].store(groups[i], kRelaxed);
    own.group_count.store(count, kRelease);
    return 0;
}

// ---- capabilities: all for root, none for others [man 2 capget] ----

namespace {

constexpr u32 kCapabilityVersion3 = 0x2008'0522, kCapabilityVersion2 = 0x2007'1026, kCapabilityVersion1 = 0x1998'0330;
constexpr u64 kAllCapabilities = (u64{1} << 41) - 1; // up to CAP_CHECKPOINT_RESTORE

/// How many halves the caller's version has; an unknown version is answered by ours.
Result<u32> halves(UserPtr<CapabilityHeader> to, CapabilityHeader header) {
    if (header.version == kCapabilityVersion1)
        return 1u;
    if (header.version == kCapabilityVersion2 || header.version == kCapabilityVersion3)
        return 2u;
    header.version = kCapabilityVersion3;
    TRY(copy_to_user(to, header));
    return fail(Errno::Inval);
}

u64 capabilities_of(const Process& process) { return process.credentials.privileged() ? kAllCapabilities : 0; }

} // namespace

Result<u64> sys_capget(Caller& caller, UserPtr<CapabilityHeader> header, UserPtr<CapabilitySets> data) {
    const CapabilityHeader given = TRY(copy_from_user(UserPtr<const CapabilityHeader>{header.address()}));
    const Result<u32> count = halves(header, given);
    if (!count)
        return data.is_null() && count.error() == Errno::Inval ? Result<u64>{0} : fail(count.error());
    if (given.id < 0)
        return fail(Errno::Inval);
    const Ref<Process> process = given.id == 0 ? Ref<Process>(*caller.process) : task::find(given.id);
    if (!process)
        return fail(Errno::Srch);
    if (data.is_null())
        return 0;
    const u64 all = capabilities_of(*process);
    CapabilitySets sets{};
    for (u32 i = 0; i < 2; ++i)
        sets.half[i].effective = sets.half[i].permitted = static_cast<u32>(all >> 32 * i);
    TRY(copy_to_user_bytes(data.address(), &sets, *count * sizeof sets.half[0]));
    return 0;
}

/// What the caller has may be set again. Giving single capabilities up is taken and has no effect: change the user.
Result<u64> sys_capset(Caller& caller, UserPtr<CapabilityHeader> header, UserPtr<const CapabilitySets> data) {
    const CapabilityHeader given = TRY(copy_from_user(UserPtr<const CapabilityHeader>{header.address()}));
    const u32 count = TRY(halves(header, given));
    if (given.id != 0 && given.id != caller.thread_id)
        return fail(Errno::Perm);
    CapabilitySets sets{};
    TRY(copy_from_user_bytes(&sets, data.address(), count * sizeof sets.half[0]));
    const u64 all = capabilities_of(*caller.process);
    for (u32 i = 0; i < 2; ++i) {
        const auto have = static_cast<u32>(all >> 32 * i);
        if ((sets.half[i].permitted & ~have) || (sets.half[i].effective & ~sets.half[i].permitted))
            return fail(Errno::Perm);
    }
    return 0;
}

} // namespace tollgate
