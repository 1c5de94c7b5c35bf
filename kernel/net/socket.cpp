// What all sockets share: their identity, and the count of descriptors that are on their way.
#include "net/socket.h"

#include "fs/anonymous.h"
#include "net/unix_collect.h"

namespace tollgate::net {
namespace {

constexpr u32 kModeSocket = 0140000; // S_IFSOCK

/// A file that waits in a socket's queue is in nobody's table, so that no process limit counts it. This many may be on
/// their way [man 7 unix, ETOOMANYREFS].
constexpr u32 kMostInFlight = 4096;
constinit Atomic<u32> files_in_flight{0}; // global: they belong to no process

} // namespace

Result<void> Rights::add(Ref<OpenFile> file) {
    if (count_ == kMost)
        return fail(Errno::Inval);
    for (bool collected = false; files_in_flight.fetch_add(1, kRelaxed) >= kMostInFlight; collected = true) {
        files_in_flight.fetch_sub(1, kRelaxed);
        if (collected)
            return fail(Errno::TooManyRefs);
        collect_unreachable();
    }
    begin_passage(*file);
    files_[count_++] = std::move(file);
    return {};
}

Rights::~Rights() {
    for (u32 i = 0; i < count_; ++i)
        end_passage(*files_[i]);
    files_in_flight.fetch_sub(count_, kRelaxed);
}

u32 Rights::in_flight() { return files_in_flight.load(kRelaxed); }

PeerCredentials credentials_of(Caller& caller) {
    const Credentials& own = caller.process->credentials;
    return {caller.process->id(), own.user.effective.load(kRelaxed), own.group.effective.load(kRelaxed)};
}

Socket::Socket() : inode_(fs::next_anonymous_inode()) {}

Result<FileStatus> Socket::status() const { return fs::anonymous_status(kModeSocket | 0777, inode_); }

} // namespace tollgate::net
