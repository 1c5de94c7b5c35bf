// The counter is one atomic word. Whoever changes it wakes afterwards; who waits tests it under the queue's lock.
#include "fs/eventfd.h"

#include "fs/anonymous.h"

namespace tollgate::fs {

Result<u64> EventFile::read(IoBuffer& buffer, u64, u32 flags) {
    if (buffer.size() < sizeof(u64))
        return fail(Errno::Inval);
    for (;;) {
        u64 count = count_.load(kRelaxed);
        while (count > 0) {
            const u64 taken = kind_ == EventKind::Semaphore ? 1 : count;
            // Acquire: what the writer did before it wrote is visible to who has read its count.
            if (!count_.compare_exchange_weak(count, count - taken, kAcqRel, kRelaxed))
                continue;
            changed_.wake_all(kPollOut);
            TRY(buffer.put_object(taken));
            return sizeof taken;
        }
        if (flags & kOpenNonBlock)
            return fail(Errno::Again);
        TRY(changed_.wait_while([&] { return count_.load(kRelaxed) == 0; }, kNoDeadline, kPollIn));
    }
}

Result<u64> EventFile::write(IoBuffer& buffer, u64, u32 flags) {
    if (buffer.size() < sizeof(u64))
        return fail(Errno::Inval);
    u64 added = 0;
    TRY(buffer.take_object(added));
    if (added == kTooMuch)
        return fail(Errno::Inval);
    for (;;) {
        u64 count = count_.load(kRelaxed);
        while (count < kTooMuch - added) {
            if (!count_.compare_exchange_weak(count, count + added, kAcqRel, kRelaxed))
                continue;
            changed_.wake_all(kPollIn);
            return sizeof added;
        }
        if (flags & kOpenNonBlock)
            return fail(Errno::Again);
        TRY(changed_.wait_while([&] { return count_.load(kRelaxed) >= kTooMuch - added; }, kNoDeadline, kPollOut));
    }
}

u32 EventFile::ready() {
    const u64 count = count_.load(kRelaxed);
    return (count > 0 ? kPollIn : 0) | (count < kTooMuch - 1 ? kPollOut : 0);
}

Result<FileStatus> EventFile::status() const { return anonymous_status(0600, 0); }

} // namespace tollgate::fs
