// Executing pages. docs/flexsc.md draws the life of an entry.
#include "gate/flexsc/pages.h"

#include "cpu/clock.h"
#include "cpu/cpu.h"
#include "cpu/tlb.h"
#include "debug/log.h"
#include "gate/flexsc/entry.h"
#include "lib/unique_ptr.h"
#include "sched/scheduler.h"
#include "syscall/dispatch.h"

namespace tollgate::flexsc {
namespace {

constexpr unsigned kEntries = api::kFlexscEntriesPerPage;

u64 entry_bit(const FlexscEntry* entry, const FlexscEntry* first) { return u64{1} << (entry - first); }

/// Nobody interrupts a syscall thread but its owner's end: there is nothing to come back to.
i64 without_restart(i64 result) {
    const bool restarts = result == -static_cast<i64>(Errno::RestartSys) ||
                          result == -static_cast<i64>(Errno::RestartNoHandler) ||
                          result == -static_cast<i64>(Errno::RestartBlock);
    return restarts ? -static_cast<i64>(Errno::Intr) : result;
}

} // namespace

Result<Ref<Pages>> Pages::create(Caller& owner, unsigned count, api::FlexscPolicy policy, u64 spin_ns) {
    Ref<Pages> pages = TRY(make_ref<Pages>());
    for (unsigned i = 0; i < count; ++i)
        pages->frames_[i] = TRY(Frame::allocate());
    pages->count_ = count;
    pages->policy_ = policy;
    pages->spin_ns_ = spin_ns;
    pages->owner_ = owner.owner;
    pages->payer_ = owner.owner->thread;
    pages->owner_id_ = owner.thread_id;
    pages->process_id_ = owner.process->id();
    pages->space_ = owner.process->space();
    owner.files->add_user();                       // a syscall thread may use a file while the owner closes it
    pages->own_thread = TRY(pages->make_thread()); // so that there is always one to go on with
    pages->address_ = TRY(owner.space->map_pinned(std::span<const Frame>(pages->frames_, count), Access::ReadWrite));
    return pages;
}

Pages::~Pages() {
    Guard guard{lock_};
    while (SyscallThread* const parked = idle_.pop_front()) {
        threads_.remove(*parked);
        delete parked;
    }
    if (own_thread != nullptr) {
        threads_.remove(*own_thread);
        delete own_thread;
    }
    ASSERT(threads_.empty());
}

Result<SyscallThread*> Pages::make_thread() {
    Owned<SyscallThread> made = TRY(make_owned<SyscallThread>(*this));
    made->thread = TRY(Thread::create("flexsc", live, made.get()));
    made->thread->caller = &owner_->caller;
    if (!mutant(Mutant::FlexscSpace))
        made->thread->set_space(space_);
    Guard guard{lock_};
    threads_.push_back(*made);
    return made.release();
}

/// One that is parked, or a new one; null without memory.
SyscallThread* Pages::take() {
    {
        Guard guard{lock_};
        for (SyscallThread& idle : idle_)
            if (sched::is_parked(*idle.thread)) { // else another core is still on its way off its stack
                idle_.remove(idle);
                return &idle;
            }
    }
    const Result<SyscallThread*> made = make_thread();
    return made.has_value() ? *made : nullptr;
}

void Pages::give_up(SyscallThread*& kept) {
    if (kept == nullptr)
        return;
    Guard guard{lock_};
    idle_.push_front(*kept);
    kept = nullptr;
}

void Pages::live(void* argument) {
    SyscallThread& self = *static_cast<SyscallThread*>(argument);
    x86::sti();
    for (;;) {
        if (self.pages.run(self))
            sched::give_back();
        else
            sched::park();
    }
}

// Two loops, so that a page on which nothing waits does not ask at every entry.
template <bool kSomeWait>
[[gnu::always_inline]] inline bool Pages::run_entries(SyscallThread& self, u64 waiting) {
    Batch& batch = *self.batch;
    const Thread& thread = *self.thread;
    Caller& caller = *thread.caller;
    const unsigned page = batch.page;
    FlexscEntry* const end = batch.end;
    const auto execute = [&](u32 number, const u64* arguments) {
        const SyscallTable& table = mutant(Mutant::FlexscRoutes) ? trap_table : page_table;
        return syscall_dispatch(caller, mutant(Mutant::FlexscIndex) ? number % kLinuxNumbers : number, arguments,
                                table);
    };
    for (FlexscEntry* entry = batch.begin; entry != end; ++entry) {
        const Control control = read_control(*entry);
        if (!control.is_plain_call()) [[unlikely]] {
            if (!wants_execution(control.status())) { // a full batch never scans
                FlexscEntry* const before = next_submitted(entry + 1, end) - 1;
                batch.passed += static_cast<u64>(before + 1 - entry);
                entry = before;
                continue;
            }
            if (refuses(control)) {
                complete_entry(*entry, -static_cast<i64>(Errno::Inval));
                continue;
            }
        }
        if (kSomeWait && (waiting & entry_bit(entry, end - kEntries)) != 0) [[unlikely]] {
            ++batch.passed; // submitted again before its former call is over: not before then [threats F3]
            continue;
        }
        batch.next = entry;
        i64 result = call_entry(*entry, control, execute);
        if (result < 0) [[unlikely]]
            result = without_restart(result);
        if (!thread.is_lent()) [[unlikely]] { // whoever lent the core is gone, with the batch
            finish(self, *entry, page, result);
            return false;
        }
        complete_entry(*entry, result);
    }
    batch.next = end;
    return true;
}

bool Pages::run(SyscallThread& self) {
    // Calls that begin to wait from now on have entries that the loop has passed.
    const u64 waiting = mutant(Mutant::FlexscAba) ? 0 : waiting_[self.batch->page].load(kRelaxed);
    return waiting == 0 ? run_entries<false>(self, 0) : run_entries<true>(self, waiting);
}

// Under the lock until the last access: withdraw() takes it once nothing waits any more.
void Pages::finish(SyscallThread& self, FlexscEntry& entry, unsigned page, i64 result) {
    complete_entry(entry, result);
    ++this_cpu().counters.calls_flexsc;
    statistics.waited.fetch_add(1, kRelaxed);
    Guard guard{lock_};
    sched::charge_current(*payer_);
    waiting_[page].fetch_xor(entry_bit(&entry, entries_of(page)), kRelaxed);
    idle_.push_back(self);
    completions_.fetch_add(1, kRelease);
    waiting_count_.fetch_sub(1, kRelease);
    done.wake_everything();
}

u64 Pages::execute(unsigned page, SyscallThread*& kept) {
    FlexscEntry* const first = entries_of(page);
    FlexscEntry* const end = first + kEntries;
    u64 completed = 0;
    for (FlexscEntry* entry = next_submitted(first, end); entry != end;) {
        if (kept == nullptr && (kept = take()) == nullptr)
            break; // no memory: they stay Submitted
        Batch batch{page, entry, entry, end, 0};
        kept->batch = &batch;
        const bool given_back = sched::lend(*kept->thread);
        completed += batch.completed();
        if (given_back)
            break;
        kept = nullptr;
        waiting_[page].fetch_xor(entry_bit(batch.next, first), kRelaxed);
        waiting_count_.fetch_add(1, kRelaxed);
        entry = next_submitted(batch.next + 1, end);
    }
    this_cpu().counters.calls_flexsc += completed;
    return completed;
}

void Pages::completed(u64 calls) {
    completions_.fetch_add(calls, kRelease);
    done.wake_everything();
}

u64 Pages::take_completions() {
    const u64 now = completions_.load(kAcquire);
    return now - std::exchange(reported_, now);
}

u64 Pages::submitted(u64 pages) const {
    u64 have = 0;
    for (; pages != 0; pages &= pages - 1) {
        const unsigned page = static_cast<unsigned>(__builtin_ctzll(pages));
        FlexscEntry* const end = entries_of(page) + kEntries;
        FlexscEntry* entry = next_submitted(entries_of(page), end);
        while (entry != end && is_waiting(*entry, page))
            [[unlikely]] entry = next_submitted(entry + 1, end);
        have |= u64{entry != end} << page;
    }
    return have;
}

u64 Pages::count(FlexscStatus status) const {
    u64 found = 0;
    for (unsigned page = 0; page < count_; ++page)
        for (unsigned i = 0; i < kEntries; ++i)
            found += read_control(entries_of(page)[i]).status() == static_cast<u8>(status);
    return found;
}

void Pages::withdraw() {
    for (unsigned page = 0; page < count_; ++page)
        while (!try_lock(page)) { // a worker is in the middle of a batch, and may want a TLB flush from us
            tlb_service();
            x86::pause();
        }
    if (mutant(Mutant::FlexscLeave)) {
        (void)Ref<Pages>(*this).leak();
        return space_->unmap_pinned(address_, count_ * kPageSize);
    }
    {
        Guard guard{lock_};
        for (SyscallThread& each : threads_)
            sched::kill(*each.thread);
    }
    constexpr u64 kPatienceNs = 5'000'000'000;
    while (!done.wait_while([&] { return waiting_calls() != 0; }, clock_monotonic_ns() + kPatienceNs, 0,
                            WaitMode::Uninterruptible)
                .has_value())
        log("flexsc: {} calls of thread {} go on after its end", waiting_calls(), owner_id());
    {
        Guard guard{lock_}; // the last one may be in finish() still
        for (SyscallThread& each : threads_)
            while (!sched::is_parked(*each.thread)) { // on its way off its stack, on another core
                tlb_service();
                x86::pause();
            }
    }
    space_->unmap_pinned(address_, count_ * kPageSize);
}

} // namespace tollgate::flexsc
