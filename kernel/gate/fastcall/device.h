// /dev/fastcall-examples, ioctl-compatible with the published prototype's module.
#pragma once

#include "task/file.h"

namespace tollgate::fastcall {

/// An open of the device.
Result<Ref<File>> open_examples(const Caller*, u32 flags);

} // namespace tollgate::fastcall
