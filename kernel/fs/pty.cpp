#include "fs/pty.h"

#include "fs/vfs.h"
#include "lib/memory.h"

namespace tollgate::fs {
namespace {

constexpr u64 kPiece = 256;
constexpr u32 kTiocSignal = 0x40045436; // TIOCSIG [asm-generic/ioctls.h]

// Global: numbers and names are the machine's.
constinit Spinlock numbers_lock{LockRank::Terminal};
constinit u64 numbers GUARDED_BY(numbers_lock) = 0; // bit n: /dev/pts/n is taken
static_assert(PtySlave::kMost == 64);
constinit Directory* directory = nullptr; // /dev/pts; set once at boot, never freed

using Name = FixedString<8>;
Name name_of(u32 number) {
    Name name;
    format_to(name, "{}", number);
    return name;
}

class SlaveNode final : public Node {
public:
    explicit SlaveNode(Ref<PtySlave> slave) : Node(kDevpts, kModeCharacter | 0620), slave_(std::move(slave)) {}
    Result<Ref<File>> open(const Caller* caller, u32 flags) override {
        return slave_->open_slave(caller, flags, Ref<Node>(*this));
    }
    u64 special_device() const override { return u64{slave_->major()} << 8 | slave_->minor(); }

private:
    const Ref<PtySlave> slave_;
};

class Master final : public File {
public:
    Master(Ref<PtySlave> slave, Ref<Node> node) : slave_(std::move(slave)), node_(std::move(node)) {}
    ~Master() override { slave_->master_closed(); }
    Result<u64> read(IoBuffer& buffer, u64, u32 flags) override { return slave_->master_read(buffer, flags); }
    Result<u64> write(IoBuffer& buffer, u64, u32 flags) override { return slave_->master_write(buffer, flags); }
    u32 ready() override { return slave_->master_ready(); }
    WaitQueue* ready_queue() override { return &slave_->master_queue(); }
    Result<FileStatus> status() const override {
        return node_ ? node_->status() : device_status(kTtyMajor, kPtmxMinor);
    }
    Node* node() const override { return node_.get(); }
    Result<u64> control(Caller& caller, u32 request, u64 argument) override {
        return slave_->master_control(caller, request, argument);
    }

private:
    const Ref<PtySlave> slave_;
    const Ref<Node> node_;
};

} // namespace

Result<Ref<PtySlave>> PtySlave::create() {
    u32 number;
    {
        Guard guard{numbers_lock};
        if (numbers == ~u64{0})
            return fail(Errno::NoSpc);
        number = static_cast<u32>(__builtin_ctzll(~numbers));
        numbers |= u64{1} << number;
    }
    auto slave = make_ref<PtySlave>(number);
    if (!slave) {
        Guard guard{numbers_lock};
        numbers &= ~(u64{1} << number);
        return fail(slave.error());
    }
    TRY(directory->add(name_of(number).view(), TRY(make_ref<SlaveNode>(*slave))));
    return slave;
}

PtySlave::~PtySlave() {
    Guard guard{numbers_lock};
    numbers &= ~(u64{1} << number_);
}

// ---- the slave's side ----

u64 PtySlave::transmit(StringView bytes) {
    const u64 room = transmit_room();
    const u64 size = bytes.size() < room ? bytes.size() : room;
    const u32 head = head_.load(kRelaxed);
    for (u64 n = 0; n < size; ++n)
        ring_[(head + n) & kRingMask] = bytes[n];
    head_.store(head + static_cast<u32>(size), kRelease);
    return size;
}

void PtySlave::changed_for_line() {
    line_events_.fetch_add(1, kAcqRel);
    master_queue_.wake_everything();
}

void PtySlave::file_opened() {
    slaves_.fetch_add(1, kAcqRel);
    was_open_.store(true, kRelease);
    changed_for_line();
}

void PtySlave::file_closed() {
    if (slaves_.fetch_sub(1, kAcqRel) == 1)
        changed_for_line();
}

Result<Ref<File>> PtySlave::open_slave(const Caller* caller, u32 flags, Ref<Node> node) {
    if (locked_.load(kAcquire) || !master_open_.load(kAcquire))
        return fail(Errno::Io);
    return open_as(caller, flags, std::move(node));
}

// ---- the master's side ----

u64 PtySlave::take_output(char* to, u64 size) {
    Guard guard{lock_};
    const u32 tail = tail_.load(kRelaxed);
    const u32 waiting = head_.load(kRelaxed) - tail;
    const u32 count = waiting < size ? waiting : static_cast<u32>(size);
    for (u32 n = 0; n < count; ++n)
        to[n] = ring_[(tail + n) & kRingMask];
    tail_.store(tail + count, kRelease);
    return count;
}

Result<u64> PtySlave::master_read(IoBuffer& buffer, u32 flags) {
    u64 done = 0;
    while (buffer.size() > 0) {
        const u32 seen = line_events_.load(kAcquire);
        const bool gone = slave_gone();
        char bytes[kPiece];
        const u64 size = take_output(bytes, buffer.size() < kPiece ? buffer.size() : kPiece);
        if (size > 0) {
            if (const auto put = buffer.put(bytes, size); !put)
                return done > 0 ? Result<u64>(done) : fail(put.error());
            done += size;
            continue;
        }
        if (done > 0)
            break;
        if (gone)
            return fail(Errno::Io);
        if (flags & kOpenNonBlock)
            return fail(Errno::Again);
        TRY(master_queue_.wait_while([&] { return line_events_.load(kAcquire) == seen; }));
    }
    if (done > 0)
        line_changed(); // writers may go on
    return done;
}

Result<u64> PtySlave::master_write(IoBuffer& buffer, u32 flags) {
    u64 done = 0;
    while (buffer.size() > 0) {
        char bytes[kPiece];
        const u64 size = buffer.size() < kPiece ? buffer.size() : kPiece;
        if (const auto taken = buffer.take(bytes, size); !taken)
            return done > 0 ? Result<u64>(done) : fail(taken.error());
        for (u64 written = 0; written < size;) {
            const u32 seen = line_events_.load(kAcquire);
            const u64 some = receive(StringView(bytes, size).substr(written));
            written += some;
            done += some;
            if (some > 0)
                continue;
            if (flags & kOpenNonBlock)
                return done > 0 ? Result<u64>(done) : fail(Errno::Again);
            const auto woken = master_queue_.wait_while([&] { return line_events_.load(kAcquire) == seen; });
            if (!woken)
                return done > 0 ? Result<u64>(done) : fail(woken.error());
        }
    }
    return done;
}

u32 PtySlave::master_ready() const {
    const bool output = head_.load(kAcquire) != tail_.load(kAcquire);
    return (output ? kPollIn : 0) | (takes_input() ? kPollOut : 0) | (slave_gone() ? kPollHangUp : 0);
}

// TIOCGPTPEER: the slave, opened without its name.
Result<u64> PtySlave::open_peer(Caller& caller, u64 flags) {
    if (!master_open_.load(kAcquire))
        return fail(Errno::Io);
    const Ref<Node> node = directory->find(name_of(number_).view());
    if (!node)
        return fail(Errno::Io);
    const u32 kept = static_cast<u32>(flags) & (kOpenAccessMask | kOpenNonBlock);
    Ref<File> file = TRY(open_as(&caller, static_cast<u32>(flags), node));
    Ref<OpenFile> open = TRY(make_ref<OpenFile>(std::move(file), kept));
    return static_cast<u64>(TRY(caller.files->add(std::move(open), (flags & kOpenCloseOnExec) != 0)));
}

Result<u64> PtySlave::master_control(Caller& caller, u32 request, u64 argument) {
    switch (request) {
    case kTiocGetPtyNumber:
        TRY(copy_to_user(UserPtr<u32>(argument), number_));
        return 0;
    case kTiocSetPtyLock:
        locked_.store(TRY(copy_from_user(UserPtr<const i32>(argument))) != 0, kRelease);
        return 0;
    case kTiocGetPtyLock:
        TRY(copy_to_user(UserPtr<i32>(argument), i32{locked_.load(kAcquire)}));
        return 0;
    case kTiocGetPtyPeer:
        return open_peer(caller, argument);
    case kFionRead:
        TRY(copy_to_user(UserPtr<i32>(argument), static_cast<i32>(head_.load(kAcquire) - tail_.load(kAcquire))));
        return 0;
    case kTiocSignal:
        if (argument != 2 && argument != 3 && argument != 20)
            return fail(Errno::Inval);
        signal_group(foreground_group.load(kAcquire), static_cast<int>(argument));
        return 0;
    case kTcFlush: // what the master would read is the slave's output
        return control(caller, request, argument == 0 ? 1 : argument == 1 ? 0 : argument, Through::Master);
    case kTcGets:
    case kTcGets2:
    case kTcSets:
    case kTcSetsW:
    case kTcSetsF:
    case kTcSets2:
    case kTcSetsW2:
    case kTcSetsF2:
    case kTiocGetWindow:
    case kTiocSetWindow:
    case kTiocGetGroup:
    case kTiocSetGroup:
    case kTiocGetSession:
    case kTiocOutQ:
    case kTiocInject:
        return control(caller, request, argument, Through::Master);
    default:
        return fail(Errno::NoTty);
    }
}

void PtySlave::master_closed() {
    master_open_.store(false, kRelease);
    const Name name = name_of(number_);
    Entry* entry;
    {
        Guard guard{tree_lock};
        entry = TreeAccess::find(*directory, name.view(), NameHash::of(name.view()));
        if (entry != nullptr)
            TreeAccess::remove(*entry);
    }
    if (entry != nullptr)
        TreeAccess::destroy(entry);
    hang_up();
}

Result<Ref<File>> open_ptmx(const Caller*, u32, Ref<Node> node) {
    Ref<PtySlave> slave = TRY(PtySlave::create());
    return Ref<File>(TRY(make_ref<Master>(std::move(slave), std::move(node))));
}

Result<void> make_pty_directory(Directory& dev) {
    Ref<Directory> pts = TRY(make_ref<Directory>(kDevpts, 0755, Growth::Fixed));
    TRY(dev.add("pts", pts));
    directory = pts.leak();
    return {};
}

} // namespace tollgate::fs
