// What mknod(2) makes besides regular files: named pipes, devices by number, and names of sockets.
#pragma once

#include "fs/node.h"
#include "fs/pipe.h"

namespace tollgate::fs {

/// A named pipe. Its pipe is there while somebody has it open.
class FifoNode final : public Node {
public:
    explicit FifoNode(u32 permissions) : Node(kTmpfs, kModeFifo | permissions) {}
    Result<Ref<File>> open(const Caller*, u32 flags) override { return point_.open(*this, flags); }

private:
    FifoPoint point_;
};

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
