// Children for the conformance programs about processes: each test runs in some, so that the program may be process 1
// and nothing it changes outlives the test.
#pragma once

#include <cerrno>
#include <cstdlib>
#include <initializer_list>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tollgate::conform {

/// Starts a child that ends with f()'s result as its exit code. Its id, or -1.
template <class F>
pid_t start(F&& f) {
    const pid_t child = fork();
    if (child == 0)
        _exit(f());
    return child;
}

/// The wait status of a child; -1 if there is none.
inline int status_of(pid_t child) {
    int status = -1;
    pid_t result;
    do
        result = waitpid(child, &status, 0);
    while (result < 0 && errno == EINTR);
    return result == child ? status : -1;
}

/// Runs f() in a child; its wait status.
template <class F>
int run(F&& f) {
    return status_of(start(f));
}

inline bool exited(int status, int code) { return WIFEXITED(status) && WEXITSTATUS(status) == code; }
inline bool killed(int status, int signal) { return WIFSIGNALED(status) && WTERMSIG(status) == signal; }

/// A pipe by which a child says that it has come somewhere, and is told to go on.
class Channel {
public:
    Channel() {
        if (pipe(ends_) != 0)
            abort();
    }
    ~Channel() {
        close(ends_[0]);
        close(ends_[1]);
    }
    Channel(const Channel&) = delete;
    void tell(int value = 0) const { (void)!write(ends_[1], &value, sizeof value); }
    /// Waits for a word; -1 at the end.
    int hear() const {
        int value = -1;
        ssize_t result;
        do
            result = read(ends_[0], &value, sizeof value);
        while (result < 0 && errno == EINTR);
        return result == sizeof value ? value : -1;
    }
    int reader() const { return ends_[0]; }
    int writer() const { return ends_[1]; }

private:
    int ends_[2];
};

/// Yields until f() holds; false after very many turns.
template <class F>
bool eventually(F&& f) {
    for (int i = 0; i < 200000; ++i) {
        if (f())
            return true;
        usleep(20); // asleep: under icount a CPU that only spins keeps the others from their turn
    }
    return false;
}

/// A system call by number, its result as the kernel gives it.
template <class... A>
long raw(long number, A... arguments) {
    const long result = syscall(number, arguments...);
    return result == -1 ? -errno : result;
}

} // namespace tollgate::conform
