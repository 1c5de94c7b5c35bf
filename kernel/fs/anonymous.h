// What fstat(2) says about files without a place in the tree: pipes, sockets, event counters.
#pragma once

#include "lib/atomic.h"
#include "task/file.h"

namespace tollgate::fs {

/// A number of its own for each such file.
u64 next_anonymous_inode();

inline FileStatus anonymous_status(u32 mode, u64 inode) {
    FileStatus status{};
    status.device = 5; // all of them lie on one device, as Linux' lie on pipefs, sockfs and anon_inodefs
    status.inode = inode;
    status.links = 1;
    status.mode = mode;
    status.block_size = 4096;
    return status;
}

} // namespace tollgate::fs
