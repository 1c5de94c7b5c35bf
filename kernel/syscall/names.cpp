// What the machine is called: uname, sethostname, setdomainname.
#include "api/spma22.h"
#include "cpu/tlb.h"
#include "lib/memory.h"
#include "syscall/handlers.h"
#include "syscall/spma22.h"

namespace tollgate {
namespace {

constexpr u64 kMostOfName = 64;

/// The names that programs may set. Global: there is one machine.
struct MachineNames {
    Spinlock lock{LockRank::File};
    FixedString<kMostOfName> node GUARDED_BY(lock), domain GUARDED_BY(lock);
    bool set_node GUARDED_BY(lock) = false, set_domain GUARDED_BY(lock) = false;
};
constinit MachineNames names;

template <size_t Size>
void set_text(char (&field)[Size], StringView text) {
    ASSERT(text.size() < Size);
    memcpy(field, text.data(), text.size());
}

Result<FixedString<kMostOfName>> read_name(const Caller& caller, UserPtr<const char> from, int size) {
    if (!caller.process->credentials.privileged())
        return fail(Errno::Perm);
    if (size < 0 || static_cast<u64>(size) > kMostOfName)
        return fail(Errno::Inval);
    char text[kMostOfName];
    TRY(copy_from_user_bytes(text, from.address(), static_cast<u64>(size)));
    FixedString<kMostOfName> name;
    name.write({text, strnlen(text, static_cast<u64>(size))});
    return name;
}

} // namespace

/// The release begins with a Linux version, for glibc refuses to start on a kernel that looks older than 3.2.
Result<u64> sys_uname(Caller&, UserPtr<UnameText> to) {
    UnameText text{};
    set_text(text.system, "Tollgate");
    set_text(text.release, spma22::enabled() ? api::kSpma22Release : "6.1.0-tollgate");
    set_text(text.version, "#1 SMP");
    set_text(text.machine, "x86_64");
    {
        Guard guard{names.lock};
        set_text(text.node, names.set_node ? names.node.view() : StringView("tollgate"));
        set_text(text.domain, names.set_domain ? names.domain.view() : StringView("(none)"));
    }
    TRY(copy_to_user(to, text));
    return 0;
}

Result<u64> sys_sethostname(Caller& caller, UserPtr<const char> name, int size) {
    const auto read = TRY(read_name(caller, name, size));
    Guard guard{names.lock};
    names.node = read;
    names.set_node = true;
    return 0;
}

Result<u64> sys_setdomainname(Caller& caller, UserPtr<const char> name, int size) {
    const auto read = TRY(read_name(caller, name, size));
    Guard guard{names.lock};
    names.domain = read;
    names.set_domain = true;
    return 0;
}

/// Every command is the strongest: all other CPUs take an interrupt, which serialises them, before this returns.
Result<u64> sys_membarrier(Caller&, int command, u32 flags) {
    // [linux/membarrier.h]
    constexpr int kQuery = 0, kGlobal = 1, kGlobalExpedited = 2, kRegisterGlobalExpedited = 4, kPrivateExpedited = 8,
                  kRegisterPrivateExpedited = 16;
    constexpr int kKnown =
        kGlobal | kGlobalExpedited | kRegisterGlobalExpedited | kPrivateExpedited | kRegisterPrivateExpedited;
    if (flags != 0)
        return fail(Errno::Inval);
    switch (command) {
    case kQuery:
        return kKnown;
    case kRegisterGlobalExpedited:
    case kRegisterPrivateExpedited:
        return 0;
    case kGlobal:
    case kGlobalExpedited:
    case kPrivateExpedited:
        cpu_call_others([](void*) {}, nullptr);
        return 0;
    default:
        return fail(Errno::Inval);
    }
}

} // namespace tollgate
