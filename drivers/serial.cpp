#include "drivers/serial.h"

#include "cpu/x86.h"

namespace tollgate::serial {
namespace {

constexpr u16 kPort = 0x3f8, kInterruptEnable = kPort + 1, kFifo = kPort + 2, kLineControl = kPort + 3,
              kModemControl = kPort + 4, kLineStatus = kPort + 5, kScratch = kPort + 7;
// [PC16550D, 8.0] line status
constexpr u8 kDataReady = 0x01, kBreak = 0x10, kTransmitEmpty = 0x20, kAllSent = 0x40;
constexpr u8 kReceiveInterrupt = 0x01;
constexpr u8 kFifoOnAndCleared = 0x07;                                 // interrupt at the first byte
constexpr u8 kTerminalReady = 0x01, kRequestSend = 0x02, kOut2 = 0x08; // OUT2 opens the PC's interrupt line
constexpr u32 kFifoSize = 16;

// Global: there is one port, and its interrupt handler gets no argument.
constinit Receiver receiver;

void wait_for(u8 bit) {
    for (int i = 0; i < 100'000 && !(x86::in8(kLineStatus) & bit); ++i)
        x86::pause();
}

/// Sends bytes, up to a FIFO's length for each wait: an empty FIFO takes 16 [PC16550D, 8.4, THRE].
class Burst {
public:
    void put(char c) {
        if (room_ == 0) {
            wait_for(kTransmitEmpty);
            room_ = kFifoSize;
        }
        x86::out8(kPort, static_cast<u8>(c));
        --room_;
    }

private:
    u32 room_ = 0;
};

} // namespace

void initialise() {
    x86::out8(kInterruptEnable, 0);
    x86::out8(kLineControl, 0x80); // divisor latch
    x86::out8(kPort, 1);
    x86::out8(kInterruptEnable, 0);
    x86::out8(kLineControl, 3);
    x86::out8(kFifo, kFifoOnAndCleared);
    x86::out8(kModemControl, kTerminalReady | kRequestSend | kOut2);
}

void write(StringView text) {
    Burst burst;
    for (const char c : text) {
        if (c == '\n')
            burst.put('\r');
        burst.put(c);
    }
}

void write_raw(StringView bytes) {
    Burst burst;
    for (const char c : bytes)
        burst.put(c);
}

void drain() { wait_for(kAllSent); }

void set_receiver(const Receiver& new_receiver) { receiver = new_receiver; }

bool present() {
    x86::out8(kScratch, 0xa5);
    return x86::in8(kScratch) == 0xa5 && x86::in8(kLineStatus) != 0xff;
}

// A byte that waits already makes the edge now [PC16550D, 8.6].
void enable_interrupt() { x86::out8(kInterruptEnable, kReceiveInterrupt); }

// Until the port is empty: an edge-triggered line says nothing again while a byte is left. The bound is for a port that
// answers nonsense.
void receive() {
    constexpr u32 kMost = 4096;
    char bytes[64];
    size_t size = 0;
    for (u32 n = 0; n < kMost; ++n) {
        const u8 status = x86::in8(kLineStatus);
        if (!(status & kDataReady))
            break;
        const char byte = static_cast<char>(x86::in8(kPort));
        if (!(status & kBreak))
            bytes[size++] = byte;
        if (size > 0 && ((status & kBreak) || size == sizeof bytes)) {
            receiver.bytes(StringView(bytes, size));
            size = 0;
        }
        if (status & kBreak)
            receiver.on_break();
    }
    if (size > 0)
        receiver.bytes(StringView(bytes, size));
}

} // namespace tollgate::serial
