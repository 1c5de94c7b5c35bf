// memfd_create(2): a regular file in memory that has no name. Sealing is the file's (fs/tmpfs.h).
#include "fs/tmpfs.h"
#include "fs/vfs.h"
#include "syscall/handlers.h"

namespace tollgate {

Result<u64> sys_memfd_create(Caller& caller, UserPtr<const char> name, u32 flags) {
    constexpr u32 kCloseOnExec = 1, kAllowSealing = 2; // [linux/memfd.h]
    constexpr u64 kMostName = 250;                     // with the NUL: NAME_MAX without "memfd:"
    if (flags & ~(kCloseOnExec | kAllowSealing))
        return fail(Errno::Inval);
    char text[kMostName]; // checked only: the name is for show in /proc, which says "memfd" for all of them
    if (const auto read = copy_string_from_user(text, name); !read)
        return fail(read.error() == Errno::NameTooLong ? Errno::Inval : read.error());
    const auto node = TRY(make_ref<fs::RegularNode>(0777u));
    if (flags & kAllowSealing)
        node->allow_seals();
    auto open = TRY(fs::open_node(nullptr, *node, kOpenReadWrite));
    return static_cast<u64>(TRY(caller.files->add(std::move(open), flags & kCloseOnExec)));
}

} // namespace tollgate
