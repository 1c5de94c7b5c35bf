// Opening what mknod(2) has made.
#include "fs/special.h"

#include "fs/vfs.h"

namespace tollgate::fs {
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
