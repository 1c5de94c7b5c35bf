// Control messages lie one behind the other, each aligned to 8 bytes: a header, then its data.
#include "syscall/socket_control.h"

#include "lib/bits.h"
#include "lib/memory.h"
#include "syscall/room.h"

namespace tollgate {
namespace {

using namespace net;

constexpr u64 kHead = sizeof(ControlHeader), kAlignment = 8;
constexpr u64 kMostControl = 20480; // net.core.optmem_max

Result<void> take_rights(Caller& caller, std::span<const u8> data, Sending& to) {
    const u64 count = data.size() / sizeof(i32);
    if (count > Rights::kMost)
        return fail(Errno::Inval);
    if (!to.rights && count > 0)
        to.rights = TRY(make_owned<Rights>());
    for (u64 i = 0; i < count; ++i) {
        i32 descriptor;
        memcpy(&descriptor, data.data() + i * sizeof descriptor, sizeof descriptor);
        TRY(to.rights->add(TRY(caller.files->get(descriptor))));
    }
    return {};
}

/// A caller may say who it is, but not that it is somebody else, unless it is root.
Result<void> take_credentials(std::span<const u8> data, Sending& to) {
    if (data.size() != sizeof(PeerCredentials))
        return fail(Errno::Inval);
    PeerCredentials claimed;
    memcpy(&claimed, data.data(), sizeof claimed);
    const PeerCredentials& real = to.credentials;
    const bool true_words = claimed.process == real.process && claimed.user == real.user && claimed.group == real.group;
    if (!true_words && real.user != 0)
        return fail(Errno::Perm);
    to.credentials = claimed;
    return {};
}

/// Where control messages are written to, in user memory.
class ControlWriter {
public:
    explicit ControlWriter(MessageHeader& header) : header_(header), left_(header.control ? header.control_size : 0) {}
    ~ControlWriter() { header_.control_size = used_; }
    /// Room for data in a message that begins here.
    u64 room() const { return left_ > kHead ? left_ - kHead : 0; }
    u64 data_address() const { return header_.control + used_ + kHead; }
    /// Writes the header for data that is there already, and moves on.
    Result<void> close(i32 type, u64 size) {
        TRY(copy_to_user(UserPtr<ControlHeader>(header_.control + used_),
                         ControlHeader{kHead + size, kLevelSocket, type}));
        const u64 whole = align_up(kHead + size, kAlignment);
        const u64 step = whole < left_ ? whole : left_;
        used_ += step;
        left_ -= step;
        return {};
    }
    void truncated() { header_.flags |= kMessageControlTruncated; }

private:
    MessageHeader& header_;
    u64 left_, used_ = 0;
};

Result<void> put_credentials(const PeerCredentials& credentials, ControlWriter& to) {
    const u64 size = sizeof credentials < to.room() ? sizeof credentials : to.room();
    if (size < sizeof credentials)
        to.truncated();
    if (to.room() == 0)
        return {};
    TRY(copy_to_user_bytes(to.data_address(), &credentials, size));
    return to.close(kControlCredentials, size);
}

Result<void> put_rights(Caller& caller, const Rights& rights, bool close_on_exec, ControlWriter& to) {
    u64 count = 0;
    const u64 room = to.room() / sizeof(i32);
    for (; count < rights.count() && count < room; ++count) {
        const auto descriptor = caller.files->add(rights.file(static_cast<u32>(count)), close_on_exec);
        if (!descriptor)
            break;
        if (const auto told = copy_to_user(UserPtr<i32>(to.data_address() + count * sizeof(i32)), i32{*descriptor});
            !told) {
            (void)caller.files->close(*descriptor);
            break;
        }
    }
    if (count < rights.count())
        to.truncated();
    return count == 0 ? Result<void>() : to.close(kControlRights, count * sizeof(i32));
}

} // namespace

Result<void> read_control(Caller& caller, const MessageHeader& header, Sending& to) {
    if (header.control_size == 0)
        return {};
    if (header.control_size > kMostControl)
        return fail(Errno::NoBufs);
    Room<u8, 128> room;
    const auto bytes = TRY(room.get(header.control_size));
    TRY(copy_from_user_bytes(bytes.data(), header.control, bytes.size()));
    for (u64 at = 0; at + kHead <= bytes.size();) {
        ControlHeader head;
        memcpy(&head, bytes.data() + at, sizeof head);
        if (head.size < kHead || head.size > bytes.size() - at)
            return fail(Errno::Inval);
        const std::span<const u8> data(bytes.data() + at + kHead, head.size - kHead);
        if (head.level == kLevelSocket) {
            if (head.type == kControlRights)
                TRY(take_rights(caller, data, to));
            else if (head.type == kControlCredentials)
                TRY(take_credentials(data, to));
            else
                return fail(Errno::Inval);
        }
        at += align_up(head.size, kAlignment);
    }
    return {};
}

Result<void> write_control(Caller& caller, MessageHeader& header, Receiving& from, u32 flags) {
    ControlWriter to(header);
    if (from.wants_credentials)
        TRY(put_credentials(from.credentials, to));
    if (from.rights)
        TRY(put_rights(caller, *from.rights, flags & kMessageCloseOnExec, to));
    return {};
}

} // namespace tollgate
