// Opening what mknod(2) has made.
#include "fs/special.h"

#include "fs/vfs.h"

namespace tollgate::fs {
namespace {

constinit FifoOpener fifo_opener = nullptr; // global: one pipe layer, above or beside this one; set once at boot

} // namespace

void set_fifo_opener(FifoOpener opener) { fifo_opener = opener; }

Result<Ref<File>> FifoNode::open(const Caller* caller, u32 flags) {
    if (!fifo_opener)
        return fail(Errno::Nxio);
    return fifo_opener(*this, caller, flags);
}

u64 NumberedDevice::special_device() const { return device_number(major_, minor_); }

Ref<Node> find_device(u32 major, u32 minor) {
    const auto dev = lookup(nullptr, nullptr, "/dev");
    if (!dev || !(*dev)->as_directory())
        return {};
    Guard guard{tree_lock};
    Node* const found = TreeAccess::find_device(*(*dev)->as_directory(), device_number(major, minor));
    return found ? Ref<Node>(*found) : Ref<Node>();
}

Result<Ref<File>> NumberedDevice::open(const Caller* caller, u32 flags) {
    if (type() != kModeCharacter)
        return fail(Errno::Nxio); // no block device is known
    const Ref<Node> device = find_device(major_, minor_);
    if (!device)
        return fail(Errno::Nxio);
    return device->open(caller, flags);
}

} // namespace tollgate::fs
