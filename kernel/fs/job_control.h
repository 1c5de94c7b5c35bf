// What a terminal needs to know about processes: who may read it, whom it signals, whose session it belongs to
// [POSIX.1-2017, 11.1.4]. The one place where the terminal code looks at processes.
#pragma once

#include "task/process.h"

namespace tollgate::fs {

// [asm-generic/signal.h] those that terminals send
inline constexpr int kSigHup = 1, kSigCont = 18, kSigTtin = 21, kSigTtou = 22, kSigWinch = 28;

/// Who makes a call on a terminal, and whether it may be told to wait its turn.
struct Worker {
    i32 session = 0, group = 0;
    bool leads_session = false, is_root = true;
    bool ignores_input_stop = false, ignores_output_stop = false; ///< SIGTTIN, SIGTTOU are blocked or ignored
};

/// The caller of this core's thread; nothing for the kernel itself and for FlexSC's workers, to which job control does
/// not apply.
Caller* running_caller();
Worker worker_of(const Caller& caller);

/// Sends a signal of the kernel's to every process of the group. Nothing happens for group 0. No lock may be held.
void signal_group(i32 group, int signal);
void signal_process(i32 process, int signal);
/// Whether no member of the group has a parent outside of it in the same session: nobody could continue it.
bool is_orphaned(i32 group);
/// Whether the session has such a process group.
bool has_group(i32 session, i32 group);

class Tty;
/// The controlling terminal of a session; null if it has none.
Ref<Tty> terminal_of(const Caller& caller);
/// Makes it the session's, or takes it away (null).
void set_terminal(i32 session, Ref<Tty> tty);

} // namespace tollgate::fs
