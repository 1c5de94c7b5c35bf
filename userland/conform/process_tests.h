// What the parts of conform-process share, and the parts in the order in which they run.
#pragma once

#include <csignal>

#include "userland/conform/children.h"
#include "userland/lib/ktap.h"

namespace tollgate::conform {

inline int shared_word = 0; ///< private to each process, but for vfork and CLONE_VM

/// What hear_child() has heard of last.
inline volatile sig_atomic_t heard_signal, heard_pid, heard_code, heard_status;

inline void hear_child(int signal, siginfo_t* info, void*) {
    heard_signal = signal;
    heard_pid = info->si_pid;
    heard_code = info->si_code;
    heard_status = info->si_status;
}

void test_fork(Ktap& ktap);
void test_fork_in_thread(Ktap& ktap);
void test_vfork(Ktap& ktap);
void test_status(Ktap& ktap);
void test_wait_errors(Ktap& ktap);
void test_wait_choice(Ktap& ktap);
void test_waitid(Ktap& ktap);
void test_stop(Ktap& ktap);
void test_child_signal(Ktap& ktap);
void test_orphans(Ktap& ktap);
void test_threads(Ktap& ktap);
void test_clone_errors(Ktap& ktap);
void test_clone3(Ktap& ktap);
void test_clone_signals(Ktap& ktap);
void test_clone_parent(Ktap& ktap);
void test_clone_sharing(Ktap& ktap);
void test_clone_words(Ktap& ktap);
void test_spawn(Ktap& ktap);
void test_usage(Ktap& ktap);

} // namespace tollgate::conform
