// Processes: bytes between two of them, and processes that are made, run and reaped.
#include <cstdio>
#include <cstring>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/bench/calls/operation.h"

namespace tollgate::calls {
namespace {

// ---- ping-pong: a child sends back each byte that it gets ----

int to_child[2] = {-1, -1}, to_parent[2] = {-1, -1}; // for sockets the two are one pair
int ask = -1, hear = -1;
long child = -1;
char byte;

void close_ends() {
    const int ends[] = {to_child[0], to_child[1], to_parent[0], to_parent[1]};
    for (int i = 0; i < 4; ++i)
        if (ends[i] >= 0 && (i < 2 || ends[i] != ends[i - 2]))
            close(ends[i]);
    for (int* const pair : {to_child, to_parent})
        pair[0] = pair[1] = -1;
}

[[noreturn]] void echo(int from, int to, int partners_end) {
    close(partners_end); // or the end of the parent would not be the end of the file
    char one;
    while (Native::call(SYS_read, from, &one, 1) == 1 && Native::call(SYS_write, to, &one, 1) == 1)
        ;
    _exit(0);
}

long start_child(int child_hears, int child_says, int parent_asks, int parent_hears) {
    ask = parent_asks;
    hear = parent_hears;
    child = result_of(fork());
    if (child == 0)
        echo(child_hears, child_says, parent_asks);
    return child;
}

long start_with_pipes() {
    if (pipe(to_child) != 0 || pipe(to_parent) != 0)
        return -errno;
    return start_child(to_child[0], to_parent[1], to_child[1], to_parent[0]);
}

long start_with_sockets() {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return -errno;
    to_child[0] = to_parent[0] = pair[0];
    to_child[1] = to_parent[1] = pair[1];
    return start_child(pair[0], pair[0], pair[1], pair[1]);
}

void stop_child() {
    close_ends();
    if (child > 0)
        waitpid(static_cast<pid_t>(child), nullptr, 0);
    child = -1;
}

[[gnu::noipa]] long pingpong() {
    const long written = Native::call(SYS_write, ask, &byte, 1);
    if (written < 0)
        return written;
    const long got = Native::call(SYS_read, hear, &byte, 1);
    return got == 0 ? -EPIPE : got;
}

// ---- birth and death ----

char tiny_path[4096] = "/bin/tiny";
char* tiny_arguments[] = {tiny_path, nullptr};
char* tiny_environment[] = {nullptr};

long reap(long id) {
    int status = 0;
    const long reaped = Native::call(SYS_wait4, id, &status, 0, 0);
    if (reaped < 0)
        return reaped;
    return reaped == id && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

[[gnu::noipa]] long fork_wait() {
    const long id = Native::call(SYS_fork);
    if (id == 0)
        Native::call(SYS_exit_group, 0);
    return id < 0 ? id : reap(id);
}

[[gnu::noipa]] long fork_exec_wait() {
    const long id = Native::call(SYS_fork);
    if (id == 0) {
        Native::call(SYS_execve, tiny_path, tiny_arguments, tiny_environment);
        Native::call(SYS_exit_group, 127);
    }
    return id < 0 ? id : reap(id);
}

[[gnu::noipa]] long vfork_exec_wait() {
    const long id = vfork(); // libc's: the return address must not lie on the stack that both use
    if (id == 0) {
        Native::call(SYS_execve, tiny_path, tiny_arguments, tiny_environment);
        Native::call(SYS_exit_group, 127);
    }
    return id < 0 ? -errno : reap(id);
}

long find_tiny() { return result_of(access(tiny_path, X_OK)); }

constexpr Operation kOperations[] = {
    operation<pingpong>("pipe_pingpong", 3000, 20, start_with_pipes, stop_child),
    operation<pingpong>("unix_pingpong", 5000, 20, start_with_sockets, stop_child),
    operation<fork_wait>("fork_wait", 60000, 2, nullptr, nullptr, 5),
    operation<fork_exec_wait>("fork_exec_tiny_wait", 90000, 2, find_tiny, nullptr, 5),
    operation<vfork_exec_wait>("vfork_exec_tiny_wait", 45000, 2, find_tiny, nullptr, 5),
};

} // namespace

void set_tiny(const char* own_path) {
    const char* const slash = std::strrchr(own_path, '/');
    if (slash == nullptr)
        return;
    char beside[sizeof tiny_path];
    std::snprintf(beside, sizeof beside, "%.*s/tiny", static_cast<int>(slash - own_path), own_path);
    if (access(beside, X_OK) == 0)
        std::strcpy(tiny_path, beside);
}

std::span<const Operation> process_operations() { return kOperations; }

} // namespace tollgate::calls
