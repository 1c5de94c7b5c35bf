// Four processes that make, move and remove the same names.
#include <initializer_list>
#include <sys/sysinfo.h>
#include <sys/wait.h>

#include "userland/conform/descriptors_tests.h"

namespace conform {

namespace {

/// Everything that makes and removes names, at once, on a handful of them. Whatever comes back must be one of what may.
bool scramble(unsigned seed) {
    const auto next = [&] { return seed = seed * 1103515245 + 12345, seed >> 16; };
    bool good = true;
    for (int i = 0; i < 1500; ++i) {
        char one[16], two[32];
        std::snprintf(one, sizeof one, "race/n%u", next() % 6);
        std::snprintf(two, sizeof two, next() % 2 ? "race/n%u" : "race/n%u/x", next() % 6);
        long result = 0;
        switch (next() % 9) {
        case 0:
            result = call(SYS_open, one, O_CREAT | O_RDWR, 0644);
            if (result >= 0) {
                char bytes[3000] = {};
                const int file = static_cast<int>(result);
                good &= call(SYS_write, file, bytes, sizeof bytes) == sizeof bytes;
                struct stat status {};
                good &= call(SYS_fstat, file, &status) == 0;
                result = close(file);
            }
            break;
        case 1:
            result = call(SYS_unlink, one);
            break;
        case 2:
            result = call(SYS_rename, one, two);
            break;
        case 3:
            result = call(SYS_mkdir, one, 0777);
            break;
        case 4:
            result = call(SYS_rmdir, two);
            break;
        case 5:
            result = call(SYS_link, one, two);
            break;
        case 6:
            result = call(SYS_symlink, "n1", one);
            break;
        case 7: {
            const long directory = call(SYS_open, "race", O_RDONLY);
            char entries[2048];
            good &= call(SYS_getdents64, directory, entries, sizeof entries) > 0;
            result = close(static_cast<int>(directory));
            break;
        }
        default:
            result = call(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, two, 2);
        }
        bool known = result == 0;
        for (const int error : {ENOENT, EEXIST, ENOTDIR, EISDIR, ENOTEMPTY, EINVAL, EPERM, ELOOP})
            known |= result == -error;
        if (!known) {
            std::fprintf(stderr, "# unexpected %ld\n", result);
            return false;
        }
    }
    return good;
}

/// Free memory, of which nothing may be missing after a race.
unsigned long free_memory() {
    struct sysinfo information {};
    sysinfo(&information);
    return information.freeram * information.mem_unit;
}

} // namespace

void race(tollgate::Ktap& ktap) {
    unsigned long before = 0;
    for (int round = 0; round < 2; ++round) { // the first one warms the kernel's heap
        before = round == 0 ? 0 : free_memory();
        mkdir("race", 0777);
        pid_t children[4];
        for (unsigned i = 0; i < 4; ++i) {
            children[i] = fork();
            if (children[i] == 0)
                _exit(scramble(i + 1) ? 0 : 1);
        }
        for (const pid_t child : children) {
            int ended = -1;
            waitpid(child, &ended, 0);
            RETURNS(ktap, 0, ended);
        }
        remove_tree(AT_FDCWD, "race");
        ktap.check(!exists("race"), "something is left");
    }
    const unsigned long after = free_memory();
    if (getenv("HOME") == nullptr || getpid() == 1) // on Linux others use memory as well
        ktap.check(after + (256 << 10) > before, "%lu KiB are missing", (before - after) >> 10);
    ktap.test("four processes make, move and remove the same names");
}

} // namespace conform
