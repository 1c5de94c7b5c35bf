// What all nodes share: attributes, times, and the status made of them. Attributes are single atomic words, so that
// asking about a file takes no lock.
#include "fs/node.h"

#include "cpu/clock.h"
#include "lib/memory.h"

namespace tollgate::fs {
namespace {

constinit Atomic<u64> next_inode{1};

constexpr u64 kSecond = 1'000'000'000;
/// relatime: an access time older than this is renewed by a read in any case [man 8 mount].
constexpr u64 kDay = 86400 * kSecond;

bool has(Stamp which, Stamp part) { return static_cast<u8>(which) & static_cast<u8>(part); }

} // namespace

Node::Node(const FileSystem& file_system, u32 mode, u64 inode)
    : file_system_(&file_system), inode_(inode ? inode : next_inode.fetch_add(1, kRelaxed)), mode_(mode) {
    const u64 now = clock_realtime_ns();
    access_time_.store(now, kRelaxed);
    modify_time_.store(now, kRelaxed);
    change_time_.store(now, kRelaxed);
}

void Node::fill(FileStatus& status) const {
    status.device = file_system_->device;
    status.inode = inode_;
    status.links = links();
    status.mode = mode();
    status.user = user();
    status.group = group();
    status.pad = 0;
    status.special_device = special_device();
    status.size = static_cast<i64>(size());
    status.block_size = 4096;
    status.blocks = static_cast<i64>(pages() * 8);
    const u64 access = access_time(), modify = modify_time(), change = change_time();
    status.access_time = access / kSecond;
    status.access_nanoseconds = access % kSecond;
    status.modify_time = modify / kSecond;
    status.modify_nanoseconds = modify % kSecond;
    status.change_time = change / kSecond;
    status.change_nanoseconds = change % kSecond;
    for (i64& word : status.unused)
        word = 0;
}

void Node::set_permissions(u32 permissions) {
    u32 mode = mode_.load(kRelaxed);
    while (!mode_.compare_exchange_weak(mode, (mode & kModeTypeMask) | (permissions & kModePermissions), kRelaxed)) {
    }
    stamp(Stamp::Change);
}

void Node::set_owner(u32 user, u32 group) {
    user_.store(user, kRelaxed);
    group_.store(group, kRelaxed);
}

void Node::stamp(Stamp which) {
    const u64 now = clock_realtime_ns();
    if (has(which, Stamp::Access))
        access_time_.store(now, kRelaxed);
    if (has(which, Stamp::Modify))
        modify_time_.store(now, kRelaxed);
    if (has(which, Stamp::Change))
        change_time_.store(now, kRelaxed);
}

void Node::renew_access() {
    const u64 newest = modify_time() > change_time() ? modify_time() : change_time();
    const u64 now = clock_realtime_ns();
    access_time_.store(now > newest ? now : newest + 1, kRelaxed); // or the next read would come here again
    access_renewal_.store(clock_ns_to_tsc(clock_monotonic_ns() + kDay), kRelaxed);
}

void Node::set_times(u64 access, u64 modify) {
    access_time_.store(access, kRelaxed);
    modify_time_.store(modify, kRelaxed);
    stamp(Stamp::Change);
}

Result<Ref<LinkText>> LinkText::make(StringView text) {
    auto* const copy = new (std::nothrow_t{}) char[text.size() + 1];
    if (!copy)
        return fail(Errno::NoMem);
    memcpy(copy, text.data(), text.size());
    copy[text.size()] = '\0';
    auto made = make_ref<LinkText>(copy, text.size());
    if (!made)
        delete[] copy;
    return made;
}

} // namespace tollgate::fs
