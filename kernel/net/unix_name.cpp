// The table: one list for each of a few hash values, under one lock. Paths are found by their node, so that a renamed
// socket stays reachable and a deleted one is not.
#include "net/unix_name.h"

#include "fs/permission.h"
#include "fs/vfs.h"
#include "lib/memory.h"

namespace tollgate::net {

struct UnixNames {
    using Bindings = List<UnixBinding, &UnixBinding::link_>;
    static constexpr u64 kLists = 64;

    static u64 hash(const UnixName& name, const fs::Node* node) {
        if (node)
            return reinterpret_cast<u64>(node) >> 6 & (kLists - 1);
        u64 value = 14695981039346656037u; // FNV-1a
        for (u32 i = 0; i < name.size; ++i)
            value = (value ^ static_cast<u8>(name.bytes[i])) * 1099511628211u;
        return value >> 32 & (kLists - 1);
    }
    static bool same(const UnixBinding& binding, const UnixName& name, const fs::Node* node, u32 type) {
        if (node || binding.node_)
            return binding.node_.get() == node;
        return binding.end_->type == type && binding.name_.size == name.size &&
               memcmp(binding.name_.bytes, name.bytes, name.size) == 0;
    }
    static UnixBinding* find_locked(const UnixName& name, const fs::Node* node, u32 type);
    /// False if the name is taken.
    static bool add(UnixBinding& binding);
    static void remove(UnixBinding& binding);
    static Ref<UnixEnd> find(const UnixName& name, const fs::Node* node, u32 type);
};

namespace {

/// Global: names are the whole system's.
constinit Spinlock names_lock{LockRank::File};
constinit UnixNames::Bindings names[UnixNames::kLists];
constinit Atomic<u32> next_automatic{0};

/// What bind(2) puts into the file tree. It only names the socket.
class SocketNode final : public fs::Node {
public:
    SocketNode() : Node(fs::kTmpfs, fs::kModeSocket | 0777) {}
    Result<Ref<File>> open(const Caller*, u32) override { return fail(Errno::Nxio); }
};

/// The name in a socket address. A path ends at its first NUL, or with the address.
Result<UnixName> parse(const SocketAddress& address) {
    constexpr u32 kHead = sizeof(u16);
    if (address.size <= kHead || address.size > kHead + UnixName::kMost || address.family() != kFamilyUnix)
        return fail(Errno::Inval);
    UnixName name{};
    name.size = address.size - kHead;
    memcpy(name.bytes, address.bytes + kHead, name.size);
    if (name.bytes[0] != '\0')
        name.size = static_cast<u32>(strnlen(name.bytes, name.size));
    return name;
}

bool is_path(const UnixName& name) { return name.bytes[0] != '\0'; }

Result<void> add_automatic(UnixBinding& binding, UnixName& name) {
    constexpr u32 kTries = 0x100000; // as many as there are
    for (u32 i = 0; i < kTries; ++i) {
        const u32 number = next_automatic.fetch_add(1, kRelaxed);
        name.size = 6;
        name.bytes[0] = '\0';
        for (u32 digit = 0; digit < 5; ++digit)
            name.bytes[5 - digit] = "0123456789abcdef"[number >> digit * 4 & 0xf];
        if (UnixNames::add(binding))
            return {};
    }
    return fail(Errno::NoSpc);
}

} // namespace

UnixBinding* UnixNames::find_locked(const UnixName& name, const fs::Node* node, u32 type) {
    for (UnixBinding& binding : names[hash(name, node)])
        if (same(binding, name, node, type))
            return &binding;
    return nullptr;
}

bool UnixNames::add(UnixBinding& binding) {
    Guard guard{names_lock};
    if (find_locked(binding.name_, binding.node_.get(), binding.end_->type))
        return false;
    names[hash(binding.name_, binding.node_.get())].push_back(binding);
    return true;
}

void UnixNames::remove(UnixBinding& binding) {
    Guard guard{names_lock};
    if (binding.link_.linked())
        names[hash(binding.name_, binding.node_.get())].remove(binding);
}

Ref<UnixEnd> UnixNames::find(const UnixName& name, const fs::Node* node, u32 type) {
    Guard guard{names_lock};
    UnixBinding* const binding = find_locked(name, node, type);
    return binding ? binding->end_ : Ref<UnixEnd>();
}

UnixBinding::~UnixBinding() { UnixNames::remove(*this); }

Result<Owned<UnixBinding>> UnixBinding::make(Caller& caller, UnixEnd& end, const SocketAddress& address) {
    auto binding = TRY(make_owned<UnixBinding>(end));
    if (address.size == sizeof(u16) && address.family() == kFamilyUnix) {
        TRY(add_automatic(*binding, binding->name_));
    } else {
        binding->name_ = TRY(parse(address));
        if (is_path(binding->name_)) {
            const Ref<fs::Node> node = TRY(make_ref<SocketNode>());
            const auto added =
                fs::add_node(&caller, nullptr, StringView(binding->name_.bytes, binding->name_.size), node);
            if (!added)
                return fail(added.error() == Errno::Exist ? Errno::AddrInUse : added.error());
            binding->node_ = node;
        }
        if (!UnixNames::add(*binding))
            return fail(Errno::AddrInUse);
    }
    end.set_name(binding->name_);
    return binding;
}

Result<Ref<UnixEnd>> UnixBinding::find(Caller& caller, const SocketAddress& address, u32 type) {
    const UnixName name = TRY(parse(address));
    Ref<fs::Node> node;
    if (is_path(name)) {
        node = TRY(fs::lookup(&caller, nullptr, StringView(name.bytes, name.size)));
        if (!fs::may(&caller, *node, fs::kMayWrite))
            return fail(Errno::Access);
    }
    auto end = UnixNames::find(name, node.get(), type);
    if (!end)
        return fail(Errno::ConnRefused);
    return end;
}

void to_address(const UnixName& name, SocketAddress& to) {
    to.bytes[0] = kFamilyUnix;
    to.bytes[1] = 0;
    memcpy(to.bytes + sizeof(u16), name.bytes, name.size);
    to.size = sizeof(u16) + name.size;
    if (name.size > 0 && is_path(name)) { // a path's NUL counts
        to.bytes[to.size] = 0;
        ++to.size;
    }
}

} // namespace tollgate::net
