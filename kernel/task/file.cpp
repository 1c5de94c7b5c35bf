// The descriptor table. A file is always dropped outside the lock, since its last reference may have a lot to free.
#include "task/file.h"

#include "lib/memory.h"
#include "lib/mutants.h"
#include "sched/scheduler.h"

#include <bit>

namespace tollgate {

void OpenFile::add_watcher(Watcher& watcher) {
    watched_.store(true, kRelaxed); // our reference's release orders it before the destructor
    Guard guard{watchers_lock_};
    watchers_.push_back(watcher);
}

void OpenFile::remove_watcher(Watcher& watcher) {
    Guard guard{watchers_lock_};
    watchers_.remove(watcher);
}

OpenFile::Watcher* OpenFile::watcher_of(const File& owner) {
    Guard guard{watchers_lock_};
    for (Watcher& watcher : watchers_)
        if (watcher.owner == &owner)
            return &watcher;
    return nullptr;
}

// An owner that is itself going takes its watchers off under our lock before its memory goes, so that the pointer is
// good while we hold that; then there is nothing to do but to let it finish.
void OpenFile::leave_watchers() {
    for (;;) {
        Ref<File> owner;
        {
            Guard guard{watchers_lock_};
            const Watcher* const first = watchers_.front();
            if (!first)
                return;
            owner = Ref<File>::try_from(*first->owner);
        }
        if (owner)
            owner->forget(*this);
        else
            sched::yield();
    }
}

FileTable::~FileTable() NO_THREAD_SAFETY_ANALYSIS { // nobody else knows it any more
    for (u32 i = next_used_locked(0); i < capacity_; i = next_used_locked(i + 1))
        dropped(slots_[i].file);
    delete[] slots_;
    delete[] used_;
}

/// One count of a file that has left its slot.
void FileTable::dropped(OpenFile* file) {
    if (!file)
        return;
    file->file->descriptor_closed(this);
    Ref<OpenFile>::adopt(file).reset();
}

u32 FileTable::next_used_locked(u32 from) const {
    while (from < capacity_) {
        if (const u64 rest = used_[from / 64] >> from % 64; rest != 0) {
            from += static_cast<u32>(std::countr_zero(rest));
            return from;
        }
        from = (from / 64 + 1) * 64;
    }
    return capacity_;
}

FileTable::Slot* FileTable::slot_locked(int descriptor) {
    if (descriptor < 0 || static_cast<u32>(descriptor) >= capacity_ || !slots_[descriptor].file)
        return nullptr;
    return &slots_[descriptor];
}

Result<BorrowedFile> FileTable::borrow_counted(int descriptor) {
    return BorrowedFile(*TRY(get(descriptor)).leak(), true);
}

Result<Ref<OpenFile>> FileTable::get(int descriptor) {
    Guard guard{lock_};
    OpenFile* const file = file_at(descriptor);
    if (!file)
        return fail(Errno::BadF);
    return Ref<OpenFile>(*file);
}

/// Makes room for `needed` slots. Called without the lock: others may grow the table as well.
Result<void> FileTable::grow(u32 needed) {
    u32 capacity = kSmallest;
    while (capacity < needed)
        capacity *= 2;
    auto* slots = new (std::nothrow_t{}) Slot[capacity];
    auto* used = new (std::nothrow_t{}) u64[capacity / 64]();
    if (slots && used) {
        Guard guard{lock_};
        if (capacity > capacity_) {
            if (capacity_ > 0) {
                memcpy(static_cast<void*>(slots), slots_, capacity_ * sizeof(Slot));
                memcpy(used, used_, capacity_ / 8);
            }
            std::swap(slots, slots_);
            std::swap(used, used_);
            capacity_ = capacity;
        }
    } else {
        delete[] slots;
        delete[] used;
        return fail(Errno::NoMem);
    }
    delete[] slots;
    delete[] used;
    return {};
}

Result<int> FileTable::add(Ref<OpenFile> file, bool close_on_exec, int first) {
    const u32 limit = limit_.load(kRelaxed);
    if (first < 0 || (first > 0 && static_cast<u32>(first) >= limit))
        return fail(Errno::Inval);
    for (;;) {
        u32 capacity = 0, at = 0;
        {
            Guard guard{lock_};
            capacity = capacity_;
            at = static_cast<u32>(first) > lowest_free_ ? static_cast<u32>(first) : lowest_free_;
            const bool from_lowest = at == lowest_free_;
            while (at < capacity) {
                if (const u64 rest = ~used_[at / 64] >> at % 64; rest != 0) {
                    at += static_cast<u32>(std::countr_zero(rest));
                    break;
                }
                at = (at / 64 + 1) * 64;
            }
            if (at >= limit)
                return fail(Errno::MFile);
            if (at < capacity) {
                used_[at / 64] |= u64{1} << at % 64;
                slots_[at].file = file.leak();
                slots_[at].close_on_exec = close_on_exec;
                if (from_lowest)
                    lowest_free_ = at + 1;
                return static_cast<int>(at);
            }
        }
        TRY(grow(at + 1));
    }
}

OpenFile* FileTable::take_locked(u32 index) {
    used_[index / 64] &= ~(u64{1} << index % 64);
    if (index < lowest_free_)
        lowest_free_ = index;
    return std::exchange(slots_[index].file, nullptr);
}

Result<void> FileTable::close(int descriptor) {
    OpenFile* old = nullptr;
    {
        Guard guard{lock_};
        if (slot_locked(descriptor))
            old = take_locked(static_cast<u32>(descriptor));
    }
    if (!old)
        return fail(Errno::BadF);
    dropped(old);
    return {};
}

Result<int> FileTable::duplicate_to(int from, int to, bool close_on_exec) {
    if (to < 0 || static_cast<u32>(to) >= limit_.load(kRelaxed))
        return fail(Errno::BadF);
    Ref<OpenFile> file = TRY(get(from));
    if (from == to)
        return to;
    for (;;) {
        OpenFile* old = nullptr;
        bool done = false;
        {
            Guard guard{lock_};
            const u32 index = static_cast<u32>(to);
            if (index < capacity_) {
                old = std::exchange(slots_[index].file, file.leak());
                slots_[index].close_on_exec = close_on_exec;
                used_[index / 64] |= u64{1} << index % 64;
                done = true;
            }
        }
        if (done) {
            dropped(old);
            return to;
        }
        TRY(grow(static_cast<u32>(to) + 1));
    }
}

Result<bool> FileTable::closes_on_exec(int descriptor) {
    Guard guard{lock_};
    const Slot* const slot = slot_locked(descriptor);
    if (!slot)
        return fail(Errno::BadF);
    return bool{slot->close_on_exec};
}

Result<void> FileTable::set_close_on_exec(int descriptor, bool close_on_exec) {
    Guard guard{lock_};
    Slot* const slot = slot_locked(descriptor);
    if (!slot)
        return fail(Errno::BadF);
    slot->close_on_exec = close_on_exec;
    return {};
}

void FileTable::close_on_exec() {
    if (mutant(Mutant::CloseOnExec))
        return;
    for (u32 at = 0;;) {
        OpenFile* old = nullptr;
        {
            Guard guard{lock_};
            at = next_used_locked(at);
            if (at >= capacity_)
                return;
            if (slots_[at].close_on_exec)
                old = take_locked(at);
            ++at;
        }
        dropped(old);
    }
}

void FileTable::close_range(unsigned first, unsigned last, bool only_mark) {
    for (u32 at = first;;) {
        OpenFile* old = nullptr;
        {
            Guard guard{lock_};
            at = next_used_locked(at);
            if (at >= capacity_ || at > last)
                return;
            if (only_mark)
                slots_[at].close_on_exec = true;
            else
                old = take_locked(at);
            ++at;
        }
        dropped(old);
    }
}

int FileTable::next_open(int first) {
    Guard guard{lock_};
    const u32 at = next_used_locked(static_cast<u32>(first));
    return at < capacity_ ? static_cast<int>(at) : -1;
}

Result<Ref<FileTable>> FileTable::clone() NO_THREAD_SAFETY_ANALYSIS { // the copy is ours alone
    Ref<FileTable> copy = TRY(make_ref<FileTable>());
    copy->limit_.store(limit_.load(kRelaxed), kRelaxed);
    for (;;) {
        u32 capacity = 0;
        {
            Guard guard{lock_};
            capacity = capacity_;
            if (capacity <= copy->capacity_) {
                for (u32 i = next_used_locked(0); i < capacity; i = next_used_locked(i + 1)) {
                    slots_[i].file->retain();
                    copy->slots_[i] = slots_[i];
                    copy->used_[i / 64] |= u64{1} << i % 64;
                }
                copy->lowest_free_ = lowest_free_;
                return copy;
            }
        }
        TRY(copy->grow(capacity));
    }
}

} // namespace tollgate
