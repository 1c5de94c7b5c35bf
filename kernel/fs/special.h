// What mknod(2) makes besides regular files: named pipes, devices by number, and names of sockets.
#pragma once

#include "fs/node.h"

namespace tollgate::fs {

/// A named pipe. Its pipe is made by who opens it first and lives as long as the node.
class FifoNode final : public Node {
public:
    explicit FifoNode(u32 permissions) : Node(kTmpfs, kModeFifo | permissions) {}
    Result<Ref<File>> open(const Caller* caller, u32 flags) override;

    /// What the pipe layer keeps with the node.
    struct State : RefCounted {
        virtual ~State() = default;
    };
    Ref<State> state() {
        Guard guard{lock_};
        return state_;
    }
    /// Keeps `state` unless there is one already; what there is then.
    Ref<State> state_or(Ref<State> state) {
        Guard guard{lock_};
        if (!state_)
            state_ = state;
        return state_;
    }

private:
    Spinlock lock_{LockRank::File};
    Ref<State> state_ GUARDED_BY(lock_);
};

/// How the pipe layer opens a FIFO; it sets this at boot.
using FifoOpener = Result<Ref<File>> (*)(FifoNode& node, const Caller* caller, u32 flags);
void set_fifo_opener(FifoOpener opener);

/// The name of a socket that nobody listens at (mknod(2)); bind(2) makes nodes of its own.
class DeadSocketNode final : public Node {
public:
    explicit DeadSocketNode(u32 permissions) : Node(kTmpfs, kModeSocket | permissions) {}
    Result<Ref<File>> open(const Caller*, u32) override { return fail(Errno::Nxio); }
};

/// A device's number as Linux packs it for user space [linux/kdev_t.h, new_encode_dev].
constexpr u64 device_number(u32 major, u32 minor) {
    return (minor & 0xff) | u64{major} << 8 | u64{minor & ~0xffu} << 12;
}

/// A device that is known by its number only. It opens what /dev has under that number.
class NumberedDevice final : public Node {
public:
    NumberedDevice(u32 mode, u32 major, u32 minor) : Node(kTmpfs, mode), major_(major), minor_(minor) {}
    Result<Ref<File>> open(const Caller* caller, u32 flags) override;
    u64 special_device() const override;

private:
    const u32 major_, minor_;
};

} // namespace tollgate::fs
