// The kernel's half. Every PDPT of it is made at boot, so that a space's copy of the upper PML4 entries never goes
// stale. The last slot is different: each space has a PDPT of its own there, for the kernel image (shared directory)
// and its fastcall space.
#include "mem/page_table.h"

#include "cpu/cpu.h"
#include "cpu/features.h"
#include "cpu/tlb.h"
#include "debug/log.h"
#include "debug/panic.h"
#include "lib/memory.h"
#include "lib/mutants.h"
#include "mem/page_table_internal.h"
#include "sync/spinlock.h"

namespace tollgate::paging {
namespace {

extern "C" const u8 __image_start[], __text_end[], __rodata_start[], __rodata_end[], __data_start[], __image_end[];
extern "C" const u8 __entry_text_start[], __entry_text_end[];

// Written at boot, read-only afterwards.
constinit PhysAddr root; // the kernel's own
constinit u64 global = 0;
constinit Spinlock kernel_lock{LockRank::KernelSpace}; // tables of the kernel space

PhysAddr new_table() {
    Result<Frame> frame = Frame::allocate();
    if (!frame.has_value())
        panic("no memory for the kernel's page tables");
    return frame->leak();
}

/// The next table below `entry`, made if need be. Null if out of memory or absent.
u64* descend(u64& entry, u64 flags, bool create) {
    if (!(entry & kPtePresent)) {
        if (!create)
            return nullptr;
        Result<Frame> frame = Frame::allocate();
        if (!frame.has_value())
            return nullptr;
        entry = frame->leak().value() | flags;
    }
    return table_at(entry);
}

u64* kernel_entry(u64 address, u64* top, bool create) {
    u64* table = top;
    for (unsigned level = 3; level > 0; --level) {
        table = descend(table[index(address, level)], kTableFlags, create);
        if (table == nullptr)
            return nullptr;
    }
    return &table[index(address, 0)];
}

/// In the tables that all spaces share; null if it cannot be had.
u64* shared_entry_locked(u64 address, bool create) REQUIRES(kernel_lock) {
    return kernel_entry(address, direct<u64>(root), create);
}

void map_early(u64* top, u64 address, PhysAddr frame, Access access) {
    *kernel_entry(address, top, true) =
        frame.value() | kPtePresent | access_bits(access) | global | kPteAccessed | kPteDirty;
}

Access image_access(u64 address) {
    if (address < reinterpret_cast<u64>(__text_end))
        return Access::ReadExecute;
    if (address < reinterpret_cast<u64>(__data_start))
        return Access::Read;
    return Access::ReadWrite;
}

} // namespace

constinit SharedTables shared;

bool pti() { return shared.pti; }
PhysAddr kernel_root() { return root; }
void load_kernel_root() { x86::write_cr3(root.value()); }

void initialise(bool pti, PhysAddr ram_top) {
    shared.pti = pti;
    // Global pages would stay in the TLB across the switch to the user table, which is what pti=on is against [SDM vol
    // 3, 4.10.2.4].
    global = !pti && cpu_features.pge ? kPteGlobal : 0;
    root = new_table();
    u64* top = direct<u64>(root);
    for (unsigned slot = kUserSlots; slot < 512; ++slot) {
        const u64 address = u64{0xffff} << 48 | u64{slot} << 39;
        const bool used = (address >= kDirectMap && address < kDirectMap + ram_top.value()) ||
                          address == kKernelSpace || address == kEntryAreas || slot == 511;
        if (!used)
            continue;
        top[slot] = new_table().value() | kTableFlags;
        if (slot != 511)
            shared.slots[shared.slot_count++] = static_cast<u16>(slot);
    }

    const u64 image_start = image_to_phys(__image_start).value() & ~(u64{0x1fffff});
    const u64 image_end = (image_to_phys(__image_end).value() + 0x1fffff) & ~u64{0x1fffff};
    for (u64 physical = 0; physical < ram_top.value(); physical += 0x200000) {
        const u64 address = kDirectMap + physical;
        u64* directory = descend(table_at(top[index(address, 3)])[index(address, 2)], kTableFlags, true);
        if (physical < image_start || physical >= image_end) {
            directory[index(address, 1)] =
                physical | kTableFlags | kPteLarge | kPteNoExecute | global | kPteAccessed | kPteDirty;
            continue;
        }
        // Around the image in small pages: what may not be written there may not be written here either.
        for (u64 page = physical; page < physical + 0x200000; page += kPageSize) {
            const u64 linked = page + kKernelBase;
            const bool constant =
                linked >= reinterpret_cast<u64>(__image_start) && linked < reinterpret_cast<u64>(__data_start);
            map_early(top, kDirectMap + page, PhysAddr{page},
                      constant && !mutant(Mutant::TextWritable) ? Access::Read : Access::ReadWrite);
        }
    }

    for (u64 address = reinterpret_cast<u64>(__image_start); address < reinterpret_cast<u64>(__image_end);
         address += kPageSize)
        map_early(top, address, PhysAddr{address - kKernelBase}, image_access(address));
    if (mutant(Mutant::TextWritable))
        for (u64 address = reinterpret_cast<u64>(__image_start); address < reinterpret_cast<u64>(__text_end);
             address += kPageSize)
            *kernel_entry(address, top, false) |= kPteWrite;
    shared.image_directory = PhysAddr{table_at(top[511])[kImageSlot] & kPteAddress};

    if (pti) {
        u64* scratch = direct<u64>(new_table());
        const u64 saved = global;
        for (u64 address = reinterpret_cast<u64>(__entry_text_start); address < reinterpret_cast<u64>(__entry_text_end);
             address += kPageSize)
            map_early(scratch, address, PhysAddr{address - kKernelBase}, Access::ReadExecute);
        global = saved;
        shared.entry_directory = PhysAddr{table_at(scratch[511])[kImageSlot] & kPteAddress};
    }
    if (cpu_features.pge)
        x86::write_cr4(x86::read_cr4() | x86::kCr4Pge);
    load_kernel_root();
}

Result<void> map_kernel(u64 address, PhysAddr frame, Access access, Caching caching) {
    Guard guard{kernel_lock};
    u64* entry = shared_entry_locked(address, true);
    if (entry == nullptr)
        return fail(Errno::NoMem);
    if (*entry & kPtePresent)
        return fail(Errno::Exist);
    *entry = frame.value() | kPtePresent | access_bits(access) | global |
             (caching == Caching::Uncached ? kPteNoCacheWriteThrough : 0);
    return {};
}

bool take_kernel(u64 address, std::span<PhysAddr> frames) {
    bool any = false;
    Guard guard{kernel_lock};
    for (u64 n = 0; n < frames.size(); ++n) {
        u64* entry = shared_entry_locked(address + n * kPageSize, false);
        const bool there = entry != nullptr && *entry & kPtePresent;
        frames[n] = there ? PhysAddr{*entry & kPteAddress} : PhysAddr{};
        if (there)
            *entry = 0;
        any = any || there;
    }
    return any;
}

// Few pages: a flush of everything would leave global ones (cpu/tlb.cpp).
void unmap_kernel(u64 address, std::span<PhysAddr> frames) {
    if (!take_kernel(address, frames))
        return;
    u64 online = 0;
    for (unsigned n = 0; n < cpu_count(); ++n)
        if (cpu_by_number(n).online.load(kAcquire))
            online |= u64{1} << n;
    tlb_shootdown(online, address, address + frames.size() * kPageSize);
}

PhysAddr unmap_kernel(u64 address) {
    PhysAddr frame;
    unmap_kernel(address, {&frame, 1});
    return frame;
}

} // namespace tollgate::paging
