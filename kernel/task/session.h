// A session: the process groups of one login, and the terminal that controls them [POSIX.1-2017, 3.343]. It lives as
// long as a process is in it; the process table counts them.
#pragma once

#include "task/terminal.h"

namespace tollgate {

class Session : public RefCounted {
public:
    explicit Session(i32 leader) : id(leader) {}

    const i32 id; ///< its leader's, and no other process gets it while the session lives

    /// The controlling terminal, or none.
    Ref<Terminal> terminal() const EXCLUDES(lock_) {
        Guard guard{lock_};
        return terminal_;
    }
    void set_terminal(Ref<Terminal> terminal) EXCLUDES(lock_) {
        Guard guard{lock_};
        std::swap(terminal_, terminal);
    } // the old one goes after the lock: parameters outlive the guard

private:
    friend class ProcessTable;
    mutable Spinlock lock_{LockRank::Process};
    Ref<Terminal> terminal_ GUARDED_BY(lock_);
    unsigned members_ = 0;         // processes; under the table's lock
    Session* hash_next_ = nullptr; // in the table while members_ > 0
};

} // namespace tollgate
