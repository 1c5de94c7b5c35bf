// Names of the mutants; empty in the ordinary kernel.
#include "lib/mutants.h"

#ifdef TOLLGATE_TESTS
namespace tollgate {

constinit Mutant active_mutant = Mutant::None;

Mutant mutant_by_name(StringView name) {
    static constexpr struct {
        const char* name;
        Mutant mutant;
    } kNames[] = {{"sysret_rip", Mutant::SysretRip},
                  {"sysret_flags", Mutant::SysretFlags},
                  {"return_rip", Mutant::ReturnRip},
                  {"sigreturn_rip", Mutant::SigreturnRip},
                  {"sigreturn_flags", Mutant::SigreturnFlags},
                  {"sigreturn_fpu", Mutant::SigreturnFpu},
                  {"cld", Mutant::Cld},
                  {"clac", Mutant::Clac},
                  {"fastcall_index", Mutant::FastcallIndex},
                  {"fmask", Mutant::Fmask},
                  {"user_range", Mutant::UserRange},
                  {"flexsc_double_read", Mutant::FlexscDoubleRead},
                  {"flexsc_status", Mutant::FlexscStatus},
                  {"flexsc_aba", Mutant::FlexscAba},
                  {"flexsc_space", Mutant::FlexscSpace},
                  {"flexsc_leave", Mutant::FlexscLeave},
                  {"flexsc_index", Mutant::FlexscIndex},
                  {"flexsc_flood", Mutant::FlexscFlood},
                  {"flexsc_yield", Mutant::FlexscYield},
                  {"flexsc_stop", Mutant::FlexscStop},
                  {"wx", Mutant::WritableCode},
                  {"stack_guard", Mutant::StackGuard},
                  {"smap", Mutant::Smap},
                  {"smep", Mutant::Smep},
                  {"sysret_top", Mutant::SysretTop},
                  {"flexsc_routes", Mutant::FlexscRoutes},
                  {"clear_frames", Mutant::ClearFrames},
                  {"text_writable", Mutant::TextWritable},
                  {"fixup", Mutant::Fixup},
                  {"int_gate", Mutant::Int80Gate},
                  {"fpu_switch", Mutant::FpuSwitch},
                  {"fastcall_fault", Mutant::FastcallFault},
                  {"fastcall_user", Mutant::FastcallUser},
                  {"fastcall_window", Mutant::FastcallWindow},
                  {"fastcall_stack", Mutant::FastcallStack},
                  {"fastcall_barrier", Mutant::FastcallBarrier},
                  {"fastcall_watchdog", Mutant::FastcallWatchdog},
                  {"fastcall_fork", Mutant::FastcallFork},
                  {"paranoid_gs", Mutant::ParanoidGs},
                  {"umip", Mutant::Umip},
                  {"nproc_limit", Mutant::ProcessLimit},
                  {"cow_copy", Mutant::CowCopy},
                  {"shootdown", Mutant::Shootdown},
                  {"text_busy", Mutant::TextBusy},
                  {"timer_turn", Mutant::TimerTurn},
                  {"permission", Mutant::Permission},
                  {"close_on_exec", Mutant::CloseOnExec},
                  {"seals", Mutant::Seals},
                  {"seal_mapped", Mutant::SealMapped},
                  {"fccmp_size", Mutant::FccmpSize},
                  {"fccmp_vectors", Mutant::FccmpVectors}};
    for (const auto& entry : kNames)
        if (name == entry.name)
            return entry.mutant;
    return Mutant::None;
}

} // namespace tollgate
#endif
