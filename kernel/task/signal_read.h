// Taking signals without delivering them: what signalfds do.
#pragma once

#include "task/process.h"

namespace tollgate::task {

/// The next pending signal of the thread or its process that is in the set; false if there is none.
bool take_signal(UserThread& self, SignalSet set, SignalInfo& info);
/// Whether there is one. Without a lock: for those who look again after a wake.
bool has_signal(const UserThread& self, SignalSet set);
/// What is woken whenever a signal has been queued for any thread, while signalfds are counted.
WaitQueue& signal_arrivals_queue();
void count_signal_file(int by);

} // namespace tollgate::task
