// The tables of names: finding, adding, removing, and growing.
#include "fs/directory.h"

#include "lib/memory.h"

namespace tollgate::fs {
namespace {

/// A directory's st_size: a few bytes a name, as on Linux' tmpfs.
constexpr u64 kSizePerName = 20;
/// Most names of one file, and most sub-directories.
constexpr u32 kMaxLinks = 1'000'000'000;

} // namespace

constinit Spinlock tree_lock{LockRank::Tree};

Directory::Directory(const FileSystem& file_system, u32 permissions, Growth growth, u64 inode)
    : Node(file_system, kModeDirectory | permissions, inode), growth_(growth), buckets_(few_buckets_) {}

/// A removed directory keeps its parent, for "..". Whole chains of them may hang on the last user of the deepest: they
/// are taken apart in a loop, since recursion would be as deep as somebody likes.
Directory::~Directory() {
    while (Entry* const entry = entries_.pop_front())
        TreeAccess::destroy(entry);
    if (buckets_ != few_buckets_)
        delete[] buckets_;
    if (made_entry_)
        TreeAccess::destroy(made_entry_);
    Directory* above = parent_.leak();
    while (above && above->release()) {
        Directory* const next = above->parent_.leak();
        delete above;
        above = next;
    }
}

u64 Directory::size() const NO_THREAD_SAFETY_ANALYSIS { // one word, old as soon as it is read
    return (__atomic_load_n(&entry_count_, __ATOMIC_RELAXED) + 2) * kSizePerName;
}

Ref<Node> Directory::find(StringView name) {
    Guard guard{tree_lock};
    Entry* const entry = TreeAccess::find(*this, name, NameHash::of(name));
    return entry ? entry->node : Ref<Node>();
}

Result<void> Directory::add(StringView name, Ref<Node> node) {
    Entry* const entry = TRY(TreeAccess::make(name, std::move(node)));
    const auto insert = [&]() -> Result<void> {
        Guard guard{tree_lock};
        if (removed_)
            return fail(Errno::NoEnt);
        if (TreeAccess::find(*this, name, entry->hash))
            return fail(Errno::Exist);
        if (entry->node->links() >= kMaxLinks)
            return fail(Errno::MLink);
        TreeAccess::insert(*this, *entry);
        return {};
    };
    const auto inserted = insert();
    if (!inserted)
        TreeAccess::destroy(entry);
    return inserted;
}

Result<Ref<Directory>> Directory::find_or_make(StringView name, Growth growth) {
    Ref<Node> found = find(name);
    if (!found) {
        const auto added = add(name, TRY(make_ref<Directory>(file_system(), 0755u, growth)));
        if (!added && added.error() != Errno::Exist)
            return fail(added.error());
        found = find(name);
    }
    if (found && found->as_directory())
        return Ref<Directory>(*found->as_directory());
    return fail(Errno::NotDir);
}

void Directory::become_root() { links_.store(2, kRelaxed); }

Ref<Directory> Directory::parent() {
    Guard guard{tree_lock};
    return Ref<Directory>(TreeAccess::parent(*this));
}

Entry* TreeAccess::find(Directory& directory, StringView name, u32 hash) {
    Entry* entry = directory.buckets_[hash & (directory.bucket_count_ - 1)];
    for (; entry; entry = entry->next_in_bucket)
        if (entry->hash == hash && entry->name() == name)
            return entry;
    return nullptr;
}

Node* TreeAccess::find_device(Directory& directory, u64 number) {
    for (Entry& entry : directory.entries_)
        if (entry.node->type() == kModeCharacter && entry.node->special_device() == number)
            return entry.node.get();
    return nullptr;
}

Result<Entry*> TreeAccess::make(StringView name, Ref<Node> node) {
    void* const memory = ::operator new (sizeof(Entry) + name.size(), std::nothrow_t{});
    if (!memory)
        return fail(Errno::NoMem);
    Entry* const entry = new (memory) Entry;
    entry->node = std::move(node);
    entry->hash = NameHash::of(name);
    entry->size = static_cast<u32>(name.size());
    memcpy(entry->text(), name.data(), name.size());
    return entry;
}

void TreeAccess::destroy(Entry* entry) {
    entry->~Entry();
    ::operator delete(static_cast<void*>(entry));
}

void TreeAccess::count_name(Entry& entry) {
    entry.node->entry_ = &entry;
    Directory* const child = entry.node->as_directory();
    if (!child) {
        entry.node->links_.fetch_add(1, kRelaxed);
        return;
    }
    child->links_.store(child->links_.load(kRelaxed) + 2, kRelaxed); // its name and its own "."
    child->removed_ = false;
    if (child->parent_.get() != entry.holder)
        child->parent_ = Ref<Directory>(*entry.holder); // the old one is held by whoever moves the child
    entry.holder->links_.fetch_add(1, kRelaxed);        // the child's ".."
}

void TreeAccess::uncount_name(Entry& entry) {
    if (entry.node->entry_ == &entry)
        entry.node->entry_ = nullptr;
    Directory* const child = entry.node->as_directory();
    if (!child) {
        entry.node->links_.fetch_sub(1, kRelaxed);
        return;
    }
    child->links_.fetch_sub(2, kRelaxed);
    child->removed_ = true;
    entry.holder->links_.fetch_sub(1, kRelaxed);
}

void TreeAccess::insert(Directory& directory, Entry& entry) {
    if (directory.entry_count_ >= u64{directory.bucket_count_} * 2)
        grow(directory);
    entry.holder = &directory;
    entry.position = directory.next_position_++;
    Entry*& bucket = directory.buckets_[entry.hash & (directory.bucket_count_ - 1)];
    entry.next_in_bucket = bucket;
    bucket = &entry;
    directory.entries_.push_back(entry);
    __atomic_store_n(&directory.entry_count_, directory.entry_count_ + 1, __ATOMIC_RELAXED);
    count_name(entry);
}

void TreeAccess::remove(Entry& entry) {
    Directory& directory = *entry.holder;
    Entry** place = &directory.buckets_[entry.hash & (directory.bucket_count_ - 1)];
    while (*place != &entry)
        place = &(*place)->next_in_bucket;
    *place = entry.next_in_bucket;
    directory.entries_.remove(entry);
    ++directory.removals_;
    __atomic_store_n(&directory.entry_count_, directory.entry_count_ - 1, __ATOMIC_RELAXED);
    uncount_name(entry);
}

Ref<Node> TreeAccess::exchange(Entry& entry, Ref<Node> node) {
    uncount_name(entry);
    std::swap(entry.node, node);
    count_name(entry);
    return node;
}

void TreeAccess::swap(Entry& left, Entry& right) {
    uncount_name(left);
    uncount_name(right);
    std::swap(left.node, right.node);
    count_name(left);
    count_name(right);
}

Result<void> TreeAccess::attach(Directory& made, Directory& parent, StringView name) {
    Entry* entry = TRY(make(name, Ref<Node>()));
    {
        Guard guard{tree_lock};
        if (!made.parent_) { // else it is one that is handed out again and again
            entry->holder = &parent;
            made.entry_ = made.made_entry_ = std::exchange(entry, nullptr);
            made.parent_ = Ref<Directory>(parent);
        }
    }
    if (entry)
        destroy(entry);
    return {};
}

/// Four times as many buckets. If there is no memory for them the table stays as it is and gets slower.
void TreeAccess::grow(Directory& directory) {
    const u32 count = directory.bucket_count_ * 4;
    auto** const buckets = new (std::nothrow_t{}) Entry*[count];
    if (!buckets)
        return;
    memset(buckets, 0, count * sizeof(Entry*));
    for (Entry& entry : directory.entries_) {
        Entry*& bucket = buckets[entry.hash & (count - 1)];
        entry.next_in_bucket = bucket;
        bucket = &entry;
    }
    if (directory.buckets_ != directory.few_buckets_)
        delete[] directory.buckets_;
    directory.buckets_ = buckets;
    directory.bucket_count_ = count;
}

} // namespace tollgate::fs
