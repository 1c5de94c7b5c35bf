// Items and their ready list. Lock order: the instance's mutex; then, under spinlocks, the watched file's queue, the
// nesting lock, the ready list, the queue of those who wait in epoll_wait(2). A notice comes under the watched queue's
// lock and so takes the last three only.
#include "fs/epoll.h"

#include "fs/anonymous.h"

namespace tollgate::fs {
namespace {

/// The instances in a chain of nested ones, at most [man 2 epoll_ctl, ELOOP].
constexpr unsigned kMostNested = 5;
constexpr u32 kFlags = kEpollExclusive | kEpollWakeUp | kEpollOneShot | kEpollEdge;

/// Global: nesting joins instances into one graph, which is walked from any of them.
constinit Spinlock nest_lock{LockRank::EpollNest};

u64 hash_of(const OpenFile& open, int descriptor) {
    return (reinterpret_cast<u64>(&open) >> 6) + static_cast<u64>(descriptor);
}

} // namespace

Epoll::Epoll() = default;

Result<Ref<Epoll>> Epoll::create() { return make_ref<Epoll>(); }

// Nobody else has the instance any more. An open file that is going at the same time waits until its items are off.
Epoll::~Epoll() {
    MutexGuard guard{mutex_};
    for (u64 i = 0; i < chain_count_; ++i)
        while (chains_[i])
            remove_item(*chains_[i]);
    if (chains_ != first_chains_)
        delete[] chains_;
}

/// Where the pointer to the item is, or would be.
Epoll::Item** Epoll::place_of(const OpenFile& open, int descriptor) {
    Item** place = &chains_[hash_of(open, descriptor) & (chain_count_ - 1)];
    while (*place && ((*place)->open != &open || (*place)->descriptor != descriptor))
        place = &(*place)->next;
    return place;
}

Result<Epoll::Item*> Epoll::find(const OpenFile& open, int descriptor) {
    Item* const item = *place_of(open, descriptor);
    if (!item)
        return fail(Errno::NoEnt);
    return item;
}

/// Twice the chains, if there is memory; the table works with long ones too.
void Epoll::grow() {
    const u64 more = chain_count_ * 2;
    Item** const fresh = new (std::nothrow_t{}) Item*[more]();
    if (!fresh)
        return;
    for (u64 i = 0; i < chain_count_; ++i) {
        while (Item* const item = chains_[i]) {
            chains_[i] = item->next;
            Item*& chain = fresh[hash_of(*item->open, item->descriptor) & (more - 1)];
            item->next = chain;
            chain = item;
        }
    }
    if (chains_ != first_chains_)
        delete[] chains_;
    chains_ = fresh;
    chain_count_ = more;
}

Result<void> Epoll::add(OpenFile& open, int descriptor, const EpollEvent& event) {
    File& file = *open.file;
    WaitQueue* const queue = file.ready_queue();
    if (!queue)
        return fail(Errno::Perm);
    Epoll* const child = file.kind() == FileKind::Epoll ? static_cast<Epoll*>(&file) : nullptr;
    MutexGuard guard{mutex_};
    if (*place_of(open, descriptor))
        return fail(Errno::Exist);
    Item* const item = new (std::nothrow_t{}) Item{};
    if (!item)
        return fail(Errno::NoMem);
    item->epoll = this;
    item->owner = this;
    item->open = &open;
    item->descriptor = descriptor;
    item->events.store(event.events | kPollAlways, kRelaxed);
    item->data = event.data;
    item->notify = notify;
    if (child) {
        if (const auto nested = nest(*item, *child); !nested) {
            delete item;
            return fail(nested.error());
        }
    } else {
        item->queue = queue;
        queue->watch(*item);
    }
    if (item_count_ >= chain_count_ * 2)
        grow();
    Item*& chain = chains_[hash_of(open, descriptor) & (chain_count_ - 1)];
    item->next = chain;
    chain = item;
    ++item_count_;
    open.add_watcher(*item);
    // A change before the watch was set has no notice, so we look.
    if (state_of(*item) != 0)
        make_ready(*item);
    return {};
}

Result<void> Epoll::modify(OpenFile& open, int descriptor, const EpollEvent& event) {
    MutexGuard guard{mutex_};
    Item& item = *TRY(find(open, descriptor));
    if ((item.events.load(kRelaxed) | event.events) & kEpollExclusive)
        return fail(Errno::Inval);
    item.data = event.data;
    item.events.store(event.events | kPollAlways, kSeqCst); // before we look: a notice from now on knows them
    if (state_of(item) != 0)
        make_ready(item);
    return {};
}

Result<void> Epoll::remove(OpenFile& open, int descriptor) {
    MutexGuard guard{mutex_};
    remove_item(*TRY(find(open, descriptor)));
    return {};
}

void Epoll::forget(OpenFile& open) {
    MutexGuard guard{mutex_};
    while (OpenFile::Watcher* const watcher = open.watcher_of(*this))
        remove_item(static_cast<Item&>(*watcher));
}

void Epoll::remove_item(Item& item) {
    // First the notices stop, so that the item is not put on the ready list again.
    if (item.child)
        unnest(item);
    else
        item.queue->unwatch(item);
    if (item.ready_link.linked())
        unlist(item);
    *place_of(*item.open, item.descriptor) = item.next;
    --item_count_;
    item.open->remove_watcher(item);
    delete &item;
}

/// What of the wanted states holds now. The file is open: the caller has the mutex, which forget() needs.
u32 Epoll::state_of(const Item& item) {
    const u32 wanted = item.events.load(kRelaxed) & ~kFlags;
    return wanted == 0 ? 0 : poll_state(*item.open->file) & (wanted | kPollAlways);
}

void Epoll::notify(Watch& watch, u64 key) {
    Item& item = static_cast<Item&>(watch);
    const u32 wanted = item.events.load(kRelaxed) & ~kFlags;
    if (wanted == 0 || (key != 0 && (key & (wanted | kPollAlways)) == 0))
        return;
    item.epoll->make_ready(item);
}

void Epoll::enlist(Item& item) {
    Guard guard{ready_lock_};
    if (item.ready_link.linked())
        return;
    ready_.push_back(item);
    ready_count_.store(static_cast<u32>(ready_.size()), kRelease);
}

void Epoll::make_ready(Item& item) {
    enlist(item);
    waiters_.wake(1);
    if (has_parents_.load(kRelaxed)) {
        Guard guard{nest_lock};
        tell_parents_locked(*this);
    }
}

void Epoll::unlist(Item& item) {
    Guard guard{ready_lock_};
    ready_.remove(item);
    ready_count_.store(static_cast<u32>(ready_.size()), kRelaxed);
}

void Epoll::move_to_end(Item& item) {
    Guard guard{ready_lock_};
    ready_.remove(item);
    ready_.push_back(item);
}

/// The first item of the ready list, or null. Only the holder of the mutex takes items off, and others only add behind
/// it, so that it needs no lock.
Epoll::Item* Epoll::first_ready() {
    // Acquire pairs with the release in enlist(): a count that is not zero comes after the list's first pointer.
    return ready_count_.load(kAcquire) == 0 ? nullptr : front_unlocked();
}

/// What an item has to report, which decides whether it stays listed. A notice finds a listed item and does nothing, so
/// one that is taken off is looked at afterwards, never only before.
u32 Epoll::take_state(Item& item) {
    const u32 events = item.events.load(kRelaxed);
    if (events & (kEpollOneShot | kEpollEdge)) {
        unlist(item);
        const u32 state = state_of(item);
        if (state != 0 && (events & kEpollOneShot))
            item.events.store(events & kFlags, kRelaxed);
        return state;
    }
    // Level-triggered: it may still be ready at the next look, and stays, behind the others.
    if (const u32 state = state_of(item)) {
        if (ready_count_.load(kRelaxed) > 1)
            move_to_end(item);
        return state;
    }
    unlist(item);
    const u32 state = state_of(item);
    if (state != 0)
        enlist(item);
    return state;
}

// Each item is looked at once a call.
Result<u64> Epoll::collect(IoBuffer& events, u64 most) {
    u64 found = 0;
    MutexGuard guard{mutex_};
    for (u32 left = ready_count_.load(kRelaxed); left > 0 && found < most; --left) {
        Item* const item = first_ready();
        if (!item)
            break;
        const u32 armed = item->events.load(kRelaxed);
        const u32 state = take_state(*item);
        if (state == 0)
            continue;
        const EpollEvent event{state, item->data};
        if (const auto put = events.put_object(event); !put) {
            item->events.store(armed, kRelaxed);
            enlist(*item);
            if (found > 0)
                break;
            return fail(put.error());
        }
        ++found;
    }
    return found;
}

Result<u64> Epoll::wait(IoBuffer events, u64 most, Deadline deadline) {
    for (;;) {
        if (ready_count_.load(kRelaxed) > 0) {
            const u64 found = TRY(collect(events, most));
            // Each notice wakes one thread; what is left, or still ready, is for the next.
            if (found > 0) {
                if (ready_count_.load(kRelaxed) > 0)
                    waiters_.wake(1);
                return found;
            }
        }
        if (deadline == 0)
            return 0;
        const auto waited = waiters_.wait_while([&] { return ready_count_.load(kRelaxed) == 0; }, deadline);
        if (!waited && waited.error() == Errno::TimedOut)
            deadline = 0; // one last look
        else if (!waited)
            return fail(waited.error());
    }
}

/// For poll(2) and for an instance that watches this one.
u32 Epoll::ready() {
    MutexGuard guard{mutex_};
    while (Item* const item = first_ready()) {
        if (state_of(*item) != 0)
            return kPollIn;
        unlist(*item);
        if (state_of(*item) != 0)
            enlist(*item);
    }
    return 0;
}

Result<FileStatus> Epoll::status() const { return anonymous_status(0600, 0); }

// --- instances that watch instances

void Epoll::tell_parents_locked(Epoll& child) {
    for (Item& item : child.parents_) {
        if ((item.events.load(kRelaxed) & (kPollIn | kPollReadNormal)) == 0)
            continue;
        item.epoll->enlist(item);
        item.epoll->waiters_.wake(1);
        tell_parents_locked(*item.epoll); // bounded: nest() keeps chains short and without loops
    }
}

/// Instances in the longest chain from `top` downwards.
unsigned Epoll::height_below(const Epoll& top) {
    unsigned height = 0;
    for (const Item& item : top.children_) {
        const unsigned below = height_below(*item.child);
        height = below > height ? below : height;
    }
    return height + 1;
}

/// The same upwards; `found` is set if the chain comes by `sought`.
unsigned Epoll::height_above(const Epoll& bottom, const Epoll& sought, bool& found) {
    unsigned height = 0;
    found = found || &bottom == &sought;
    for (const Item& item : bottom.parents_) {
        const unsigned above = height_above(*item.epoll, sought, found);
        height = above > height ? above : height;
    }
    return height + 1;
}

Result<void> Epoll::nest(Item& item, Epoll& child) {
    Guard guard{nest_lock};
    bool loop = false;
    const unsigned above = height_above(*item.epoll, child, loop);
    if (loop || above + height_below(child) > kMostNested)
        return fail(Errno::Loop);
    item.child = &child;
    child.parents_.push_back(item);
    child.has_parents_.store(true, kSeqCst);
    item.epoll->children_.push_back(item);
    return {};
}

void Epoll::unnest(Item& item) {
    Guard guard{nest_lock};
    item.child->parents_.remove(item);
    item.child->has_parents_.store(!item.child->parents_.empty(), kRelaxed);
    item.epoll->children_.remove(item);
}

} // namespace tollgate::fs
