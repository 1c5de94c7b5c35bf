// What the conformance programs about files share: a fresh directory to work in, removed at the end, raw calls that
// return -errno, and pointers that no call may follow.
#pragma once

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "userland/lib/ktap.h"

namespace conform {

/// A system call without libc's opinion: its value, or -errno.
template <class... A>
long call(long number, A... arguments) {
    const long result = syscall(number, arguments...);
    return result == -1 ? -errno : result;
}

/// Addresses that are never mapped [docs/threats.md, P1].
inline constexpr unsigned long kBadPointers[] = {
    0, 1, 0x800000000000 - 1, 0x800000000000, 0x8000000000000000, 0xffff800000000000, 0xffffffff80000000, ~0ul};

inline void remove_tree(int above, const char* name) {
    const int opened = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (DIR* const directory = opened < 0 ? nullptr : fdopendir(opened)) {
        while (const dirent* const entry = readdir(directory)) {
            if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0)
                continue;
            if (unlinkat(opened, entry->d_name, 0) != 0)
                remove_tree(opened, entry->d_name);
        }
        closedir(directory);
    }
    unlinkat(above, name, AT_REMOVEDIR);
}

/// The working directory of a test, made at the start.
class Scratch {
public:
    Scratch() {
        std::strcpy(path_, "/tmp/conform-XXXXXX");
        if (!mkdtemp(path_) || chdir(path_) != 0) {
            std::perror("no directory to work in");
            std::exit(2);
        }
        umask(022);
    }
    ~Scratch() {
        if (chdir("/") == 0)
            remove_tree(AT_FDCWD, path_);
    }
    const char* path() const { return path_; }

private:
    char path_[64];
};

/// A file with this content; its descriptor, open for both.
inline int make(const char* name, const char* text = "") {
    const int file = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
    const size_t size = std::strlen(text);
    if (file < 0 || write(file, text, size) != static_cast<ssize_t>(size))
        std::exit(3);
    return file;
}
inline void touch(const char* name, const char* text = "") { close(make(name, text)); }

inline struct stat status_of(const char* name) {
    struct stat status {};
    if (lstat(name, &status) != 0)
        status.st_mode = 0;
    return status;
}
inline bool exists(const char* name) { return status_of(name).st_mode != 0; }

} // namespace conform

/// One check: the call returns exactly this (a value or -errno).
#define RETURNS(ktap, expected, ...)                                                                                   \
    do {                                                                                                               \
        const long conform_got = static_cast<long>(__VA_ARGS__), conform_want = static_cast<long>(expected);           \
        (ktap).check(conform_got == conform_want, "%s: %ld, not %ld", #__VA_ARGS__, conform_got, conform_want);        \
    } while (false)
