// The syscall pages of one process and the rules of their entries. Executing them is the same code on the caller's own
// core and on a worker core.
#pragma once

#include "api/flexsc.h"
#include "lib/list.h"
#include "sched/wait_queue.h"
#include "task/process.h"

namespace tollgate::flexsc {

class Pages : public RefCounted {
public:
    static Result<Ref<Pages>> create(Caller& caller, unsigned count, api::FlexscPolicy policy);

    /// Where user code finds them.
    u64 address() const { return address_; }
    api::FlexscPolicy policy() const { return policy_; }
    AddressSpace* space() const { return space_.get(); }

    /// Executes every entry that is Submitted when it is reached; returns how many. The submitter's address space must
    /// be loaded. Only one CPU at a time does so: false in `busy` otherwise.
    u64 execute();
    /// Makes the calling CPU the only one to execute, if no other is. Pair with end().
    bool try_begin();
    void end();
    /// No CPU executes from now on; waits until none does.
    void withdraw();

    u64 count(api::FlexscStatus status) const;
    bool is_executing() const { return executing_.load(kAcquire) == 1; }
    bool has_submitted() const { return count(api::FlexscStatus::Submitted) != 0; }

    WaitQueue done;       ///< flexsc_wait() waits here for a worker
    ListLink<Pages> link; ///< in the workers' list

private:
    template <class T, class... A>
    friend Result<Ref<T>> tollgate::make_ref(A&&...);
    Pages() = default;
    u64 execute_page(api::FlexscEntry* entries);

    unsigned count_ = 0;
    u64 address_ = 0;
    api::FlexscPolicy policy_{};
    Frame frames_[api::kFlexscMaxPages];
    Ref<UserThread> owner_; // whose calls these are: its Caller stays valid
    Ref<AddressSpace> space_;
    Ref<FileTable> files_;
    Atomic<u32> executing_{0}; // 1: a CPU is in execute(); 2: withdrawn
};

} // namespace tollgate::flexsc
