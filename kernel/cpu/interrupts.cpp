#include "cpu/interrupts.h"

#include "cpu/trap_frame.h"
#include "lib/atomic.h"

namespace tollgate {
namespace {

struct Slot {
    // Written before the controller raises the vector, hence before anybody reads it.
    Atomic<InterruptHandler> handler{nullptr};
    const char* name = nullptr;
    Atomic<u64> count{0};
};

constinit Slot slots[kVectorDeviceEnd - kVectorDeviceFirst];

} // namespace

u8 claim_vector(InterruptHandler handler, const char* name) {
    for (u8 n = 0; n < kVectorDeviceEnd - kVectorDeviceFirst; ++n) {
        if (slots[n].handler.load(kRelaxed) != nullptr)
            continue;
        slots[n].name = name;
        slots[n].handler.store(handler, kRelease);
        return static_cast<u8>(kVectorDeviceFirst + n);
    }
    return 0;
}

VectorInfo vector_info(u8 vector) {
    if (vector < kVectorDeviceFirst || vector >= kVectorDeviceEnd)
        return {};
    const Slot& slot = slots[vector - kVectorDeviceFirst];
    return slot.handler.load(kAcquire) ? VectorInfo{slot.name, slot.count.load(kRelaxed)} : VectorInfo{};
}

bool run_vector(u64 vector) {
    if (vector < kVectorDeviceFirst || vector >= kVectorDeviceEnd)
        return false;
    Slot& slot = slots[vector - kVectorDeviceFirst];
    const InterruptHandler handler = slot.handler.load(kAcquire);
    if (handler == nullptr)
        return false;
    slot.count.fetch_add(1, kRelaxed);
    handler();
    return true;
}

} // namespace tollgate
