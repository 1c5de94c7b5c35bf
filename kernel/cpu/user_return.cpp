// The slow half of every return to user code. The assembly calls user_return_work() while Cpu::work is not zero, and
// user_return_check() for frames that SYSRET refused.
#include "cpu/user_return.h"

#include "cpu/cpu.h"
#include "cpu/segments.h"
#include "lib/address.h"
#include "lib/mutants.h"

namespace tollgate {
namespace {
constinit ReturnHooks hooks{};
}

void set_return_hooks(const ReturnHooks& new_hooks) { hooks = new_hooks; }

/// Makes any frame safe for IRET at CPL 0: selectors are constants, RFLAGS a subset, RIP below kUserTop or the process
/// ends. A fault of the IRET itself would come at CPL 0 with the user's GS (CVE-2014-9322, CVE-2012-0217) [threats S1,
/// S3, S6, S7, I6].
extern "C" void user_return_check(TrapFrame* frame) {
    frame->cs = kUserCode;
    frame->ss = kUserData;
    frame->rflags = (frame->rflags & kUserFlags) | x86::kFlagIf | x86::kFlagFixed;
    if (frame->rip >= kUserTop && !mutant(Mutant::ReturnRip)) {
        ++this_cpu().counters.return_killed;
        hooks.bad_frame(*frame);
    }
}

extern "C" void user_return_work(TrapFrame* frame) {
    const u32 work = this_cpu().work;
    if (work & kWorkThread) { // before the check: it edits the frame
        cpu_clear_work(kWorkThread);
        return hooks.thread_work(*frame);
    }
    if (work & kWorkFullReturn) {
        cpu_clear_work(kWorkFullReturn);
        user_return_check(frame);
    }
    if (work & kWorkReschedule)
        hooks.reschedule();
}

} // namespace tollgate
