// The life of an entry on the kernel's side. The kernel reads and writes the frames through the direct map. Fields of
// an entry may change under its hands at any time: each is read exactly once, into a snapshot that user code cannot
// reach, and nothing read back from a page is ever acted on [threats F1-F5].
#include "gate/flexsc/pages.h"

#include "cpu/cpu.h"
#include "cpu/tlb.h"
#include "lib/mutants.h"
#include "syscall/dispatch.h"

namespace tollgate::flexsc {
namespace {

using api::FlexscEntry;
using api::FlexscStatus;

u8 load_status(const FlexscEntry& entry) { return __atomic_load_n(&entry.status, __ATOMIC_ACQUIRE); }
template <class T>
T read_once(const T& field) {
    return __atomic_load_n(&field, __ATOMIC_RELAXED);
}

bool wants_execution(u8 status) {
    if (mutant(Mutant::FlexscStatus))
        return status != static_cast<u8>(FlexscStatus::Free);
    return status == static_cast<u8>(FlexscStatus::Submitted);
}

/// The first entry to execute in [entry, end), or end. Most of a page is free when batches are small, so that this is
/// what they pay for: eight entries a turn, one comparison each. The loads are plain ones between compiler barriers,
/// which x86 orders like acquire.
FlexscEntry* next_submitted(FlexscEntry* entry, FlexscEntry* end) {
    compiler_barrier();
    while (end - entry >= 8) {
#pragma GCC unroll 8
        for (int i = 0; i < 8; ++i)
            if (wants_execution(entry[i].status)) {
                compiler_barrier();
                return entry + i;
            }
        entry += 8;
    }
    while (entry != end && !wants_execution(entry->status))
        ++entry;
    compiler_barrier();
    return entry;
}

} // namespace

Result<Ref<Pages>> Pages::create(Caller& caller, unsigned count, api::FlexscPolicy policy) {
    Ref<Pages> pages = TRY(make_ref<Pages>());
    for (unsigned i = 0; i < count; ++i)
        pages->frames_[i] = TRY(Frame::allocate());
    pages->count_ = count;
    pages->policy_ = policy;
    pages->owner_ = Ref<UserThread>(*caller.owner);
    pages->space_ = caller.process->space();
    pages->files_ = caller.process->files();
    pages->files_->add_user();
    pages->address_ = TRY(caller.space->map_pinned(std::span<const Frame>(pages->frames_, count), Access::ReadWrite));
    return pages;
}

bool Pages::try_begin() {
    u32 idle = 0;
    return executing_.compare_exchange_strong(idle, 1, kAcquire, kRelaxed);
}

void Pages::end() { executing_.store(0, kRelease); }

void Pages::withdraw() {
    // A batch of calls that do not block is short; the executing CPU may want a TLB flush from us meanwhile.
    u32 idle = 0;
    while (!executing_.compare_exchange_weak(idle, 2, kAcquire, kRelaxed)) {
        if (idle == 2)
            return;
        idle = 0;
        tlb_service();
        x86::pause();
    }
    space_->unmap_pinned(address_, count_ * kPageSize);
}

u64 Pages::count(FlexscStatus status) const {
    u64 found = 0;
    for (unsigned page = 0; page < count_; ++page) {
        const FlexscEntry* entries = frames_[page].data<const FlexscEntry>();
        for (unsigned i = 0; i < api::kFlexscEntriesPerPage; ++i)
            found += load_status(entries[i]) == static_cast<u8>(status);
    }
    return found;
}

u64 Pages::execute_page(FlexscEntry* entries) {
    Caller& caller = owner_->caller;
    u64 executed = 0;
    FlexscEntry* const end = entries + api::kFlexscEntriesPerPage;
    for (FlexscEntry* entry = entries; entry != end; ++entry) {
        if (!wants_execution(load_status(*entry))) [[unlikely]] { // a full batch never scans
            entry = next_submitted(entry + 1, end);
            if (entry == end)
                break;
        }
        entry->status = static_cast<u8>(FlexscStatus::Busy);
        compiler_barrier();
        const u32 number = read_once(entry->number);
        u64 arguments[6];
#pragma GCC unroll 6
        for (unsigned i = 0; i < 6; ++i)
            arguments[i] = read_once(entry->args[i]);
        const bool sane = read_once(entry->argument_count) <= 6;
        i64 result = -static_cast<i64>(Errno::Inval);
        if (sane) {
            const SyscallTable& table = mutant(Mutant::FlexscRoutes) ? trap_table : page_table;
            if (mutant(Mutant::FlexscDoubleRead))
                result = syscall_dispatch(caller, read_once(entry->number), entry->args, table);
            else
                result = syscall_dispatch(caller, number, arguments, table);
        }
        __atomic_store_n(&entry->result, result, __ATOMIC_RELAXED);
        // Release: whoever sees Done sees the result.
        __atomic_store_n(&entry->status, static_cast<u8>(FlexscStatus::Done), __ATOMIC_RELEASE);
        ++executed;
    }
    return executed;
}

u64 Pages::execute() {
    u64 executed = 0;
    Thread& self = sched::current();
    self.may_not_wait = true; // one call that slept would keep all others waiting
    for (unsigned page = 0; page < count_; ++page)
        executed += execute_page(frames_[page].data<FlexscEntry>());
    self.may_not_wait = false;
    this_cpu().counters.calls_flexsc += executed;
    return executed;
}

} // namespace tollgate::flexsc
