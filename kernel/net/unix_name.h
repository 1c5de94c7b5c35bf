// Which AF_UNIX address belongs to which end: paths, which are nodes of the file tree, and abstract names.
#pragma once

#include "fs/node.h"
#include "net/unix_end.h"

namespace tollgate::net {

/// The place of a bound socket in the table. Whoever bound it owns this, and takes it away by dropping it.
class UnixBinding {
public:
    ~UnixBinding();
    /// Puts the end's address into the table and into the end. An address of 2 bytes stands for any free abstract name.
    /// Errors: Inval (wrong size or family), AddrInUse, and what creating a path says.
    static Result<Owned<UnixBinding>> make(Caller& caller, UnixEnd& end, const SocketAddress& address);
    /// The end that is bound to an address. An abstract name belongs to one type of socket, a path to all. Errors:
    /// Inval, ConnRefused, and what walking a path says.
    static Result<Ref<UnixEnd>> find(Caller& caller, const SocketAddress& address, u32 type);

private:
    explicit UnixBinding(UnixEnd& end) : end_(end) {}
    template <class T, class... Args>
    friend Result<Owned<T>> tollgate::make_owned(Args&&...);
    friend struct UnixNames;

    Ref<UnixEnd> end_;
    Ref<fs::Node> node_; // of a path
    UnixName name_{};
    ListLink<UnixBinding> link_;
};

/// The family and the name as a socket address.
void to_address(const UnixName& name, SocketAddress& to);

} // namespace tollgate::net
