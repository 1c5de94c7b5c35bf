// Advisory locks of a file: flock(2)'s on the whole, and byte ranges of fcntl(2), owned by a process (its descriptor
// table) or by an open file description (OFD locks).
#pragma once

#include "lib/list.h"
#include "sched/wait_queue.h"

namespace tollgate::fs {

enum class LockKind : u8 { Flock, Range };

struct FileLock {
    LockKind kind;
    bool exclusive;
    const void* owner; ///< a FileTable or an OpenFile: only compared
    i32 process;       ///< for F_GETLK; -1 for OFD locks
    u64 start, end;    ///< bytes [start, end); ~0 is the end of all
    ListLink<FileLock> link;
};

class FileLocks {
public:
    FileLocks() = default;
    ~FileLocks();

    /// Sets a lock in place of what its owner had of that kind in the range, or, with `unlock`, takes that away.
    /// Errors: Again (somebody else's is in the way), NoMem; with `wait` it sleeps instead: RestartSys.
    Result<void> set(const FileLock& lock, bool unlock, bool wait);
    /// The first lock of somebody else that would be in the way; false if there is none.
    bool find_conflict(const FileLock& lock, FileLock& conflict);
    /// Drops all locks of one owner: it is closed.
    void release(const void* owner);

private:
    const FileLock* conflict_locked(const FileLock& lock) const REQUIRES(lock_);
    Result<bool> replace_locked(const FileLock& lock, bool unlock) REQUIRES(lock_);
    void changed();

    Spinlock lock_{LockRank::File};
    List<FileLock, &FileLock::link> locks_ GUARDED_BY(lock_);
    Atomic<u32> count_{0};   // so that closing a file without locks costs one look
    Atomic<u32> changes_{0}; // waiters look for a change
    WaitQueue waiters_;
};

} // namespace tollgate::fs
