#include "gate/fastcall/text.h"

#include "cpu/layout.h"
#include "gate/fastcall/table.h"
#include "lib/memory.h"

namespace tollgate::fastcall {
namespace {

extern "C" const Function __fastcall_functions_start[], __fastcall_functions_end[];
extern "C" const Window __fastcall_windows_start[], __fastcall_windows_end[];
extern "C" const u8* const __fastcall_returns_start[];
extern "C" const u8* const __fastcall_returns_end[];

constinit bool redirected = false; // boot only

/// jmp *kCheckedExitWord instead of each SYSRET [SDM vol 2, JMP: FF /4, with an absolute 32-bit address].
void redirect(const Function& function, u8* copy) {
    constexpr u8 kJump[] = {0xff, 0x24, 0x25};
    const u32 target = static_cast<u32>(kCheckedExitWord);
    for (const u8* const* site = __fastcall_returns_start; site != __fastcall_returns_end; ++site) {
        if (*site < function.start || *site >= function.end)
            continue;
        u8* const to = copy + (*site - function.start);
        memcpy(to, kJump, sizeof kJump);
        memcpy(to + sizeof kJump, &target, sizeof target);
    }
}

} // namespace

void redirect_returns() { redirected = true; }

Result<PhysAddr> text_of(const Function& function) {
    if (const u64 text = function.text.load(kAcquire))
        return PhysAddr{text};
    const u64 pages = function.pages(), size = static_cast<u64>(function.end - function.start);
    const PhysAddr fresh = TRY(frames::allocate_contiguous(pages));
    memset(direct<u8>(fresh), 0xcc, pages * kPageSize); // INT3
    memcpy(direct<u8>(fresh), function.start, size);
    if (redirected)
        redirect(function, direct<u8>(fresh));
    u64 expected = 0;
    if (function.text.compare_exchange_strong(expected, fresh.value(), kAcqRel, kAcquire))
        return fresh;
    frames::free_contiguous(fresh, pages); // another CPU was faster
    return PhysAddr{expected};
}

const Window* window_at(const u8* instruction) {
    for (const Window* window = __fastcall_windows_start; window != __fastcall_windows_end; ++window)
        if (instruction >= window->start && instruction < window->end)
            return window;
    return nullptr;
}

std::span<const Function> functions() { return {__fastcall_functions_start, __fastcall_functions_end}; }

} // namespace tollgate::fastcall
