#include "drivers/serial.h"

#include "cpu/x86.h"

namespace tollgate::serial {
namespace {

constexpr u16 kPort = 0x3f8, kInterruptEnable = kPort + 1, kFifo = kPort + 2, kLineControl = kPort + 3,
              kModemControl = kPort + 4;
constexpr u16 kLineStatus = kPort + 5;
constexpr u8 kTransmitEmpty = 0x20, kAllSent = 0x40;

void wait_for(u8 bit) {
    for (int i = 0; i < 100'000 && !(x86::in8(kLineStatus) & bit); ++i)
        x86::pause();
}

void put(char c) {
    wait_for(kTransmitEmpty);
    x86::out8(kPort, static_cast<u8>(c));
}

} // namespace

void initialise() {
    x86::out8(kInterruptEnable, 0);
    x86::out8(kLineControl, 0x80); // divisor latch
    x86::out8(kPort, 1);
    x86::out8(kInterruptEnable, 0);
    x86::out8(kLineControl, 3);
    x86::out8(kFifo, 7);
    x86::out8(kModemControl, 3);
}

void write(StringView text) {
    for (const char c : text) {
        if (c == '\n')
            put('\r');
        put(c);
    }
}

void drain() { wait_for(kAllSent); }

} // namespace tollgate::serial
