// What clone(2) and clone3(2) may be asked for: which sets of flags mean something, and what. Pure logic, so that every
// rule has its test.
#pragma once

#include "lib/result.h"
#include "lib/types.h"

namespace tollgate::task {

/// [linux/sched.h]
inline constexpr u64 kCloneVm = 0x100, kCloneFs = 0x200, kCloneFiles = 0x400, kCloneSigHand = 0x800,
                     kClonePidFd = 0x1000, kClonePtrace = 0x2000, kCloneVfork = 0x4000, kCloneParent = 0x8000,
                     kCloneThread = 0x1'0000, kCloneNewMounts = 0x2'0000, kCloneSysVSem = 0x4'0000,
                     kCloneSetTls = 0x8'0000, kCloneParentSetTid = 0x10'0000, kCloneChildClearTid = 0x20'0000,
                     kCloneDetached = 0x40'0000, kCloneUntraced = 0x80'0000, kCloneChildSetTid = 0x100'0000,
                     kCloneIo = 0x8000'0000, kCloneClearSigHand = 0x1'0000'0000;

/// What a new thread or process is to be. `stack` is its first stack pointer, or 0 for the caller's.
struct CloneArguments {
    u64 flags = 0; ///< without the exit signal that clone(2) has in its low byte
    i32 exit_signal = 0;
    u64 stack = 0, parent_tid = 0, child_tid = 0, tls = 0;
};

/// Errors: Inval, for sets that Linux refuses too, for namespaces, process descriptors, and for threads and processes
/// that would share signal handlers, files or directories in other ways than POSIX knows.
Result<void> check_clone(const CloneArguments& arguments);

/// clone(2): the low byte of its flags is the exit signal.
CloneArguments clone_arguments(u64 flags, u64 stack, u64 parent_tid, u64 child_tid, u64 tls);

/// struct clone_args of clone3(2) [linux/sched.h], of which callers may know the first 64 bytes or more.
struct Clone3Arguments {
    u64 flags = 0, pid_descriptor = 0, child_tid = 0, parent_tid = 0, exit_signal = 0, stack = 0, stack_size = 0;
    u64 tls = 0, set_tid = 0, set_tid_size = 0, control_group = 0;
};
static_assert(sizeof(Clone3Arguments) == 88);
inline constexpr u64 kClone3FirstSize = 64;

/// Errors: Inval; Perm for a chosen id.
Result<CloneArguments> clone_arguments(const Clone3Arguments& given);

} // namespace tollgate::task
