// Making pipes and event counters.
#include "fs/pipe.h"
#include "fs/eventfd.h"
#include "syscall/handlers.h"

namespace tollgate {
namespace {

struct Descriptors {
    i32 reader, writer;
};

} // namespace

Result<u64> sys_pipe2(Caller& caller, UserPtr<i32> to, u32 flags) {
    if (flags & ~(kOpenCloseOnExec | kOpenNonBlock)) // packets (O_DIRECT) and notices are not there
        return fail(Errno::Inval);
    auto ends = TRY(fs::make_pipe(flags & kOpenNonBlock));
    const bool close_on_exec = flags & kOpenCloseOnExec;
    Descriptors pair{};
    pair.reader = TRY(caller.files->add(std::move(ends.reader), close_on_exec));
    const auto writer = caller.files->add(std::move(ends.writer), close_on_exec);
    if (!writer) {
        (void)caller.files->close(pair.reader);
        return fail(writer.error());
    }
    pair.writer = *writer;
    if (const auto told = copy_to_user(UserPtr<Descriptors>(to.address()), pair); !told) {
        (void)caller.files->close(pair.reader);
        (void)caller.files->close(pair.writer);
        return fail(told.error());
    }
    return 0;
}

Result<u64> sys_pipe(Caller& caller, UserPtr<i32> to) { return sys_pipe2(caller, to, 0); }

Result<u64> sys_eventfd2(Caller& caller, u32 count, u32 flags) {
    if (flags & ~(fs::kEventSemaphore | kOpenCloseOnExec | kOpenNonBlock))
        return fail(Errno::Inval);
    const auto kind = flags & fs::kEventSemaphore ? fs::EventKind::Semaphore : fs::EventKind::Counter;
    Ref<File> file = TRY(make_ref<fs::EventFile>(u64{count}, kind));
    auto open = TRY(make_ref<OpenFile>(std::move(file), kOpenReadWrite | (flags & kOpenNonBlock)));
    return static_cast<u64>(TRY(caller.files->add(std::move(open), flags & kOpenCloseOnExec)));
}

Result<u64> sys_eventfd(Caller& caller, u32 count) { return sys_eventfd2(caller, count, 0); }

} // namespace tollgate
