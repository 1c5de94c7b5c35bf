#include "drivers/ioapic.h"

#include "mem/kernel_space.h"

namespace tollgate::ioapic {
namespace {

// [82093AA, 3.0] an index and a data register; behind them the version and two words for each pin.
constexpr u64 kIndex = 0x00, kData = 0x10;
constexpr u32 kVersion = 0x01, kRedirection = 0x10;
// [82093AA, 3.2.4] fixed delivery and physical destination are 0.
constexpr u32 kDeliverNmi = 4 << 8, kActiveLow = 1 << 13, kLevel = 1 << 15, kMasked = 1 << 16;
constexpr u32 kEveryCpu = 0xff; // [SDM vol 3, 11.6.2.1]

struct Controller {
    volatile u8* registers = nullptr;
    u32 first = 0, pins = 0; // global interrupts [first, first + pins)

    void select(u32 index) const { *reinterpret_cast<volatile u32*>(registers + kIndex) = index; }
    u32 read(u32 index) const {
        select(index);
        return *reinterpret_cast<volatile u32*>(registers + kData);
    }
    void write(u32 index, u32 value) const {
        select(index);
        *reinterpret_cast<volatile u32*>(registers + kData) = value;
    }
    void set_pin(u32 pin, u32 low, u32 high) const {
        write(kRedirection + 2 * pin, kMasked); // never half of the old entry and half of the new one
        write(kRedirection + 2 * pin + 1, high);
        write(kRedirection + 2 * pin, low);
    }
};

// Global: the board's, found once at boot. Pins are set by the boot processor, and later the timer's by its owner
// alone.
constinit Controller controllers[AcpiInfo::kMaxIoApics];
constinit size_t count = 0;
constinit const AcpiInfo* tables = nullptr;

const Controller* controller_of(u32 interrupt) {
    for (size_t n = 0; n < count; ++n)
        if (interrupt >= controllers[n].first && interrupt - controllers[n].first < controllers[n].pins)
            return &controllers[n];
    return nullptr;
}

/// Where the board has wired an ISA line to. `controller` is null if nowhere.
struct Wire {
    const Controller* controller;
    u32 pin, mode;

    bool set(u32 low, u32 target) const {
        if (controller == nullptr || target > 0xff)
            return false;
        controller->set_pin(pin, low | mode, target << 24);
        return true;
    }
};

Wire wire_of(u8 source) {
    InterruptOverride line{.source = source, .interrupt = source};
    for (const InterruptOverride& entry : tables->overrides())
        if (entry.source == source)
            line = entry;
    const Controller* const controller = controller_of(line.interrupt);
    return {controller, controller ? line.interrupt - controller->first : 0,
            (line.active_low ? kActiveLow : 0) | (line.level_triggered ? kLevel : 0)};
}

} // namespace

void initialise(const AcpiInfo& acpi) {
    tables = &acpi;
    for (const IoApicInfo& info : acpi.io_apics()) {
        // The registers need not start at a page's start: they are 32 bytes at any multiple of 1 KiB [82093AA, 3.0].
        const u64 page = info.address.value() & ~u64{0xfff};
        Controller& controller = controllers[count++];
        controller.registers = static_cast<volatile u8*>(map_device(PhysAddr{page}, 1)) + (info.address.value() - page);
        controller.first = info.first_interrupt;
        controller.pins = (controller.read(kVersion) >> 16 & 0xff) + 1;
        for (u32 pin = 0; pin < controller.pins; ++pin)
            controller.set_pin(pin, kMasked, 0);
    }
}

bool route_isa(u8 source, u8 vector, u32 apic_id) { return wire_of(source).set(vector, apic_id); }
bool route_isa_nmi(u8 source) { return wire_of(source).set(kDeliverNmi, kEveryCpu); }
void mask_isa(u8 source) { (void)wire_of(source).set(kMasked, 0); }

} // namespace tollgate::ioapic
