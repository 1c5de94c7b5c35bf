#include "gate/fastcall/abuse.h"

#include "api/probe.h"

namespace tollgate::fastcall {
namespace {

FASTCALL_FUNCTION(read);
FASTCALL_FUNCTION(read_on_stack);
FASTCALL_FUNCTION(read_undeclared);
FASTCALL_FUNCTION(undefined);
FASTCALL_FUNCTION(breakpoint);
FASTCALL_FUNCTION(divide);
FASTCALL_FUNCTION(non_canonical);
FASTCALL_FUNCTION(loop);
FASTCALL_FUNCTION(spin);
FASTCALL_FUNCTION(recurse);
FASTCALL_FUNCTION(wild);
FASTCALL_FUNCTION(leave_ac);
FASTCALL_FUNCTION(leave_df);
FASTCALL_FUNCTION(leave_nt);
FASTCALL_FUNCTION(leave_rsp);
FASTCALL_FUNCTION(leave_rcx);
FASTCALL_FUNCTION(leave_r11);
FASTCALL_FUNCTION(leave_gs);
FASTCALL_FUNCTION(linger);

/// In the order of api::FastcallAbuse.
constexpr const Function* kAbuses[] = {&read_function,          &read_on_stack_function, &read_undeclared_function,
                                       &undefined_function,     &breakpoint_function,    &divide_function,
                                       &non_canonical_function, &loop_function,          &spin_function,
                                       &recurse_function,       &wild_function,          &leave_ac_function,
                                       &leave_df_function,      &leave_nt_function,      &leave_rsp_function,
                                       &leave_rcx_function,     &leave_r11_function,     &leave_gs_function,
                                       &linger_function};
static_assert(std::size(kAbuses) == static_cast<size_t>(api::FastcallAbuse::Linger) + 1);

// Counted for the test instrument alone.
constinit Atomic<u64> callbacks{0};

} // namespace

Result<u64> register_abuse(Process& process, u64 which) {
    if (which >= std::size(kAbuses))
        return fail(Errno::Inval);
    static constexpr Callbacks kCount{.unmap = [](void*) { callbacks.fetch_add(u64{1} << 32, kRelaxed); },
                                      .free = [](void*) { callbacks.fetch_add(1, kRelaxed); }};
    static constexpr Mapping kPage{.kind = Mapping::Kind::Private, .pages = 1};
    const bool lingers = which == static_cast<u64>(api::FastcallAbuse::Linger);
    return u64 {
        TRY(register_fastcall(process, *kAbuses[which], {}, lingers ? std::span(&kPage, 1) : std::span<const Mapping>(),
                              kCount))
        .index
    };
}

u64 abuse_callbacks() { return callbacks.load(kRelaxed); }

} // namespace tollgate::fastcall
