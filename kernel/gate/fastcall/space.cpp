// Slot n of the table owns window n of the fastcall heap: text, then the pages that are the function's alone, an
// unmapped page between any two ranges. All pages are there from registration to deregistration, since a function
// cannot wait for one. Until a space registers its first function it has the empty fastcall space, which is one for
// all.
#include "gate/fastcall/space.h"

#include "cpu/cpu.h"
#include "cpu/layout.h"
#include "cpu/tlb.h"
#include "gate/fastcall/table.h"
#include "gate/fastcall/text.h"
#include "gate/fastcall/watchdog.h"
#include "lib/list.h"
#include "lib/mutants.h"
#include "lib/unique_ptr.h"
#include "sync/spinlock.h"
#include "task/process.h"

#include <bit>

namespace tollgate::fastcall {
namespace {

extern "C" void fastcall_stub(), fastcall_checked(), fastcall_checked_exit();

constexpr u64 kWindow = kWindowPages * kPageSize;
static_assert(kFastcallHeap + kSlots * kWindow < kFastcallSpaceEnd && kWindowPages <= AddressSpace::kMostFastcallPages);

/// A range that a registration has mapped.
struct Piece {
    u64 start = 0;
    u32 pages = 0;
    Mapping::Kind kind{};
};

/// A registered function.
struct Entry {
    Entry(const Function& registered, const Callbacks& hooks) : function(registered), callbacks(hooks) {}

    const Function& function;
    const Callbacks callbacks;
    std::array<Piece, kAttributes> pieces{};
    bool leaving = false; ///< its slot has the stub again; under the lock
};

/// Of all states and what is in them: registering is rare. It is not held while another CPU is waited for.
constinit Spinlock lock{LockRank::Fastcall};

/// AddressSpace::fastcall_state.
struct State {
    explicit State(i32 of) : process(of) {}

    const i32 process;
    Frame pointers, arrays, counts; ///< counts: with fastcall.check=on only
    u64 used[2] = {};               ///< bit n: slot n is taken, perhaps by nobody's entry yet
    Entry* entries[kSlots] = {};
    ListLink<State> link{};

    Pointers& table() { return *pointers.data<Pointers>(); }
    Arrays& attributes() { return *arrays.data<Arrays>(); }
};

constinit List<State, &State::link> states GUARDED_BY(lock);

// What all spaces share; boot only. Interrupts are off in a fastcall, so nobody else can be on its CPU's stack.
constinit PhysAddr stacks[kMaxCpus] = {};
constinit PhysAddr empty_pointers, empty_arrays;
constinit Check checking = Check::Off;

u64 stub_address() { return reinterpret_cast<u64>(fastcall_stub); }
u64 window_of(unsigned slot) { return kFastcallHeap + slot * kWindow; }

State* state_of(AddressSpace& space) { return static_cast<State*>(space.fastcall_state.load(kAcquire)); }

constexpr unsigned kFixedPages = 3 + kMaxCpus;
using FixedPages = std::array<paging::FixedPage, kFixedPages>;

std::span<const paging::FixedPage> fixed_pages(FixedPages& room, PhysAddr pointers, PhysAddr arrays, PhysAddr counts) {
    size_t count = 0;
    room[count++] = {kFastcallTable, pointers, Access::Read};
    room[count++] = {kFastcallArrays, arrays, Access::Read};
    if (!counts.is_null())
        room[count++] = {kFastcallCounts, counts, Access::ReadWrite};
    for (unsigned cpu = 0; cpu < cpu_count(); ++cpu)
        room[count++] = {kFastcallStacks + cpu * kFastcallStackStride + kPageSize, stacks[cpu], Access::ReadWrite};
    return {room.data(), count};
}

/// The space's state, made now if it has none.
Result<State*> own_state(AddressSpace& space, i32 process) {
    if (State* const state = state_of(space))
        return state;
    Owned<State> state = TRY(make_owned<State>(process));
    state->pointers = TRY(Frame::allocate_copy(empty_pointers));
    state->arrays = TRY(Frame::allocate());
    if (checking == Check::On) {
        state->counts = TRY(Frame::allocate());
        state->attributes().checked_exit = reinterpret_cast<u64>(fastcall_checked_exit);
    }
    FixedPages room;
    const Result<void> begun = space.begin_fastcall_space(
        fixed_pages(room, state->pointers.address(), state->arrays.address(), state->counts.address()), state.get());
    if (!begun.has_value() && begun.error() == Errno::Exist) // another thread was faster
        return state_of(space);
    TRY(begun);
    Guard guard{lock};
    states.push_back(*state);
    if (states.size() == 1)
        watchdog_arm(true);
    return state.release();
}

/// What a slot has been used for goes to its function's account.
void settle(State& state, unsigned slot, const Function& function) {
    function.registered.fetch_sub(1, kRelaxed);
    if (!state.counts)
        return;
    Counts& counts = *state.counts.data<Counts>();
    function.calls.fetch_add(counts.calls[slot].exchange(0, kRelaxed), kRelaxed);
    const u64 longest = counts.longest[slot].exchange(0, kRelaxed);
    for (u64 known = function.longest.load(kRelaxed);
         known < longest && !function.longest.compare_exchange_weak(known, longest, kRelaxed, kRelaxed);)
        ;
}

/// Gives the slot back.
void release_slot(State& state, unsigned slot) {
    Guard guard{lock};
    state.entries[slot] = nullptr;
    state.used[slot / 64] &= ~(u64{1} << slot % 64);
}

Result<unsigned> take_slot(State& state) {
    Guard guard{lock};
    unsigned slot = static_cast<unsigned>(std::countr_one(state.used[0]));
    if (slot == 64)
        slot += static_cast<unsigned>(std::countr_one(state.used[1]));
    if (slot >= kSlots)
        return fail(Errno::NoSpc);
    state.used[slot / 64] |= u64{1} << slot % 64;
    return slot;
}

Result<u64> map_user(AddressSpace& space, u32 pages) {
    Frame fresh[kWindowPages];
    for (u32 n = 0; n < pages; ++n)
        fresh[n] = TRY(Frame::allocate());
    return space.map_pinned({fresh, pages}, Access::ReadWrite, AreaKind::Fastcall);
}

Result<void> map_private(AddressSpace& space, u64 address, const Mapping& mapping) {
    for (u32 n = 0; n < mapping.pages; ++n) {
        const u64 at = address + n * kPageSize;
        if (mapping.kind == Mapping::Kind::Device)
            TRY(space.map_fastcall_device(at, PhysAddr{mapping.device.value() + n * kPageSize}));
        else
            TRY(space.map_fastcall_page(
                at, mapping.kind == Mapping::Kind::Frames ? mapping.frames[n].share() : TRY(Frame::allocate()),
                Access::ReadWrite));
    }
    return {};
}

/// Maps text and pages; what has been mapped is in the entry's pieces also after an error.
Result<void> map_window(AddressSpace& space, unsigned slot, Entry& entry, std::span<const Mapping> mappings) {
    const PhysAddr text = TRY(text_of(entry.function));
    const u64 pages = entry.function.pages();
    u64 next = window_of(slot);
    for (u64 n = 0; n < pages; ++n, next += kPageSize)
        TRY(space.map_fastcall_page(next, Frame::from(PhysAddr{text.value() + n * kPageSize}), Access::ReadExecute));
    for (size_t n = 0; n < mappings.size(); ++n) {
        const Mapping& mapping = mappings[n];
        Piece& piece = entry.pieces[n];
        if (mapping.kind == Mapping::Kind::User) {
            piece = { TRY(map_user(space, mapping.pages)), mapping.pages, mapping.kind };
            continue;
        }
        next += kPageSize;
        piece = {next, mapping.pages, mapping.kind};
        TRY(map_private(space, next, mapping));
        next += mapping.pages * kPageSize;
    }
    return {};
}

void unmap_window(AddressSpace& space, unsigned slot, const Entry& entry) {
    space.unmap_fastcall_pages(window_of(slot), window_of(slot + 1));
    for (const Piece& piece : entry.pieces)
        if (piece.start != 0 && piece.kind == Mapping::Kind::User)
            space.unmap_pinned(piece.start, piece.pages * kPageSize);
}

/// Whether a function with these mappings can be registered at all.
bool fits(const Function& function, std::span<const u64> constants, std::span<const Mapping> mappings) {
    u64 pages = function.pages();
    if (constants.size() + mappings.size() > kAttributes || function.entry >= pages * kPageSize)
        return false;
    for (const Mapping& mapping : mappings) {
        if (mapping.pages == 0 || mapping.pages > kWindowPages ||
            (mapping.kind == Mapping::Kind::Frames && mapping.frames.size() != mapping.pages))
            return false;
        pages += mapping.kind == Mapping::Kind::User ? 0 : mapping.pages + 1;
    }
    return pages < kWindowPages; // a page is left before the next window
}

} // namespace

Check check() { return checking; }

Result<void> initialise(Check wanted) {
    checking = wanted;
    if (checking == Check::On)
        redirect_returns();
    for (unsigned cpu = 0; cpu < cpu_count(); ++cpu)
        stacks[cpu] = TRY(Frame::allocate())
    .leak();
    Frame pointers = TRY(Frame::allocate())
    , arrays = TRY(Frame::allocate());
    for (Atomic<u64>& function : pointers.data<Pointers>()->function)
        function.store(stub_address(), kRelaxed);
    empty_pointers = pointers.leak();
    empty_arrays = arrays.leak();
    FixedPages room;
    paging::set_empty_fastcall_directory(
        TRY(paging::make_fastcall_directory(fixed_pages(room, empty_pointers, empty_arrays, {}))));
    return {};
}

// Nobody runs in the space any more; /proc may still find it until it is off the list.
void space_destroyed(AddressSpace& space) {
    const Owned<State> state(state_of(space));
    {
        Guard guard{lock};
        states.remove(*state);
        if (states.empty())
            watchdog_arm(false);
    }
    for (unsigned slot = 0; slot < kSlots; ++slot) {
        const Owned<Entry> entry(state->entries[slot]);
        if (!entry.get())
            continue;
        if (entry->callbacks.free)
            entry->callbacks.free(entry->callbacks.context);
        settle(*state, slot, entry->function);
        for (const Piece& piece : entry->pieces)
            if (piece.kind == Mapping::Kind::Device && piece.start != 0) // no frames, so the tables may not free them
                space.unmap_fastcall_pages(piece.start, piece.start + piece.pages * kPageSize);
    }
    space.fastcall_state.store(nullptr, kRelaxed);
}

Result<Registration> register_fastcall(Process& process, const Function& function, std::span<const u64> constants,
                                       std::span<const Mapping> mappings, const Callbacks& callbacks) {
    if (!fits(function, constants, mappings))
        return fail(Errno::Inval);
    const Ref<AddressSpace> space = process.space();
    if (!space)
        return fail(Errno::Srch);
    State& state = *TRY(own_state(*space, process.id()));
    Owned<Entry> entry = TRY(make_owned<Entry>(function, callbacks));
    const unsigned slot = TRY(take_slot(state));
    const Result<void> mapped = map_window(*space, slot, *entry, mappings);
    if (!mapped.has_value()) {
        unmap_window(*space, slot, *entry);
        release_slot(state, slot);
        return fail(mapped.error());
    }
    Registration made{slot, window_of(slot), function.pages() * kPageSize, {}};
    size_t count = 0;
    for (size_t n = 0; n < mappings.size(); ++n)
        made.attributes[count++] = entry->pieces[n].start;
    for (const u64 constant : constants)
        made.attributes[count++] = constant;
    for (unsigned n = 0; n < kAttributes; ++n)
        state.attributes().attributes[n][slot] = made.attributes[n];
    state.attributes().function[slot] = made.function + function.entry;
    function.registered.fetch_add(1, kRelaxed);
    function.registrations.fetch_add(1, kRelaxed);
    {
        Guard guard{lock};
        state.entries[slot] = entry.release();
    }
    const u64 target = checking == Check::On ? reinterpret_cast<u64>(fastcall_checked) : made.function + function.entry;
    state.table().function[slot].store(target,
                                       kRelease); // attributes first: a call that sees it sees them [threats C10]
    return made;
}

Result<void> deregister(AddressSpace& space, u64 address, u64 length) {
    if (address >= kFastcallStacks && address < kFastcallHeap)
        return fail(Errno::Access);
    State* const state = state_of(space);
    const u64 slot = (address - kFastcallHeap) / kWindow;
    if (!state || address < kFastcallHeap || slot >= kSlots)
        return fail(Errno::Inval);
    Owned<Entry> entry;
    {
        Guard guard{lock};
        Entry* const found = state->entries[slot];
        if (!found || found->leaving)
            return fail(Errno::Inval);
        for (const Piece& piece : found->pieces)
            if (piece.start == address && piece.kind != Mapping::Kind::User && length == piece.pages * kPageSize)
                return fail(Errno::Access);
        if (address != window_of(static_cast<unsigned>(slot)) || length != found->function.pages() * kPageSize)
            return fail(Errno::Inval);
        // The slot counts as used, and a fault in the function finds its name, until nobody is in it any more.
        found->leaving = true;
        state->table().function[slot].store(stub_address(), kSeqCst);
        entry = Owned<Entry>(found);
    }
    // A fastcall runs with interrupts off: once every CPU has taken an interrupt, none is inside this function any
    // more.
    if (!mutant(Mutant::FastcallBarrier))
        cpu_call_others([](void*) {}, nullptr);
    if (entry->callbacks.unmap)
        entry->callbacks.unmap(entry->callbacks.context);
    if (entry->callbacks.free)
        entry->callbacks.free(entry->callbacks.context);
    unmap_window(space, static_cast<unsigned>(slot), *entry);
    for (auto& array : state->attributes().attributes)
        array[slot] = 0;
    state->attributes().function[slot] = 0;
    settle(*state, static_cast<unsigned>(slot), entry->function);
    release_slot(*state, static_cast<unsigned>(slot));
    return {};
}

Located locate_slot(AddressSpace& space, u64 slot) {
    State* const state = state_of(space);
    if (!state || slot >= kSlots)
        return {};
    Guard guard{lock};
    const Entry* const entry = state->entries[slot];
    return {entry ? &entry->function : nullptr, static_cast<unsigned>(slot), 0};
}

Located locate(AddressSpace& space, u64 address) {
    if (address < kFastcallHeap)
        return {};
    Located found = locate_slot(space, (address - kFastcallHeap) / kWindow);
    found.offset = (address - kFastcallHeap) % kWindow;
    if (found.function && found.offset >= found.function->pages() * kPageSize)
        return {};
    return found;
}

void for_each_registration(void (*each)(void* context, const Listed&), void* context) {
    Guard guard{lock};
    for (State* state = states.front(); state; state = states.next(*state)) {
        const Counts* const counts = state->counts ? state->counts.data<Counts>() : nullptr;
        for (unsigned slot = 0; slot < kSlots; ++slot)
            if (const Entry* const entry = state->entries[slot])
                each(context, {state->process, slot, entry->function, counts ? counts->calls[slot].load(kRelaxed) : 0,
                               counts ? counts->longest[slot].load(kRelaxed) : 0});
    }
}

void list_areas(AddressSpace& space, fs::EachKernelArea each, void* context) {
    State* const state = state_of(space);
    if (!state)
        return; // the empty space is every program's, and a program that knows nothing of it sees what Linux shows
    each(context, {kFastcallTable, kFastcallCounts, Access::Read, Sharing::Private, "[fastcall_table]"});
    if (state->counts)
        each(context, {kFastcallCounts, kFastcallCounts + kPageSize, Access::ReadWrite, Sharing::Private,
                       "[fastcall_additional]"});
    for (unsigned cpu = 0; cpu < cpu_count(); ++cpu) {
        const u64 stack = kFastcallStacks + cpu * kFastcallStackStride + kPageSize;
        each(context, {stack, stack + kPageSize, Access::ReadWrite, Sharing::Shared, "[fastcall_stacks]"});
    }
    for (unsigned slot = 0; slot < kSlots; ++slot) {
        std::array<Piece, kAttributes> pieces;
        u64 pages;
        {
            Guard guard{lock};
            const Entry* const entry = state->entries[slot];
            if (!entry)
                continue;
            pages = entry->function.pages();
            pieces = entry->pieces;
        }
        each(context, {window_of(slot), window_of(slot) + pages * kPageSize, Access::ReadExecute, Sharing::Private,
                       "[fastcall_function]"});
        for (const Piece& piece : pieces)
            if (piece.start != 0 && piece.kind != Mapping::Kind::User)
                each(context, {piece.start, piece.start + piece.pages * kPageSize, Access::ReadWrite, Sharing::Shared,
                               "[fastcall_additional]"});
    }
}

} // namespace tollgate::fastcall
