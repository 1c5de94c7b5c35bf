// prctl, personality, priorities: what a process says about itself.
#include "lib/memory.h"
#include "syscall/handlers.h"

namespace tollgate {
namespace {

// [linux/prctl.h]
enum class Control : int {
    SetParentDeathSignal = 1,
    GetParentDeathSignal = 2,
    GetDumpable = 3,
    SetDumpable = 4,
    GetKeepCapabilities = 7,
    SetName = 15,
    GetName = 16,
    GetSeccomp = 21,
    ReadBoundingSet = 23,
    GetSecureBits = 27,
    SetTimerSlack = 29,
    GetTimerSlack = 30,
    SetChildSubreaper = 36,
    GetChildSubreaper = 37,
    SetNoNewPrivileges = 38,
    GetNoNewPrivileges = 39,
    GetTidAddress = 40,
};

struct Name {
    char text[16];
};

Result<u64> set_name(Caller& caller, u64 address) {
    char text[16];
    StringView name{text, sizeof text - 1}; // longer names are cut
    if (const auto read = copy_string_from_user(text, UserPtr<const char>(address)))
        name = *read;
    else if (read.error() != Errno::NameTooLong)
        return fail(read.error());
    UserThread& thread = *caller.owner;
    thread.name.clear();
    thread.name.write(name);
    if (caller.thread_id == caller.process->id()) {
        caller.process->name_.clear();
        caller.process->name_.write(name);
    }
    return 0;
}

Result<u64> get_name(const Caller& caller, u64 address) {
    Name name{};
    const StringView text = caller.owner->name.view();
    memcpy(name.text, text.data(), text.size());
    TRY(copy_to_user(UserPtr<Name>(address), name));
    return 0;
}

Result<u64> store(u64 address, i32 value) {
    TRY(copy_to_user(UserPtr<i32>(address), value));
    return 0;
}

// ---- priorities ----

/// [man 2 setpriority]
enum class Whose : int { Process, Group, User };

/// Calls f for every process that is meant; how many there are.
template <class F>
Result<unsigned> for_each_meant(Caller& caller, int which, int id, F&& f) {
    unsigned count = 0;
    switch (static_cast<Whose>(which)) {
    case Whose::Process: {
        Ref<Process> process = id == 0 ? Ref<Process>(*caller.process) : task::find(id);
        if (!process)
            if (const Ref<UserThread> thread = task::find_thread(id))
                process = thread->process;
        if (process) {
            f(*process);
            ++count;
        }
        break;
    }
    case Whose::Group:
        count = task::for_each_in_group(id == 0 ? caller.process->group_id() : id, f);
        break;
    case Whose::User: {
        const u32 user = id == 0 ? caller.process->credentials.user.real.load(kRelaxed) : static_cast<u32>(id);
        task::for_each_process([&](Process& process) {
            if (process.is_zombie() || process.credentials.user.real.load(kRelaxed) != user)
                return;
            f(process);
            ++count;
        });
        break;
    }
    default:
        return fail(Errno::Inval);
    }
    if (count == 0)
        return fail(Errno::Srch);
    return count;
}

} // namespace

Result<u64> sys_prctl(Caller& caller, int operation, u64 argument, u64 third, u64 fourth, u64 fifth) {
    Process& process = *caller.process;
    const bool rest_is_zero = third == 0 && fourth == 0 && fifth == 0;
    switch (static_cast<Control>(operation)) {
    case Control::SetParentDeathSignal:
        if (argument > static_cast<u64>(kSignals))
            return fail(Errno::Inval);
        process.parent_death_signal.store(static_cast<i32>(argument), kRelaxed);
        return 0;
    case Control::GetParentDeathSignal:
        return store(argument, process.parent_death_signal.load(kRelaxed));
    case Control::GetDumpable:
        return u64{process.dumpable.load(kRelaxed)};
    case Control::SetDumpable:
        if (argument > 1)
            return fail(Errno::Inval);
        process.dumpable.store(argument == 1, kRelaxed);
        return 0;
    case Control::SetName:
        return set_name(caller, argument);
    case Control::GetName:
        return get_name(caller, argument);
    case Control::GetSeccomp:
    case Control::GetKeepCapabilities:
    case Control::GetSecureBits:
        return 0;
    case Control::ReadBoundingSet: {
        constexpr u64 kLastCapability = 40;
        if (argument > kLastCapability)
            return fail(Errno::Inval);
        return 1;
    }
    case Control::SetTimerSlack:
        return 0; // sleeps end as exactly as they can
    case Control::GetTimerSlack:
        return 50'000;
    case Control::SetChildSubreaper:
        process.adopts_orphans.store(argument != 0, kRelaxed);
        return 0;
    case Control::GetChildSubreaper:
        return store(argument, process.adopts_orphans.load(kRelaxed));
    case Control::SetNoNewPrivileges:
        if (argument != 1 || !rest_is_zero)
            return fail(Errno::Inval);
        process.no_new_privileges.store(true, kRelaxed);
        return 0;
    case Control::GetNoNewPrivileges:
        if (argument != 0 || !rest_is_zero)
            return fail(Errno::Inval);
        return u64{process.no_new_privileges.load(kRelaxed)};
    case Control::GetTidAddress:
        TRY(copy_to_user(UserPtr<u64>(argument), caller.owner->clear_child_tid));
        return 0;
    default:
        return fail(Errno::Inval);
    }
}

/// Remembered and inherited; only ADDR_NO_RANDOMIZE means something.
Result<u64> sys_personality(Caller& caller, u32 persona) {
    constexpr u32 kAsk = ~u32{0};
    const u32 old = caller.process->personality.load(kRelaxed);
    if (persona != kAsk)
        caller.process->personality.store(persona, kRelaxed);
    return old;
}

/// The system call tells 20 - nice, so that no result looks like an error [man 2 getpriority].
Result<u64> sys_getpriority(Caller& caller, int which, int id) {
    i32 least = 20;
    TRY(for_each_meant(caller, which, id, [&](Process& process) {
        const i32 nice = process.nice.load(kRelaxed);
        least = nice < least ? nice : least;
    }));
    return static_cast<u64>(20 - least);
}

/// Remembered only: the scheduler gives every thread the same turn.
Result<u64> sys_setpriority(Caller& caller, int which, int id, int value) {
    const i32 nice = value < -20 ? -20 : value > 19 ? 19 : value;
    const Credentials& own = caller.process->credentials;
    Errno error{};
    TRY(for_each_meant(caller, which, id, [&](Process& process) {
        const u32 user = own.user.effective.load(kRelaxed);
        if (!own.privileged() && process.credentials.user.real.load(kRelaxed) != user &&
            process.credentials.user.effective.load(kRelaxed) != user)
            error = Errno::Perm;
        else if (!own.privileged() && nice < process.nice.load(kRelaxed))
            error = Errno::Access;
        else
            process.nice.store(nice, kRelaxed);
    }));
    if (error != Errno{})
        return fail(error);
    return 0;
}

} // namespace tollgate
