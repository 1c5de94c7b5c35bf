#ifdef TOLLGATE_KERNEL
#include "mem/page_table.h"

#include "cpu/cpu.h"
#include "mem/kernel_stack.h"
#include "tests/harness/test.h"

namespace tollgate {
namespace {

extern "C" const u8 __text_end[], __rodata_start[];

constexpr u64 kFree = kKernelSpace + 0x3000000000; // between the stacks and the devices
constexpr u64 kUserPage = 0x400000;

/// The entry that maps a kernel address by a 4-KiB page; 0 if there is none.
u64 kernel_entry(u64 address) {
    SpaceTables tables{paging::kernel_root(), paging::kernel_root()};
    const Result<u64*> entry = paging::find_entry(tables, address, false);
    return entry.has_value() ? **entry : 0;
}
bool mapped(u64 address) { return kernel_entry(address) & kPtePresent; }

TEST(PageTable, KernelMappings) {
    Result<Frame> frame = Frame::allocate();
    ASSERT_TRUE(frame.has_value());
    ASSERT_TRUE(paging::map_kernel(kFree, frame->address(), Access::ReadWrite).has_value());
    *reinterpret_cast<volatile u64*>(kFree + 8) = 5;
    EXPECT_EQ(frame->data<u64>()[1], 5u);
    const Result<void> twice = paging::map_kernel(kFree, frame->address(), Access::Read);
    ASSERT_FALSE(twice.has_value());
    EXPECT_TRUE(twice.error() == Errno::Exist);
    EXPECT_EQ(paging::unmap_kernel(kFree), frame->address());
    EXPECT_TRUE(paging::unmap_kernel(kFree).is_null());
    EXPECT_FALSE(mapped(kFree));
}

TEST(PageTable, EntriesSayNoMoreThanTheirAccess) {
    const PhysAddr frame{0x123000};
    for (const Access access : {Access::None, Access::Read, Access::ReadWrite, Access::ReadExecute})
        for (const Privilege privilege : {Privilege::Kernel, Privilege::User}) {
            const u64 entry = paging::make_entry(frame, access, privilege);
            EXPECT_EQ(entry & kPteAddress, frame.value());
            EXPECT_EQ((entry & kPtePresent) != 0, access != Access::None);
            EXPECT_EQ((entry & kPteWrite) != 0, access == Access::ReadWrite);
            EXPECT_EQ((entry & kPteNoExecute) == 0, access == Access::ReadExecute);
            EXPECT_EQ((entry & kPteUser) != 0, privilege == Privilege::User && access != Access::None);
        }
}

TEST(PageTable, ImageRights) {
    const u64 text = kernel_entry(reinterpret_cast<u64>(&paging::initialise));
    EXPECT_TRUE(text & kPtePresent);
    EXPECT_FALSE(text & (kPteWrite | kPteUser | kPteNoExecute));
    const u64 constants = kernel_entry(reinterpret_cast<u64>(__rodata_start));
    EXPECT_TRUE(constants & kPteNoExecute);
    EXPECT_FALSE(constants & (kPteWrite | kPteUser));
    // The same frames through the direct map [threats M6].
    const u64 alias = kernel_entry(kDirectMap + image_to_phys(__rodata_start).value());
    EXPECT_TRUE(alias & kPteNoExecute);
    EXPECT_FALSE(alias & (kPteWrite | kPteUser));
}

TEST(PageTable, AuditFindsWhatItLooksFor) { // [threats M1]; its complaints on the console are wanted
    SpaceTables kernel{paging::kernel_root(), paging::kernel_root()};
    EXPECT_EQ(paging::audit(kernel), 0u);

    Result<SpaceTables> tables = paging::create_space();
    ASSERT_TRUE(tables.has_value());
    EXPECT_EQ(paging::audit(*tables), 0u);
    Result<u64*> entry = paging::find_entry(*tables, kUserPage, true);
    const Result<PhysAddr> directory = paging::make_fastcall_directory({});
    ASSERT_TRUE(directory.has_value());
    paging::set_fastcall_directory(*tables, *directory);
    Result<u64*> fastcall = paging::find_entry(*tables, kFastcallHeap, true);
    ASSERT_TRUE(entry.has_value() && fastcall.has_value());
    Result<Frame> frame = Frame::allocate();
    ASSERT_TRUE(frame.has_value());
    const u64 address = frame->address().value();
    const unsigned copies = paging::pti() ? 2 : 1; // each root is walked

    **entry = address | kPtePresent | kPteUser | kPteWrite | kPteNoExecute;
    EXPECT_EQ(paging::audit(*tables), 0u);
    **entry = address | kPtePresent | kPteUser | kPteWrite; // executable too, by the user root if there are two
    EXPECT_EQ(paging::audit(*tables), 1u);
    **entry = address | kPtePresent | kPteWrite | kPteNoExecute; // the kernel's, in the user half
    EXPECT_EQ(paging::audit(*tables), copies);
    **entry = 0;
    **fastcall = address | kPtePresent;
    EXPECT_EQ(paging::audit(*tables), 0u);
    **fastcall = image_to_phys(__rodata_start).value() | kPtePresent | kPteWrite | kPteNoExecute;
    EXPECT_EQ(paging::audit(*tables), copies);
    **fastcall = 0;
    paging::destroy_space(*tables);
    EXPECT_TRUE(tables->kernel_root.is_null());
    paging::destroy_space(*tables); // a second time does nothing
}

TEST(PageTable, SpacesShareTheKernelAndOwnTheRest) {
    const u64 before = frames::free_count();
    Result<SpaceTables> a = paging::create_space(), b = paging::create_space();
    ASSERT_TRUE(a.has_value() && b.has_value());
    EXPECT_EQ(a->kernel_root == a->user_root, !paging::pti());
    const u64* top_a = direct<u64>(a->kernel_root);
    const u64* top_b = direct<u64>(b->kernel_root);
    const u64* top = direct<u64>(paging::kernel_root());
    unsigned user = 0, differ = 0;
    for (unsigned slot = 0; slot < 511; ++slot) {
        if (slot < 256)
            user += top_a[slot] != 0 || top_b[slot] != 0;
        else
            differ += top_a[slot] != top[slot] || top_b[slot] != top[slot];
    }
    EXPECT_EQ(user, 0u);
    EXPECT_EQ(differ, 0u);
    EXPECT_NE(top_a[511], top_b[511]);
    paging::destroy_space(*a);
    paging::destroy_space(*b);
    EXPECT_EQ(frames::free_count(), before);
}

TEST(KernelStack, GuardBelow) { // [threats I8]
    Result<KernelStack> stack = KernelStack::allocate();
    ASSERT_TRUE(stack.has_value());
    const u64 top = stack->top().value(), bottom = top - kKernelStackSize;
    EXPECT_EQ(top % 16, 0u);
    for (u64 page = bottom; page < top; page += kPageSize) {
        const u64 entry = kernel_entry(page);
        EXPECT_TRUE((entry & (kPtePresent | kPteWrite)) == (kPtePresent | kPteWrite));
        EXPECT_TRUE((entry & kPteNoExecute) && !(entry & kPteUser));
        EXPECT_FALSE(KernelStack::is_guard(VirtAddr{page}));
    }
    EXPECT_FALSE(mapped(bottom - kPageSize));
    EXPECT_TRUE(KernelStack::is_guard(VirtAddr{bottom - 1}));
    EXPECT_TRUE(KernelStack::is_guard(VirtAddr{bottom - kPageSize}));
    EXPECT_FALSE(KernelStack::is_guard(VirtAddr{top - 1}));
    EXPECT_FALSE(KernelStack::is_guard(VirtAddr{kKernelSpace - 1}));
    EXPECT_FALSE(KernelStack::is_guard(VirtAddr{kKernelSpaceEnd}));
    EXPECT_FALSE(KernelStack::is_guard(VirtAddr{0}));
    { KernelStack moved = std::move(*stack); }
    EXPECT_TRUE(stack->top().is_null());
}

TEST(EntryArea, StacksAreApartFromEachOther) {
    struct Range {
        u64 start, end;
    };
    constexpr Range kMapped[] = {{kAreaCpu, kAreaIdt + kPageSize},
                                 {kAreaEntryStackTop - kPageSize, kAreaEntryStackTop},
                                 {kAreaFaultStackTop - 2 * kPageSize, kAreaFaultStackTop},
                                 {kAreaNmiStackTop - 3 * kPageSize, kAreaNmiStackTop},
                                 {kAreaDfStackTop - 3 * kPageSize, kAreaDfStackTop},
                                 {kAreaMcStackTop - 3 * kPageSize, kAreaMcStackTop},
                                 {kAreaDbStackTop - 3 * kPageSize, kAreaDbStackTop}};
    for (unsigned cpu = 0; cpu < cpu_count(); ++cpu) {
        const u64 base = reinterpret_cast<u64>(&cpu_by_number(cpu)) - kAreaCpu;
        EXPECT_EQ(base, kEntryAreas + cpu * kEntryAreaSize);
        for (u64 offset = 0; offset < kEntryAreaSize; offset += kPageSize) {
            bool wanted = false;
            for (const Range& range : kMapped)
                wanted |= offset >= range.start && offset < range.end;
            const u64 entry = kernel_entry(base + offset);
            EXPECT_EQ((entry & kPtePresent) != 0, wanted);
            if (!wanted)
                continue;
            EXPECT_TRUE((entry & kPteNoExecute) && !(entry & kPteUser));
            EXPECT_EQ((entry & kPteWrite) == 0, offset == kAreaIdt);
        }
        for (const Range& range : kMapped) // below each stack lies a page that faults
            if (range.start != kAreaCpu)
                EXPECT_FALSE(mapped(base + range.start - 1));
    }
}

} // namespace
} // namespace tollgate
#endif
