#include "fs/console.h"

#include "debug/log.h"

namespace tollgate::fs {
namespace {

/// Output goes where the kernel's log goes, line by line with it, so that neither tears the other.
class SerialTty final : public Tty {
public:
    SerialTty() : Tty(serial_settings()) {}
    u32 major() const override { return kSerialMajor; }
    u32 minor() const override { return kSerialMinor; }

private:
    static Termios serial_settings() {
        constexpr u32 kBaud115200 = 010002, kLocal = 04000;
        Termios settings;
        settings.control = kBaud115200 | kSize8 | kCRead | kHupClose | kLocal;
        settings.input_speed = settings.output_speed = 115200;
        return settings;
    }
    u64 transmit(StringView bytes) override {
        console_write_raw(bytes);
        return bytes.size();
    }
};

constinit Tty* terminal = nullptr; // global: the machine has one console; never freed

} // namespace

Result<void> make_console() {
    terminal = TRY(make_ref<SerialTty>())
    .leak();
    return {};
}

void console_received(StringView bytes) { (void)terminal->receive(bytes); }
void console_break() { terminal->receive_break(); }
Tty& console() { return *terminal; }

} // namespace tollgate::fs
