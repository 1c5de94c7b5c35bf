// /dev/fastcall-examples, ioctl-compatible with the published prototype's module.
#pragma once

#include "gate/fastcall/provider.h"
#include "task/file.h"

namespace tollgate::fastcall {

/// An open of the device.
Result<Ref<File>> open_examples(const Caller*, u32 flags);
/// Test builds: registers the function that reads any address it is given; its index.
Result<u64> register_probe(Process& process);

} // namespace tollgate::fastcall
