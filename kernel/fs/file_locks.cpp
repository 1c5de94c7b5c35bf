// A range is cut out of its owner's locks by at most two new pieces, allocated before anything changes.
#include "fs/file_locks.h"

#include "lib/unique_ptr.h"

namespace tollgate::fs {
namespace {

bool overlap(const FileLock& left, const FileLock& right) { return left.start < right.end && right.start < left.end; }

FileLock copy_of(const FileLock& lock, u64 start, u64 end) {
    return {lock.kind, lock.exclusive, lock.owner, lock.process, start, end, {}};
}

Result<Owned<FileLock>> make_lock(const FileLock& lock, u64 start, u64 end) {
    auto* const made = new (std::nothrow_t{}) FileLock(copy_of(lock, start, end));
    if (!made)
        return fail(Errno::NoMem);
    return Owned<FileLock>(made);
}

} // namespace

FileLocks::~FileLocks() {
    Guard guard{lock_};
    while (FileLock* const lock = locks_.pop_front())
        delete lock;
}

const FileLock* FileLocks::conflict_locked(const FileLock& wanted) const {
    for (const FileLock& lock : locks_)
        if (lock.kind == wanted.kind && lock.owner != wanted.owner && (lock.exclusive || wanted.exclusive) &&
            overlap(lock, wanted))
            return &lock;
    return nullptr;
}

/// True once done; Again while somebody is in the way.
Result<bool> FileLocks::replace_locked(const FileLock& wanted, bool unlock) {
    if (!unlock && conflict_locked(wanted))
        return fail(Errno::Again);
    Owned<FileLock> fresh, behind;
    if (!unlock)
        fresh = TRY(make_lock(wanted, wanted.start, wanted.end));
    behind = TRY(make_lock(wanted, 0, 0));
    for (FileLock& lock : locks_) {
        if (lock.kind != wanted.kind || lock.owner != wanted.owner || !overlap(lock, wanted))
            continue;
        const bool keeps_front = lock.start<wanted.start, keeps_back = lock.end> wanted.end;
        if (keeps_front && keeps_back) {
            behind->exclusive = lock.exclusive;
            behind->start = wanted.end;
            behind->end = lock.end;
            lock.end = wanted.start;
            locks_.push_back(*behind.release());
            count_.fetch_add(1, kRelaxed);
            break; // one owner's locks do not overlap: no other can reach into the range
        }
        if (keeps_front) {
            lock.end = wanted.start;
        } else if (keeps_back) {
            lock.start = wanted.end;
        } else {
            locks_.remove(lock);
            count_.fetch_sub(1, kRelaxed);
            delete &lock;
        }
    }
    if (fresh) {
        locks_.push_back(*fresh.release());
        count_.fetch_add(1, kRelaxed);
    }
    return true;
}

void FileLocks::changed() {
    changes_.fetch_add(1, kRelease);
    waiters_.wake_all();
}

Result<void> FileLocks::set(const FileLock& wanted, bool unlock, bool wait) {
    for (;;) {
        const u32 seen = changes_.load(kAcquire);
        Result<bool> done = [&] {
            Guard guard{lock_};
            return replace_locked(wanted, unlock);
        }();
        if (done) {
            changed(); // an unlock, or an exclusive lock that became shared, lets others in
            return {};
        }
        if (done.error() != Errno::Again || !wait)
            return fail(done.error());
        TRY(waiters_.wait_while([&] { return changes_.load(kAcquire) == seen; }));
    }
}

bool FileLocks::find_conflict(const FileLock& wanted, FileLock& conflict) {
    Guard guard{lock_};
    const FileLock* const found = conflict_locked(wanted);
    if (!found)
        return false;
    conflict.exclusive = found->exclusive;
    conflict.process = found->process;
    conflict.start = found->start;
    conflict.end = found->end;
    return true;
}

void FileLocks::release(const void* owner) {
    if (count_.load(kRelaxed) == 0)
        return;
    {
        Guard guard{lock_};
        for (FileLock& lock : locks_) {
            if (lock.owner != owner)
                continue;
            locks_.remove(lock);
            count_.fetch_sub(1, kRelaxed);
            delete &lock;
        }
    }
    changed();
}

} // namespace tollgate::fs
