// epoll(7): an open file that watches other open files and lists those that are ready. An item stands for one
// descriptor of one open file; it watches the file's queue, and what wakes that puts the item on the ready list.
// docs/ipc.md has the rules and the lock order.
#pragma once

#include "fs/epoll_abi.h"
#include "fs/poll.h"
#include "sched/mutex.h"

namespace tollgate::fs {

class Epoll final : public File {
public:
    static Result<Ref<Epoll>> create();
    ~Epoll() override;

    /// epoll_ctl(2). `open` is what `descriptor` stands for. Errors: Exist, Perm (a file that is always ready), Loop,
    /// Inval, NoMem; NoEnt.
    Result<void> add(OpenFile& open, int descriptor, const EpollEvent& event);
    Result<void> modify(OpenFile& open, int descriptor, const EpollEvent& event);
    Result<void> remove(OpenFile& open, int descriptor);
    /// Puts up to `most` events into the buffer; 0 after the deadline. Errors: Fault, RestartSys.
    Result<u64> wait(IoBuffer events, u64 most, Deadline deadline);

    u32 ready() override;
    WaitQueue* ready_queue() override { return &waiters_; }
    Result<FileStatus> status() const override;
    FileKind kind() const override { return FileKind::Epoll; }
    void forget(OpenFile& open) override;

private:
    struct Item;
    template <class T, class... Args>
    friend Result<Ref<T>> tollgate::make_ref(Args&&...);
    Epoll();

    static void notify(Watch& watch, u64 key);
    static u32 state_of(const Item& item);
    Item** place_of(const OpenFile& open, int descriptor) REQUIRES(mutex_);
    void grow() REQUIRES(mutex_);
    Result<Item*> find(const OpenFile& open, int descriptor) REQUIRES(mutex_);
    void watch_file(Item& item);
    void remove_item(Item& item) REQUIRES(mutex_);
    /// Puts an item on the ready list and tells who waits. May be called under the queue of what it watches.
    void make_ready(Item& item);
    void enlist(Item& item);
    void unlist(Item& item) REQUIRES(mutex_);
    void move_to_end(Item& item) REQUIRES(mutex_);
    Item* first_ready() REQUIRES(mutex_);
    Item* front_unlocked() NO_THREAD_SAFETY_ANALYSIS { return ready_.front(); }
    u32 take_state(Item& item) REQUIRES(mutex_);
    Result<u64> collect(IoBuffer& events, u64 most);

    // Nesting: an item whose file is an epoll instance. All of it is under one lock for all instances.
    static Result<void> nest(Item& item, Epoll& child);
    static void unnest(Item& item);
    static void tell_parents_locked(Epoll& child);
    static unsigned height_below(const Epoll& top);
    static unsigned height_above(const Epoll& bottom, const Epoll& sought, bool& found);

    struct Item : Watch, OpenFile::Watcher {
        Epoll* epoll;
        OpenFile* open; // not kept alive: forget() comes first
        WaitQueue* queue = nullptr;
        Epoll* child = nullptr; // the file, if it is an epoll instance
        int descriptor;
        Atomic<u32> events{0}; // with the flags; 0 states: one shot was fired
        u64 data = 0;
        Item* next = nullptr; // in its hash chain
        ListLink<Item> ready_link, parent_link, child_link;
    };

    static constexpr u64 kFirstChains = 8;
    Mutex mutex_; // for the table of items and for who collects
    Item* first_chains_[kFirstChains] GUARDED_BY(mutex_) = {};
    Item** chains_ GUARDED_BY(mutex_) = first_chains_;
    u64 chain_count_ GUARDED_BY(mutex_) = kFirstChains; // a power of two
    u64 item_count_ GUARDED_BY(mutex_) = 0;

    Spinlock ready_lock_{LockRank::EpollReady};
    List<Item, &Item::ready_link> ready_ GUARDED_BY(ready_lock_);
    Atomic<u32> ready_count_{0}; // of that list, for who waits

    WaitQueue waiters_{LockRank::Watcher};
    List<Item, &Item::parent_link> parents_; // items elsewhere that watch this instance
    List<Item, &Item::child_link> children_; // our items that watch another instance
    Atomic<bool> has_parents_{false};
};

} // namespace tollgate::fs
