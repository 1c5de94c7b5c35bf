// The devices in /dev: null, zero, full, random, urandom, tty, console, debugcon, and those that the gates add.
#include "fs/console.h"
#include "fs/pty.h"
#include "fs/random.h"
#include "fs/vfs.h"

namespace tollgate::fs {
namespace {

using DebugWriter = void (*)(unsigned which, StringView);
constinit DebugWriter debug_console = nullptr; // global: the machine's ports; set once at boot

/// Text goes to the console in pieces of this size.
constexpr u64 kPiece = 256;

// Linux' numbers [Documentation/admin-guide/devices.txt]
constexpr u32 kMemoryMajor = 1, kMiscMajor = 10;

template <u32 Major, u32 Minor>
class Device : public File {
public:
    static constexpr u32 kMajor = Major, kMinor = Minor;
    Result<FileStatus> status() const override { return opened_by->status(); }
    Node* node() const override { return opened_by.get(); }
    Ref<Node> opened_by; ///< set before anybody else sees the file
};

class NullDevice final : public Device<kMemoryMajor, 3> {
public:
    Result<u64> read(IoBuffer&, u64, u32) override { return 0; }
    Result<u64> write(IoBuffer& buffer, u64, u32) override { return buffer.size(); }
};

class ZeroDevice final : public Device<kMemoryMajor, 5> {
public:
    Result<u64> read(IoBuffer& buffer, u64, u32) override { return buffer.clear_rest(); }
    Result<u64> write(IoBuffer& buffer, u64, u32) override { return buffer.size(); }
};

class FullDevice final : public Device<kMemoryMajor, 7> {
public:
    Result<u64> read(IoBuffer& buffer, u64, u32) override { return buffer.clear_rest(); }
    Result<u64> write(IoBuffer&, u64, u32) override { return fail(Errno::NoSpc); }
};

template <u32 Minor>
class RandomDevice final : public Device<kMemoryMajor, Minor> {
public:
    Result<u64> read(IoBuffer& buffer, u64, u32) override {
        const u64 size = buffer.size();
        while (buffer.size() > 0) {
            std::byte piece[kRandomPiece];
            const u64 part = buffer.size() < kRandomPiece ? buffer.size() : kRandomPiece;
            random_bytes({piece, part});
            TRY(buffer.put(piece, part));
        }
        return size;
    }
    /// Accepted and not mixed in: a program must not be able to steer the generator.
    Result<u64> write(IoBuffer& buffer, u64, u32) override { return buffer.size(); }
};

/// Hands all of a user buffer to `write_text`, piece by piece; what got out before a fault counts.
template <class Write>
Result<u64> write_pieces(IoBuffer& buffer, Write write_text) {
    u64 done = 0;
    while (buffer.size() > 0) {
        char piece[kPiece];
        const u64 size = buffer.size() < kPiece ? buffer.size() : kPiece;
        if (const auto taken = buffer.take(piece, size); !taken) {
            if (done > 0)
                return done;
            return fail(taken.error());
        }
        write_text(StringView(piece, size));
        done += size;
    }
    return done;
}

template <unsigned which>
class DebugDevice final : public Device<kMiscMajor, 200 + which> {
public:
    Result<u64> write(IoBuffer& buffer, u64, u32) override {
        if (!debug_console)
            return fail(Errno::Nxio);
        return write_pieces(buffer, [](StringView piece) { debug_console(which, piece); });
    }
};

template <class T>
Result<Ref<File>> open_device(const Caller*, u32, Ref<Node> node) {
    Ref<T> file = TRY(make_ref<T>());
    file->opened_by = std::move(node);
    return Ref<File>(std::move(file));
}

class DeviceNode final : public Node {
public:
    DeviceNode(DeviceOpener opener, u32 major, u32 minor)
        : Node(kDevfs, kModeCharacter | 0666), opener_(opener), major_(major), minor_(minor) {}
    Result<Ref<File>> open(const Caller* caller, u32 flags) override { return opener_(caller, flags); }
    u64 special_device() const override { return u64{major_} << 8 | minor_; } // as Linux packs numbers below 256

private:
    const DeviceOpener opener_;
    const u32 major_, minor_;
};

/// A device whose open files say by which name they were opened.
class NamedDevice final : public Node {
public:
    using Opener = Result<Ref<File>> (*)(const Caller* caller, u32 flags, Ref<Node> node);
    NamedDevice(Opener opener, u32 major, u32 minor)
        : Node(kDevfs, kModeCharacter | 0666), opener_(opener), major_(major), minor_(minor) {}
    Result<Ref<File>> open(const Caller* caller, u32 flags) override {
        return opener_(caller, flags, Ref<Node>(*this));
    }
    u64 special_device() const override { return u64{major_} << 8 | minor_; }

private:
    const Opener opener_;
    const u32 major_, minor_;
};

Result<Ref<File>> open_console(const Caller* caller, u32 flags, Ref<Node> node) {
    return console().open_as(caller, flags, std::move(node));
}

/// /dev/tty: whatever terminal controls the caller.
Result<Ref<File>> open_own_terminal(const Caller* caller, u32 flags, Ref<Node> node) {
    const Ref<Tty> terminal = caller ? terminal_of(*caller) : Ref<Tty>();
    if (!terminal)
        return fail(Errno::Nxio);
    return terminal->open_as(caller, flags | kOpenNoTty, std::move(node));
}

Result<void> add_terminals(Directory& dev) {
    TRY(make_console());
    TRY(dev.add("tty", TRY(make_ref<NamedDevice>(open_own_terminal, kTtyMajor, kTtyMinor))));
    TRY(dev.add("console", TRY(make_ref<NamedDevice>(open_console, kTtyMajor, kConsoleMinor))));
    TRY(dev.add("ttyS0", TRY(make_ref<NamedDevice>(open_console, kSerialMajor, kSerialMinor))));
    TRY(dev.add("ptmx", TRY(make_ref<NamedDevice>(open_ptmx, kTtyMajor, kPtmxMinor))));
    return make_pty_directory(dev);
}

Result<void> add_link(Directory& dev, StringView name, StringView target) {
    return dev.add(name, TRY(make_ref<Link>(TRY(LinkText::make(target)), kDevfs)));
}

Result<void> add_device_to(Directory& dev, StringView name, DeviceOpener opener, u32 major, u32 minor) {
    return dev.add(name, TRY(make_ref<DeviceNode>(opener, major, minor)));
}

template <class T>
Result<void> add_own(Directory& dev, StringView name) {
    return dev.add(name, TRY(make_ref<NamedDevice>(open_device<T>, T::kMajor, T::kMinor)));
}

} // namespace

FileStatus device_status(u32 major, u32 minor) {
    FileStatus status{};
    status.device = 2;
    status.inode = u64{major} << 8 | minor;
    status.links = 1;
    status.mode = kModeCharacter | 0666;
    status.special_device = u64{major} << 8 | minor; // as Linux packs numbers below 256
    status.block_size = 4096;
    return status;
}

void set_debug_console(void (*write)(unsigned, StringView)) { debug_console = write; }

Result<void> add_device(StringView name, DeviceOpener open_device, u32 major, u32 minor) {
    const Ref<Node> dev = TRY(lookup(nullptr, nullptr, "/dev"));
    return add_device_to(*dev->as_directory(), name, open_device, major, minor);
}

Result<void> add_devices(Directory& dev) {
    TRY(add_own<NullDevice>(dev, "null"));
    TRY(add_own<ZeroDevice>(dev, "zero"));
    TRY(add_own<FullDevice>(dev, "full"));
    TRY(add_own<RandomDevice<8>>(dev, "random"));
    TRY(add_own<RandomDevice<9>>(dev, "urandom"));
    TRY(add_terminals(dev));
    TRY(add_link(dev, "fd", "/proc/self/fd"));
    TRY(add_link(dev, "stdin", "/proc/self/fd/0"));
    TRY(add_link(dev, "stdout", "/proc/self/fd/1"));
    TRY(add_link(dev, "stderr", "/proc/self/fd/2"));
    TRY(dev.add("shm", TRY(make_ref<Directory>(kTmpfs, 01777, Growth::Free))));
    TRY(add_own<DebugDevice<0>>(dev, "debugcon"));
    TRY(add_own<DebugDevice<1>>(dev, "debugcon1"));
    return add_own<DebugDevice<2>>(dev, "debugcon2");
}

} // namespace tollgate::fs
