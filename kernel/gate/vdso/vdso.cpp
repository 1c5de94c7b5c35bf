// The same frames in every process, never written through a user mapping.
#include "gate/vdso/vdso.h"

#include "cpu/clock.h"
#include "lib/bits.h"
#include "lib/memory.h"
#include "mem/address_space.h"

namespace tollgate::vdso {
namespace {

extern "C" const u8 vdso_image[], vdso_image_end[], vdso_spma22_image[], vdso_spma22_image_end[];

constexpr u64 kMostPages = 4;
// global: the pages belong to no process; written once at boot. The clock page comes first.
constinit PhysAddr pages[kMostPages] = {};
constinit u64 page_count = 0;

} // namespace

Result<void> initialise(Functions functions) {
    const bool plain = functions == Functions::Plain;
    const u8* const image = plain ? vdso_image : vdso_spma22_image;
    const u64 size = static_cast<u64>((plain ? vdso_image_end : vdso_spma22_image_end) - image);
    ASSERT(size <= (kMostPages - 1) * kPageSize);
    page_count = 1 + align_up(size, kPageSize) / kPageSize;
    for (u64 n = 0; n < page_count; ++n)
        pages[n] = TRY(Frame::allocate())
    .leak();
    for (u64 done = 0; done < size; done += kPageSize)
        memcpy(direct(pages[1 + done / kPageSize]), image + done, size - done < kPageSize ? size - done : kPageSize);
    clock_publish(*direct<ClockPage>(pages[0]));
    return {};
}

Result<u64> map_into(AddressSpace& space) {
    Frame frames[kMostPages];
    for (u64 n = 0; n < page_count; ++n)
        frames[n] = Frame::from(pages[n]);
    const u64 code = TRY(space.map_pinned({frames + 1, page_count - 1}, Access::ReadExecute, AreaKind::Vdso));
    // The code looks for the numbers in the page below itself. That is the next highest that is free, unless a program
    // has put segments of its own right there.
    if (TRY(space.map_pinned({frames, 1}, Access::Read, AreaKind::Vdso)) + kPageSize != code)
        return fail(Errno::NoMem);
    return code;
}

} // namespace tollgate::vdso
