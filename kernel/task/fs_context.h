// Where the paths of a process start, and its file creation mask: what CLONE_FS shares. The directories are the file
// layer's (fs/context.h); a process only keeps, copies and drops them.
#pragma once

#include "lib/ref.h"

namespace tollgate {

class FsContext : public RefCounted {
public:
    virtual ~FsContext() = default;
    /// The same directories and mask in an object of its own, for fork. Errno::NoMem.
    virtual Result<Ref<FsContext>> clone() = 0;

    Atomic<u32> umask{022};
};

} // namespace tollgate
