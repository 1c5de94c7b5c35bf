// What the two conformance programs for sockets share: pairs and addresses.
#pragma once

#include <cstddef>
#include <cstdio>
#include <sys/socket.h>
#include <sys/un.h>

#include "userland/conform/ipc_support.h"

namespace tollgate::ipc {

struct Pair {
    int a = -1, b = -1;
    explicit Pair(int type) {
        int ends[2] = {-1, -1};
        if (socketpair(AF_UNIX, type, 0, ends) == 0) {
            a = ends[0];
            b = ends[1];
        }
    }
    ~Pair() {
        if (a >= 0)
            close(a);
        if (b >= 0)
            close(b);
    }
};

inline sockaddr_un address;
/// An abstract name, or a path, of this process.
inline socklen_t name(const char* text, bool path = false) {
    address = {};
    address.sun_family = AF_UNIX;
    const int length = std::snprintf(address.sun_path + (path ? 0 : 1), sizeof address.sun_path - 1, "%sconform-%d-%s",
                                     path ? "/tmp/" : "", getpid(), text);
    return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + static_cast<unsigned>(length) + 1);
}
inline sockaddr* to_address() { return reinterpret_cast<sockaddr*>(&address); }

} // namespace tollgate::ipc
