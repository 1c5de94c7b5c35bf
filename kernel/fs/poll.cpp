// The entries of a PollSet are watches on the files' queues; each notice sets one flag and wakes the one thread.
#include "fs/poll.h"

namespace tollgate::fs {

void PollSet::notify(Watch& watch, u64 key) {
    Entry& entry = static_cast<Entry&>(watch);
    if (key != 0 && (key & (entry.events | kPollAlways)) == 0)
        return;
    // The queue's lock orders this before the wake.
    entry.set->changed_.store(true, kRelaxed);
    entry.set->changes_.wake_all();
}

Result<PollSet::Entry*> PollSet::new_entry() {
    if (used_ < kFew)
        return &few_[used_++];
    if (used_in_more_ == kMore) {
        auto more = TRY(make_owned<More>());
        more->next = std::move(more_);
        more_ = std::move(more);
        used_in_more_ = 0;
    }
    return &more_->entries[used_in_more_++];
}

Result<void> PollSet::add(Ref<OpenFile> open, u32 events) {
    WaitQueue* const queue = open->file->ready_queue();
    if (!queue)
        return {}; // it never changes
    Entry& entry = *TRY(new_entry());
    entry.notify = notify;
    entry.set = this;
    entry.events = events;
    entry.open = std::move(open);
    entry.queue = queue;
    queue->watch(entry);
    return {};
}

Result<void> PollSet::wait(Deadline deadline) {
    TRY(changes_.wait_while([&] { return !changed_.load(kRelaxed); }, deadline));
    // The caller looks at the files after this; a change that comes later sets it again.
    changed_.store(false, kSeqCst);
    return {};
}

void PollSet::leave(Entry& entry) {
    if (entry.queue)
        entry.queue->unwatch(entry);
}

PollSet::~PollSet() {
    for (Entry& entry : few_)
        leave(entry);
    // One after the other, so that a long chain does not become a deep recursion.
    while (more_) {
        for (Entry& entry : more_->entries)
            leave(entry);
        Owned<More> next = std::move(more_->next);
        more_ = std::move(next);
    }
}

} // namespace tollgate::fs
