#include "drivers/machine.h"

#include "cpu/x86.h"
#include "debug/log.h"
#include "drivers/serial.h"

namespace tollgate::machine {

void end(Verdict verdict) {
    x86::cli();
    const char* name = verdict == Verdict::Pass ? "pass" : verdict == Verdict::Fail ? "fail" : "panic";
    console_write_unlocked("\nTOLLGATE EXIT ");
    console_write_unlocked(name);
    console_write_unlocked("\n");
    serial::drain();
    asm volatile("outl %0, %1" ::"a"(static_cast<u32>(verdict)), "Nd"(u16{0xf4}));
    for (const char c : StringView("Shutdown"))
        x86::out8(0x8900 & 0xffff, static_cast<u8>(c));
    x86::halt_forever();
}

void debugcon_write(unsigned which, StringView bytes) {
    for (const char c : bytes)
        x86::out8(static_cast<u16>(0xe9 + which), static_cast<u8>(c));
}

void disable_8259() {
    constexpr u16 kMaster = 0x20, kSlave = 0xa0;
    x86::out8(kMaster, 0x11);
    x86::out8(kSlave, 0x11);
    x86::out8(kMaster + 1, 0x20);
    x86::out8(kSlave + 1, 0x28);
    x86::out8(kMaster + 1, 4);
    x86::out8(kSlave + 1, 2);
    x86::out8(kMaster + 1, 1);
    x86::out8(kSlave + 1, 1);
    x86::out8(kMaster + 1, 0xff);
    x86::out8(kSlave + 1, 0xff);
}

u64 measure_tsc_hz() {
    constexpr u16 kControl = 0x61, kChannel2 = 0x42, kCommand = 0x43;
    constexpr u64 kPitHz = 1193182;
    constexpr u64 kCount = 11932;                                        // 10 ms
    x86::out8(kControl, static_cast<u8>((x86::in8(kControl) & ~2) | 1)); // gate open, speaker off
    x86::out8(kCommand, 0xb0);                                           // channel 2, low and high byte, mode 0
    x86::out8(kChannel2, kCount & 0xff);
    x86::out8(kChannel2, kCount >> 8);
    const u64 start = x86::rdtsc();
    if (x86::in8(kControl) & 0x20)
        return 0; // output high at once: there is no such chip
    for (u32 i = 0; !(x86::in8(kControl) & 0x20); ++i)
        if (i == 10'000'000)
            return 0;
    return (x86::rdtsc() - start) * kPitHz / kCount;
}

namespace {

u8 cmos(u8 index) {
    x86::out8(0x70, index | 0x80); // NMI stays masked while the index is set
    const u8 value = x86::in8(0x71);
    x86::out8(0x70, 0);
    return value;
}

} // namespace

u64 read_rtc() {
    for (int i = 0; i < 100'000 && (cmos(10) & 0x80); ++i)
        x86::pause();
    const bool binary = cmos(11) & 4;
    const auto field = [&](u8 index) -> u64 {
        const u8 raw = cmos(index);
        return binary ? raw : (raw >> 4) * 10u + (raw & 15);
    };
    const u64 second = field(0), minute = field(2), hour = field(4), day = field(7), month = field(8),
              year = 2000 + field(9);
    if (second > 59 || minute > 59 || hour > 23 || day < 1 || day > 31 || month < 1 || month > 12)
        return 0;
    // Days from the civil calendar: years counted from March, so that leap days come last.
    const u64 y = month <= 2 ? year - 1 : year;
    const u64 m = (month + 9) % 12;
    const u64 days = 365 * y + y / 4 - y / 100 + y / 400 + (m * 306 + 5) / 10 + day - 1 - 719468;
    return days * 86400 + hour * 3600 + minute * 60 + second;
}

} // namespace tollgate::machine
