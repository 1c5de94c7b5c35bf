// The tables of one address space. Each table's frame record counts the entries that are used and remembers which
// chunks of 16 they lie in, so that copying, clearing and destroying a sparse space looks at few entries, and tables go
// as soon as they are empty. The last slot of the PML4 is a space's own: it holds the kernel image (shared directory)
// and its fastcall space (a shared directory too, until a function is registered). A PDPT of the user half stays until
// the space goes, since two roots point to it.
#include "lib/mutants.h"
#include "mem/page_table_internal.h"

#include <bit>

namespace tollgate::paging {
namespace {

PhysAddr frame_of(u64 entry) { return PhysAddr{entry & kPteAddress}; }
/// The table that an entry lies in.
PhysAddr table_of(const u64* entry) { return PhysAddr{align_down(direct_to_phys(entry).value(), kPageSize)}; }

/// Owns a table until a space takes it.
class NewTable {
public:
    NewTable() : table_(frames::allocate_table()) {}
    ~NewTable() {
        if (!table_.is_null())
            frames::free_table(table_);
    }
    NewTable(const NewTable&) = delete;
    NewTable& operator=(const NewTable&) = delete;
    bool missing() const { return table_.is_null(); }
    PhysAddr keep() { return std::exchange(table_, PhysAddr{}); }

private:
    PhysAddr table_;
};

/// Calls f(entry) for each used entry of [first, last] until it answers false.
template <class F>
[[gnu::always_inline]] inline void for_used(const TableUse& use, u64* table, unsigned first, unsigned last, F f) {
    for (u32 chunks = use.chunks_of(first, last); chunks != 0; chunks &= chunks - 1) {
        const unsigned start = static_cast<unsigned>(std::countr_zero(chunks)) * TableUse::kChunk;
        const unsigned end = start + TableUse::kChunk - 1;
        u64* const stop = table + (end < last ? end : last);
        for (u64* entry = table + (start > first ? start : first); entry <= stop; ++entry)
            if (*entry != 0 && !f(*entry))
                return;
    }
}

/// Takes everything out of a last-level table, and frees the frames (PROT_NONE keeps its frame).
void free_leaves(TableUse& use, u64* table) {
    u64 batch[TableUse::kChunk];
    for (u32 chunks = use.chunks; use.used > 0; chunks &= chunks - 1) {
        u64* const start = table + static_cast<unsigned>(std::countr_zero(chunks)) * TableUse::kChunk;
        unsigned count = 0;
        for (u64* entry = start; entry != start + TableUse::kChunk; ++entry) {
            if (*entry == 0)
                continue;
            batch[count++] = *entry & kPteAddress;
            *entry = 0;
        }
        use.used = static_cast<u16>(use.used - count);
        frames::drop_references({batch, count});
    }
}

/// Frees a table, everything below it, and the frames that its leaves map.
void free_tree(PhysAddr table, unsigned level) {
    TableUse& use = frames::table_use(table);
    u64* entries = direct<u64>(table);
    if (level == 0)
        free_leaves(use, entries);
    else
        for_used(use, entries, 0, 511, [&](u64& entry) {
            free_tree(frame_of(entry), level - 1);
            entry = 0;
            return --use.used > 0;
        });
    frames::free_table(table);
}

} // namespace

Privilege fastcall_privilege() { return mutant(Mutant::FastcallUser) ? Privilege::User : Privilege::Kernel; }

namespace {
/// Of the tables above the fastcall space.
u64 fastcall_table_flags() { return kTableFlags | (mutant(Mutant::FastcallUser) ? kPteUser : 0); }
} // namespace

Result<PhysAddr> make_fastcall_directory(std::span<const FixedPage> pages) {
    NewTable directory, table;
    if (directory.missing() || table.missing())
        return fail(Errno::NoMem);
    const PhysAddr top = directory.keep(), leaves = table.keep();
    set_entry(&direct<u64>(top)[0], leaves.value() | fastcall_table_flags());
    for (const FixedPage& page : pages) {
        ASSERT(page.address >= kFastcallSpace && page.address < kFastcallHeap);
        frames::add_reference(page.frame);
        set_entry(&direct<u64>(leaves)[index(page.address, 0)],
                  make_entry(page.frame, page.access, fastcall_privilege()));
    }
    return top;
}

void set_empty_fastcall_directory(PhysAddr directory) { shared.fastcall_directory = directory; }

void set_fastcall_directory(SpaceTables& tables, PhysAddr directory) {
    for (const PhysAddr root : {tables.kernel_root, tables.user_root}) {
        u64& entry = table_at(direct<u64>(root)[511])[kFastcallSlot];
        ASSERT(frame_of(entry) == shared.fastcall_directory || frame_of(entry) == directory);
        entry = directory.value() | fastcall_table_flags();
    }
}

Result<SpaceTables> create_space() {
    NewTable kernel, last;
    if (kernel.missing() || last.missing())
        return fail(Errno::NoMem);
    NewTable user, user_last; // without pti=on they go again
    if (shared.pti && (user.missing() || user_last.missing()))
        return fail(Errno::NoMem);
    const PhysAddr directory = shared.fastcall_directory, root = kernel.keep(), last_root = last.keep();
    const u64* common = direct<u64>(kernel_root());
    u64* top = direct<u64>(root);
    for (unsigned i = 0; i < shared.slot_count; ++i)
        top[shared.slots[i]] = common[shared.slots[i]];
    u64* upper = direct<u64>(last_root);
    upper[kImageSlot] = shared.image_directory.value() | kTableFlags;
    upper[kFastcallSlot] = directory.value() | fastcall_table_flags();
    top[511] = last_root.value() | fastcall_table_flags();
    SpaceTables tables{root, root};
    if (shared.pti) {
        tables.user_root = user.keep();
        const PhysAddr user_upper = user_last.keep();
        direct<u64>(user_upper)[kImageSlot] = shared.entry_directory.value() | kTableFlags;
        direct<u64>(user_upper)[kFastcallSlot] = directory.value() | fastcall_table_flags();
        u64* user_top = direct<u64>(tables.user_root);
        user_top[index(kEntryAreas, 3)] = common[index(kEntryAreas, 3)];
        user_top[511] = user_upper.value() | fastcall_table_flags();
    }
    return tables;
}

void destroy_space(SpaceTables& tables) {
    if (tables.kernel_root.is_null())
        return;
    u64* top = direct<u64>(tables.kernel_root);
    u64* user_top = direct<u64>(tables.user_root);
    TableUse& use = frames::table_use(tables.kernel_root); // counts the user half
    for_used(use, top, 0, kUserSlots - 1, [&](u64& entry) {
        free_tree(frame_of(entry), 2);
        entry = user_top[&entry - top] = 0;
        return --use.used > 0;
    });
    const auto free_upper = [](u64 entry) {
        u64* upper = table_at(entry);
        upper[kImageSlot] = upper[kFastcallSlot] = 0;
        frames::free_table(frame_of(entry));
    };
    if (const PhysAddr own = frame_of(table_at(top[511])[kFastcallSlot]); own != shared.fastcall_directory)
        free_tree(own, 1);
    free_upper(top[511]);
    if (tables.user_root != tables.kernel_root) {
        free_upper(user_top[511]);
        user_top[511] = user_top[index(kEntryAreas, 3)] = 0;
        frames::free_table(tables.user_root);
    }
    for (unsigned i = 0; i < shared.slot_count; ++i)
        top[shared.slots[i]] = 0;
    top[511] = 0;
    frames::free_table(tables.kernel_root);
    tables = {};
}

void set_entry(u64* entry, u64 value) {
    if ((*entry == 0) != (value == 0)) {
        TableUse& use = frames::table_use(table_of(entry));
        if (value == 0) {
            --use.used;
        } else {
            ++use.used;
            use.mark(reinterpret_cast<u64>(entry) / 8 & 511);
        }
    }
    *entry = value;
}

Result<u64*> find_entry(SpaceTables& tables, u64 address, bool create) {
    u64* table = direct<u64>(tables.kernel_root);
#pragma GCC unroll 3
    for (unsigned level = 3; level > 0; --level) {
        u64& entry = table[index(address, level)];
        if (!(entry & kPtePresent)) [[unlikely]] {
            if (!create)
                return fail(Errno::Fault);
            ASSERT(table != direct<u64>(shared.fastcall_directory)); // it stays empty
            const PhysAddr fresh = frames::allocate_table();
            if (fresh.is_null())
                return fail(Errno::NoMem);
            const bool user = address < kUserTop || fastcall_privilege() == Privilege::User;
            u64 value = fresh.value() | kTableFlags | (user ? kPteUser : 0);
            if (level == 3 && shared.pti) {
                direct<u64>(tables.user_root)[index(address, 3)] = value;
                value |= kPteNoExecute; // user code under the kernel's table, were the switch ever forgotten, would
                                        // fault at once
            }
            set_entry(&entry, value);
        }
        table = table_at(entry);
    }
    return &table[index(address, 0)];
}

bool next_slice(const SpaceTables& tables, u64& page, u64 end, Slice& slice) {
    while (page < end) {
        u64* table = direct<u64>(tables.kernel_root);
        unsigned level = 3;
#pragma GCC unroll 3
        for (; level > 0; --level) {
            const u64 entry = table[index(page, level)];
            if (!(entry & kPtePresent))
                break;
            table = table_at(entry);
        }
        const u64 first = page, size = u64{1} << (12 + 9 * (level > 0 ? level : 1));
        page = align_down(page, size) + size;
        if (page > end)
            page = end;
        if (level > 0)
            continue;
        const unsigned low = index(first, 0), high = index(page - 1, 0);
        const u64 base = align_down(first, u64{1} << 21);
        if (low / TableUse::kChunk == high / TableUse::kChunk) { // so few that asking costs more than looking
            slice = {&table[low], first, high - low + 1};
            return true;
        }
        const u32 chunks = frames::table_use(direct_to_phys(table)).chunks_of(low, high);
        if (chunks == 0)
            continue;
        const unsigned chunk = static_cast<unsigned>(std::countr_zero(chunks));
        const unsigned run_end = (chunk + static_cast<unsigned>(std::countr_one(chunks >> chunk))) * TableUse::kChunk;
        const unsigned from = chunk * TableUse::kChunk > low ? chunk * TableUse::kChunk : low;
        if (run_end <= high)
            page = base + run_end * kPageSize; // there may be more in this table
        slice = {&table[from], base + from * kPageSize, (run_end <= high ? run_end : high + 1) - from};
        return true;
    }
    page = end;
    return false;
}

void Taken::free() {
    tollgate::frames::drop_references({frames, count});
    for (unsigned i = 0; i < table_count; ++i)
        tollgate::frames::free_table(PhysAddr{tables[i]});
    count = table_count = 0;
}

void take_range(SpaceTables& tables, u64& page, u64 end, Taken& taken) {
    while (page < end && taken.table_count + 2 <= Taken::kTables) {
        const u64 first = page;
        u64* path[4]; // the entry of each level
        u64* table = direct<u64>(tables.kernel_root);
        unsigned level = 3;
#pragma GCC unroll 3
        for (; level > 0; --level) {
            path[level] = &table[index(page, level)];
            if (!(*path[level] & kPtePresent))
                break;
            table = table_at(*path[level]);
        }
        const u64 size = u64{1} << (12 + 9 * (level > 0 ? level : 1)), base = align_down(page, size);
        const u64 stop = base + size < end ? base + size : end;
        if (level > 0) {
            page = stop;
            continue;
        }
        TableUse& use = frames::table_use(direct_to_phys(table));
        page = stop;
        bool full = false;
        const unsigned before = taken.count;
        for_used(use, table, index(first, 0), index(stop - 1, 0), [&](u64& entry) {
            if (taken.count == Taken::kFrames) {
                page = base + static_cast<u64>(&entry - table) * kPageSize;
                full = true;
                return false;
            }
            taken.frames[taken.count++] = entry & kPteAddress;
            entry = 0;
            return true;
        });
        use.used = static_cast<u16>(use.used - (taken.count - before));
        if (full)
            return;
        if (use.used > 0)
            continue;
        taken.tables[taken.table_count++] = direct_to_phys(table).value();
        set_entry(path[1], 0);
        const PhysAddr directory = table_of(path[1]);
        if (frames::table_use(directory).used > 0)
            continue;
        taken.tables[taken.table_count++] = directory.value();
        set_entry(path[2], 0);
    }
}

Result<u64> share_range(SpaceTables& from, SpaceTables& to, u64 start, u64 end, Sharing sharing) {
    const u64 keep = sharing == Sharing::Private ? ~kPteWrite : ~u64{0};
    u64 total = 0;
    Slice slice;
    for (u64 page = start; next_slice(from, page, end, slice);) {
        u64* target = nullptr;
        TableUse* use = nullptr;
        for (unsigned i = 0; i < slice.count; ++i) {
            const u64 entry = slice.entries[i];
            if (entry == 0)
                continue;
            if (target == nullptr) {
                target = TRY(find_entry(to, slice.page, true));
                use = &frames::table_use(table_of(target));
            }
            frames::add_reference(frame_of(entry));
            slice.entries[i] = target[i] = entry & keep;
            use->mark(index(slice.page, 0) + i);
            ++use->used;
            ++total;
        }
    }
    return total;
}

Result<void> move_range(SpaceTables& tables, u64 from, u64 to, u64 length) {
    Slice slice;
    for (u64 page = from; next_slice(tables, page, from + length, slice);)
        for (unsigned i = 0; i < slice.count; ++i)
            if (slice.entries[i] != 0)
                (void)TRY(find_entry(tables, slice.page + i * kPageSize - from + to, true));
    for (u64 page = from; next_slice(tables, page, from + length, slice);)
        for (unsigned i = 0; i < slice.count; ++i) {
            if (slice.entries[i] == 0)
                continue;
            u64* target = *find_entry(tables, slice.page + i * kPageSize - from + to, false);
            ASSERT(*target == 0);
            set_entry(target, slice.entries[i]);
            set_entry(&slice.entries[i], 0);
        }
    return {};
}

u64 make_entry(PhysAddr frame, Access access, Privilege privilege) {
    const u64 present = access == Access::None ? 0 : kPtePresent | (privilege == Privilege::User ? kPteUser : 0);
    return frame.value() | present | access_bits(access) | kPteAccessed | (access == Access::ReadWrite ? kPteDirty : 0);
}

} // namespace tollgate::paging
