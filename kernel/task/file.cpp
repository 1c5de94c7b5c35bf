// The descriptor table. A file is always dropped outside the lock, since its last reference may have a lot to free.
#include "task/file.h"

#include "sched/scheduler.h"

namespace tollgate {

namespace {

constexpr bool in_table(int descriptor) {
    return descriptor >= 0 && static_cast<unsigned>(descriptor) < FileTable::kSize;
}

} // namespace

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

Result<Ref<OpenFile>> FileTable::get(int descriptor) {
    if (!in_table(descriptor))
        return fail(Errno::BadF);
    Guard guard{lock_};
    const Slot& slot = slots_[static_cast<unsigned>(descriptor)];
    if (!slot.file)
        return fail(Errno::BadF);
    return slot.file;
}

Result<int> FileTable::add(Ref<OpenFile> file, bool close_on_exec, int first) {
    if (!in_table(first))
        return fail(Errno::Inval);
    Guard guard{lock_};
    for (unsigned i = static_cast<unsigned>(first); i < kSize; ++i) {
        if (slots_[i].file)
            continue;
        slots_[i].file = std::move(file);
        slots_[i].close_on_exec = close_on_exec;
        return static_cast<int>(i);
    }
    return fail(Errno::MFile);
}

Result<void> FileTable::close(int descriptor) {
    if (!in_table(descriptor))
        return fail(Errno::BadF);
    Ref<OpenFile> old;
    Guard guard{lock_};
    old = std::move(slots_[static_cast<unsigned>(descriptor)].file);
    if (!old)
        return fail(Errno::BadF);
    return {};
}

Result<int> FileTable::duplicate_to(int from, int to, bool close_on_exec) {
    if (!in_table(from) || !in_table(to))
        return fail(Errno::BadF);
    Ref<OpenFile> old;
    Guard guard{lock_};
    const Ref<OpenFile>& file = slots_[static_cast<unsigned>(from)].file;
    if (!file)
        return fail(Errno::BadF);
    if (from == to)
        return to;
    Slot& target = slots_[static_cast<unsigned>(to)];
    old = std::move(target.file);
    target.file = file;
    target.close_on_exec = close_on_exec;
    return to;
}

Result<bool> FileTable::closes_on_exec(int descriptor) {
    if (!in_table(descriptor))
        return fail(Errno::BadF);
    Guard guard{lock_};
    const Slot& slot = slots_[static_cast<unsigned>(descriptor)];
    if (!slot.file)
        return fail(Errno::BadF);
    return bool{slot.close_on_exec};
}

Result<void> FileTable::set_close_on_exec(int descriptor, bool close_on_exec) {
    if (!in_table(descriptor))
        return fail(Errno::BadF);
    Guard guard{lock_};
    Slot& slot = slots_[static_cast<unsigned>(descriptor)];
    if (!slot.file)
        return fail(Errno::BadF);
    slot.close_on_exec = close_on_exec;
    return {};
}

void FileTable::close_on_exec() {
    for (unsigned i = 0; i < kSize; ++i) {
        Ref<OpenFile> old;
        Guard guard{lock_};
        if (slots_[i].file && slots_[i].close_on_exec)
            old = std::move(slots_[i].file);
    }
}

Result<Ref<FileTable>> FileTable::clone() {
    Ref<FileTable> copy = TRY(make_ref<FileTable>());
    Guard guard{lock_};
    copy->fill(slots_);
    return copy;
}

void FileTable::fill(const std::array<Slot, kSize>& slots) NO_THREAD_SAFETY_ANALYSIS {
    slots_ = slots; // nobody else knows this table yet, and taking a second lock of the same rank would be a panic
}

} // namespace tollgate
