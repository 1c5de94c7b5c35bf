// Waiting for any of several files: what poll(2) and select(2) do once they have found nothing ready. epoll(7) is in
// fs/epoll.h.
#pragma once

#include "lib/unique_ptr.h"
#include "task/file.h"

namespace tollgate::fs {

// [asm-generic/poll.h] what poll(2) and epoll(7) know beyond a file's own kPoll*
inline constexpr u32 kPollReadNormal = 0x40, kPollReadBand = 0x80, kPollWriteNormal = 0x100, kPollWriteBand = 0x200;
/// Reported whether asked for or not.
inline constexpr u32 kPollAlways = kPollError | kPollHangUp;

/// A file's state with the old names for the same things.
inline u32 poll_state(File& file) {
    const u32 state = file.ready();
    return state | (state & kPollIn ? kPollReadNormal : 0) | (state & kPollOut ? kPollWriteNormal : 0);
}

/// A set of files that one thread watches. Add them all, look at each once more, then wait: a change in between ends
/// the wait at once. Keeps the files open while it watches.
class PollSet {
public:
    PollSet() = default;
    PollSet(const PollSet&) = delete;
    PollSet& operator=(const PollSet&) = delete;
    ~PollSet();

    /// `events` are what the caller looks for (kPoll*). Errno::NoMem.
    Result<void> add(Ref<OpenFile> open, u32 events);
    /// Until something has changed since the last wait(), or since the files were added. Errors as of
    /// WaitQueue::wait_while().
    Result<void> wait(Deadline deadline);

private:
    struct Entry : Watch {
        PollSet* set = nullptr;
        WaitQueue* queue = nullptr; // null: not in use
        u32 events = 0;
        Ref<OpenFile> open;
    };
    static constexpr unsigned kFew = 4, kMore = 30;
    struct More {
        Entry entries[kMore];
        Owned<More> next;
    };
    Result<Entry*> new_entry();
    static void notify(Watch& watch, u64 key);
    static void leave(Entry& entry);

    WaitQueue changes_{LockRank::Poller};
    Atomic<bool> changed_{false};
    unsigned used_ = 0, used_in_more_ = kMore;
    Entry few_[kFew];
    Owned<More> more_; // the newest first
};

} // namespace tollgate::fs
