// Slot n of the table owns window n of the fastcall heap: text page, a gap, private page. All pages are there from
// registration to deregistration, since a fastcall that faults is a caller's error.
#include "gate/fastcall/space.h"

#include "api/fastcall.h"
#include "cpu/cpu.h"
#include "cpu/layout.h"
#include "cpu/tlb.h"
#include "lib/memory.h"
#include "lib/unique_ptr.h"
#include "sync/spinlock.h"

#include <array>

namespace tollgate::fastcall {
namespace {

struct TableEntry {
    Atomic<u64> function;
    u64 attributes[3];
};
static_assert(sizeof(TableEntry) == 32); // entry.S shifts by 5
constexpr unsigned kSlots = kPageSize / sizeof(TableEntry);
static_assert(kSlots == api::kFastcallEntries + 1); // the last slot is where entry.S sends every index beyond the table

constexpr u64 kWindow = 0x10000, kPrivateOffset = 0x2000;
static_assert(kFastcallHeap + kSlots * kWindow < kFastcallSpaceEnd);

extern "C" void fastcall_stub();

/// AddressSpace::fastcall_state.
struct State {
    Spinlock lock{LockRank::Fastcall};
    Frame table;
    std::array<u64, kSlots> shared GUARDED_BY(lock){};
    std::array<bool, kSlots> used GUARDED_BY(lock){};
    TableEntry* entries() { return table.data<TableEntry>(); }
};

State& state_of(AddressSpace& space) {
    ASSERT(space.fastcall_state != nullptr);
    return *static_cast<State*>(space.fastcall_state);
}

/// One page of stack a CPU, shared by all spaces: interrupts are off in a fastcall, so nobody else can be on it. Boot
/// only.
constinit PhysAddr stacks[kMaxCpus] = {};

u64 stub_address() { return reinterpret_cast<u64>(fastcall_stub); }

/// Takes out what register_function() has mapped so far.
void unmap_window(AddressSpace& space, unsigned slot, u64 shared) {
    space.unmap_fastcall_page(kFastcallHeap + slot * kWindow);
    space.unmap_fastcall_page(kFastcallHeap + slot * kWindow + kPrivateOffset);
    if (shared != 0)
        space.unmap_pinned(shared, kPageSize);
}

Result<Registration> map_window(AddressSpace& space, unsigned slot, const Function& function, const Mappings& mappings,
                                u64* attributes) {
    const u64 size = static_cast<u64>(function.end - function.start);
    ASSERT(size <= kPageSize);
    const u64 text = kFastcallHeap + slot * kWindow;
    Registration made{slot, text, kPageSize, 0};
    Frame code = TRY(Frame::allocate());
    memset(code.data(), 0xcc, kPageSize);
    memcpy(code.data(), function.start, size);
    TRY(space.map_fastcall_page(text, std::move(code), Access::ReadExecute));
    if (mappings.shared) {
        const Frame page = TRY(Frame::allocate());
        made.shared_address = TRY(space.map_pinned({&page, 1}, Access::ReadWrite));
        *attributes++ = made.shared_address;
    }
    if (mappings.private_page) {
        TRY(space.map_fastcall_page(text + kPrivateOffset, TRY(Frame::allocate()), Access::ReadWrite));
        *attributes++ = text + kPrivateOffset;
    }
    return made;
}

} // namespace

Result<void> initialise() {
    for (unsigned cpu = 0; cpu < cpu_count(); ++cpu) {
        Frame frame = TRY(Frame::allocate());
        stacks[cpu] = frame.leak();
    }
    return {};
}

Result<void> prepare_space(AddressSpace& space) {
    Owned<State> state = TRY(make_owned<State>());
    state->table = TRY(Frame::allocate());
    TableEntry* const entries = state->entries();
    for (unsigned slot = 0; slot < kSlots; ++slot)
        entries[slot].function.store(stub_address(), kRelaxed);
    TRY(space.map_fastcall_page(kFastcallTable, state->table.share(), Access::Read));
    for (unsigned cpu = 0; cpu < cpu_count(); ++cpu)
        TRY(space.map_fastcall_page(kFastcallStacks + cpu * kFastcallStackStride + kPageSize, Frame::from(stacks[cpu]),
                                    Access::ReadWrite));
    space.fastcall_state = state.release();
    return {};
}

void space_destroyed(AddressSpace& space) {
    delete static_cast<State*>(space.fastcall_state);
    space.fastcall_state = nullptr;
}

Result<Registration> register_function(AddressSpace& space, const Function& function, const Mappings& mappings) {
    State& state = state_of(space);
    unsigned slot = 0;
    {
        Guard guard{state.lock};
        while (slot < api::kFastcallEntries && state.used[slot])
            ++slot;
        if (slot == api::kFastcallEntries)
            return fail(Errno::NoSpc);
        state.used[slot] = true;
    }
    TableEntry& entry = state.entries()[slot];
    const Result<Registration> made = map_window(space, slot, function, mappings, entry.attributes);
    if (!made.has_value()) {
        // The shared page, if it came to that, is the first attribute.
        unmap_window(space, slot, mappings.shared ? entry.attributes[0] : 0);
        entry.attributes[0] = 0;
        Guard guard{state.lock};
        state.used[slot] = false;
        return made;
    }
    {
        Guard guard{state.lock};
        state.shared[slot] = made->shared_address;
    }
    entry.function.store(made->function, kRelease); // attributes first: a call that sees the function sees them
    return made;
}

Result<void> deregister(AddressSpace& space, u64 address, u64 length) {
    State& state = state_of(space);
    const u64 slot = (address - kFastcallHeap) / kWindow;
    if (address < kFastcallHeap || slot >= api::kFastcallEntries || (address - kFastcallHeap) % kWindow != 0 ||
        length != kPageSize)
        return fail(Errno::Inval);
    TableEntry& entry = state.entries()[slot];
    u64 shared;
    {
        Guard guard{state.lock};
        // The slot counts as used until its pages are gone, so that nobody can be given it meanwhile.
        if (!state.used[slot] || entry.function.load(kRelaxed) == stub_address())
            return fail(Errno::Inval);
        entry.function.store(stub_address(), kSeqCst);
        shared = state.shared[slot];
        state.shared[slot] = 0;
    }
    // A fastcall runs with interrupts off: once every CPU has taken an interrupt, none is inside this function any
    // more.
    cpu_call_others([](void*) {}, nullptr);
    unmap_window(space, static_cast<unsigned>(slot), shared);
    Guard guard{state.lock};
    for (u64& attribute : entry.attributes)
        attribute = 0;
    state.used[slot] = false;
    return {};
}

} // namespace tollgate::fastcall
