// A controlling terminal as sessions know it; the terminals themselves are the file layer's (fs/tty.h).
#pragma once

#include "lib/ref.h"

namespace tollgate {

class Terminal : public RefCounted {
public:
    virtual ~Terminal() = default;
    /// The session's leader has exited: signals the foreground group and gives the session up. No lock is held.
    virtual void session_ended() = 0;
    /// tty_nr of /proc/PID/stat.
    virtual u32 device_number() const = 0;
    /// The process group that may read, and that the keyboard's signals go to; 0: none.
    Atomic<i32> foreground_group{0};
};

} // namespace tollgate
