// Programs start: execve and execveat, what survives them, scripts, the auxiliary vector, and files that are no
// programs.
#include <climits>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "userland/conform/children.h"
#include "userland/lib/ktap.h"

namespace {

using namespace tollgate;
using namespace tollgate::conform;

extern "C" char** environ;
char self[256];
constexpr char kDirectory[] = "/tmp/conform-exec";
constexpr char kScript[] = "/tmp/conform-exec/script";
using Strings = const char* const*;

// ---- what the new programs do: argv[1] says which ----

int open_descriptors() {
    int open = 0;
    for (int i = 3; i < 32; ++i)
        open += fcntl(i, F_GETFD) != -1 ? 1 : 0;
    return open;
}

int play(int argc, char** argv) {
    const char* const role = argv[1];
    if (strcmp(role, "role:arguments") == 0) {
        const char* const variable = getenv("CONFORM");
        const bool good = argc == 5 && strcmp(argv[0], "zero") == 0 && argv[2][0] == '\0' &&
                          strcmp(argv[3], "three") == 0 && strlen(argv[4]) == 10000 && argv[5] == nullptr && variable &&
                          strcmp(variable, "yes") == 0 && environ[1] == nullptr;
        return good ? 0 : 1;
    }
    if (strcmp(role, "role:keeps") == 0) {
        char directory[64] = {};
        (void)!getcwd(directory, sizeof directory);
        struct sigaction handled {
        }, ignored{};
        sigset_t blocked;
        sigaction(SIGUSR1, nullptr, &handled);
        sigaction(SIGUSR2, nullptr, &ignored);
        sigprocmask(SIG_BLOCK, nullptr, &blocked);
        const char* const ids = argv[2];
        char expected[64];
        snprintf(expected, sizeof expected, "%d %d %d", getpid(), getppid(), getpgrp());
        if (strcmp(ids, expected) != 0)
            return 1;
        if (strcmp(directory, kDirectory) != 0 || umask(0) != 0135)
            return 2;
        if (handled.sa_handler != SIG_DFL || ignored.sa_handler != SIG_IGN)
            return 3;
        if (!sigismember(&blocked, SIGWINCH) || sigismember(&blocked, SIGUSR1))
            return 4;
        return open_descriptors() == 1 && fcntl(20, F_GETFD) == 0 ? 0 : 5;
    }
    if (strcmp(role, "role:auxv") == 0) {
        if (getauxval(AT_PAGESZ) != 4096 || getauxval(AT_PHENT) != sizeof(Elf64_Phdr) || getauxval(AT_PHNUM) == 0)
            return 1;
        const auto* const header = reinterpret_cast<const Elf64_Phdr*>(getauxval(AT_PHDR));
        bool loads = false;
        for (unsigned long i = 0; i < getauxval(AT_PHNUM); ++i)
            loads |= header[i].p_type == PT_LOAD;
        if (!loads || getauxval(AT_ENTRY) == 0)
            return 2;
        if (strcmp(reinterpret_cast<const char*>(getauxval(AT_EXECFN)), self) != 0)
            return 3;
        const auto* const random = reinterpret_cast<const unsigned char*>(getauxval(AT_RANDOM));
        bool varied = false;
        for (int i = 1; random && i < 16; ++i)
            varied |= random[i] != random[0];
        if (!varied)
            return 4;
        if (getauxval(AT_UID) != getuid() || getauxval(AT_EUID) != geteuid() || getauxval(AT_GID) != getgid() ||
            getauxval(AT_EGID) != getegid() || getauxval(AT_SECURE) != 0)
            return 5;
        if (getauxval(AT_CLKTCK) != 100 || strcmp(reinterpret_cast<const char*>(getauxval(AT_PLATFORM)), "x86_64") != 0)
            return 6;
        return getauxval(AT_HWCAP) != 0 && getauxval(AT_MINSIGSTKSZ) >= 1000 ? 0 : 7;
    }
    if (strcmp(role, "role:sum") == 0) { // the length of all strings, modulo 256
        unsigned long sum = 0;
        for (int i = 0; i < argc; ++i)
            sum += strlen(argv[i]);
        return static_cast<int>(sum % 251);
    }
    if (strcmp(role, "role:alone") == 0)
        return getpid() == gettid() && atoi(argv[2]) == getpid() ? 71 : 1;
    if (strcmp(role, "role:script -x") == 0) // the one argument of a script's first line
        return argc == 5 && strcmp(argv[0], self) == 0 && strcmp(argv[2], kScript) == 0 && strcmp(argv[3], "a") == 0 &&
                       strcmp(argv[4], "b") == 0
                   ? 81
                   : 1;
    if (strcmp(role, kScript) == 0)
        return argc == 3 && strcmp(argv[2], "only") == 0 ? 82 : 1;
    if (strncmp(role, "/tmp/conform-exec/nested", 24) == 0)
        return 83;
    if (strncmp(role, "/dev/fd/", 8) == 0)
        return 84;
    return 99;
}

// ---- helpers ----

int exec_with(const char* path, Strings arguments, char** environment = environ) {
    execve(path, const_cast<char* const*>(arguments), environment);
    return 100 + errno; // as an exit code: no error number is that large here
}
int run_exec(const char* path, Strings arguments) {
    return run([&] { return exec_with(path, arguments); });
}
int error_of(const char* path) {
    const char* const arguments[] = {"x", nullptr};
    const int status = run_exec(path, arguments);
    return WIFEXITED(status) && WEXITSTATUS(status) > 100 ? WEXITSTATUS(status) - 100 : 0;
}

bool write_file(const char* path, const void* bytes, size_t size, mode_t mode) {
    unlink(path);
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    const bool good = file >= 0 && write(file, bytes, size) == static_cast<ssize_t>(size);
    close(file);
    return good;
}
bool write_script(const char* path, const char* text) { return write_file(path, text, strlen(text), 0755); }

// ---- tests ----

void test_arguments(Ktap& ktap) {
    static char longest[10001];
    memset(longest, 'x', sizeof longest - 1);
    const char* const arguments[] = {"zero", "role:arguments", "", "three", longest, nullptr};
    // argc is 5: the role counts.
    char* environment[] = {const_cast<char*>("CONFORM=yes"), nullptr};
    const int status = run([&] { return exec_with(self, arguments, environment); });
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.test("arguments and environment arrive");

    static char large[100000];
    memset(large, 'y', sizeof large - 1);
    const char* const two[] = {"zero", "role:sum", large, nullptr};
    const int sum = run_exec(self, two);
    ktap.check(exited(sum, (4 + 8 + 99999) % 251), "status %#x", sum);
    static const char* many[3003];
    for (int i = 0; i < 3002; ++i)
        many[i] = i == 1 ? "role:sum" : "four";
    const int sum_of_many = run_exec(self, many);
    ktap.check(exited(sum_of_many, (3001 * 4 + 8) % 251), "status %#x", sum_of_many);
    ktap.test("a large argument, and many");

    static char huge[200000];
    memset(huge, 'z', sizeof huge - 1);
    const char* const too_big[] = {"zero", "role:sum", huge, nullptr};
    const int status_huge = run_exec(self, too_big);
    ktap.check(exited(status_huge, 100 + E2BIG), "status %#x", status_huge);
    static const char* endless[1000];
    for (int i = 0; i < 999; ++i)
        endless[i] = large;
    const int status_endless = run_exec(self, endless);
    ktap.check(exited(status_endless, 100 + E2BIG), "status %#x", status_endless);
    ktap.test("E2BIG: one argument of 200 kB, and a thousand of 100 kB");
}

void test_survivors(Ktap& ktap) {
    const int status = run([] {
        struct sigaction action {};
        action.sa_handler = [](int) {};
        sigaction(SIGUSR1, &action, nullptr);
        action.sa_handler = SIG_IGN;
        sigaction(SIGUSR2, &action, nullptr);
        sigset_t blocked;
        sigemptyset(&blocked);
        sigaddset(&blocked, SIGWINCH);
        sigprocmask(SIG_BLOCK, &blocked, nullptr);
        for (int i = 3; i < 32; ++i)
            close(i);
        dup2(0, 20);
        dup3(0, 21, O_CLOEXEC);
        if (chdir(kDirectory) != 0)
            return 90;
        umask(0135);
        setpgid(0, 0);
        char ids[64];
        snprintf(ids, sizeof ids, "%d %d %d", getpid(), getppid(), getpgrp());
        const char* const arguments[] = {"x", "role:keeps", ids, nullptr};
        return exec_with(self, arguments);
    });
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.test("ids, directory, umask, ignored signals, the mask and descriptors survive; handlers do not");

    const char* const arguments[] = {"x", "role:auxv", nullptr};
    const int auxv = run_exec(self, arguments);
    ktap.check(exited(auxv, 0), "status %#x", auxv);
    ktap.test("the auxiliary vector");
}

void* exec_in_thread(void* arguments) {
    exec_with(self, static_cast<Strings>(arguments));
    _exit(97);
}
void* wait_forever(void*) {
    for (;;)
        pause();
}
void test_threads(Ktap& ktap) {
    const int status = run([] {
        char id[16];
        snprintf(id, sizeof id, "%d", getpid());
        const char* const arguments[] = {"x", "role:alone", id, nullptr};
        pthread_t thread;
        for (int i = 0; i < 4; ++i)
            pthread_create(&thread, nullptr, wait_forever, nullptr);
        pthread_create(&thread, nullptr, exec_in_thread, const_cast<const char**>(arguments));
        for (;;)
            pause();
        return 1;
    });
    ktap.check(exited(status, 71), "status %#x", status);
    ktap.test("execve in a thread: it becomes the process, the others end");
}

void test_errors(Ktap& ktap) {
    ktap.check(error_of("/no/such/file") == ENOENT, "missing");
    ktap.check(error_of("") == ENOENT, "empty path");
    ktap.check(error_of("/tmp") == EACCES, "a directory: %d", error_of("/tmp"));
    ktap.check(error_of("/dev/null") == EACCES, "a device: %d", error_of("/dev/null"));
    ktap.test("ENOENT, EACCES");
    char below[300];
    snprintf(below, sizeof below, "%s/x", self);
    ktap.check(error_of(below) == ENOTDIR, "below a file: %d", error_of(below));
    static char longest[5000];
    memset(longest, 'a', sizeof longest - 1);
    ktap.check(error_of(longest) == ENAMETOOLONG, "a long name: %d", error_of(longest));
    symlink("loop", "/tmp/conform-exec/loop");
    ktap.check(error_of("/tmp/conform-exec/loop") == ELOOP, "a loop: %d", error_of("/tmp/conform-exec/loop"));
    unlink("/tmp/conform-exec/loop");
    ktap.test("ENOTDIR, ENAMETOOLONG, ELOOP");
    const char* const arguments[] = {"x", nullptr};
    ktap.check(raw(SYS_execve, reinterpret_cast<void*>(8), arguments, environ) == -EFAULT, "path");
    ktap.check(raw(SYS_execve, self, reinterpret_cast<void*>(8), environ) == -EFAULT, "arguments");
    ktap.check(raw(SYS_execve, self, arguments, reinterpret_cast<void*>(8)) == -EFAULT, "environment");
    const char* const bad[] = {"x", reinterpret_cast<const char*>(8), nullptr};
    ktap.check(raw(SYS_execve, self, bad, environ) == -EFAULT, "an argument");
    ktap.check(raw(SYS_execve, self, 1UL << 63, environ) == -EFAULT, "arguments in the kernel");
    ktap.test("EFAULT");

    ktap.check(write_file(kScript, "no program\n", 11, 0644) && error_of(kScript) == EACCES, "no x bit");
    ktap.check(write_file(kScript, "no program\n", 11, 0755) && error_of(kScript) == ENOEXEC, "text");
    ktap.check(write_file(kScript, "", 0, 0755) && error_of(kScript) == ENOEXEC, "empty");
    ktap.check(write_file(kScript, "#!\n", 3, 0755) && error_of(kScript) == ENOEXEC, "#!");
    ktap.check(write_file(kScript, "#! \n", 4, 0755) && error_of(kScript) == ENOEXEC, "#! and a blank");
    ktap.test("ENOEXEC: what is no program");
}

/// Who writes and who executes keep each other out.
void test_busy(Ktap& ktap) {
    const int writes = open(self, O_WRONLY);
    ktap.check(writes < 0 && errno == ETXTBSY, "opened for writing while it runs: %s", strerror(errno));
    if (writes < 0) { // else the others would cut the branch we sit on
        ktap.check(open(self, O_RDWR | O_TRUNC) < 0 && errno == ETXTBSY, "emptied while it runs: %s", strerror(errno));
        ktap.check(truncate(self, 0) < 0 && errno == ETXTBSY, "cut while it runs: %s", strerror(errno));
    }
    close(writes);
    constexpr char kCopy[] = "/tmp/conform-exec/copy";
    const int from = open(self, O_RDONLY), to = open(kCopy, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    struct stat status {};
    fstat(from, &status);
    ktap.check(to >= 0 && sendfile(to, from, nullptr, static_cast<size_t>(status.st_size)) == status.st_size,
               "copying");
    close(from);
    const char* const arguments[] = {"x", "role:sum", nullptr};
    ktap.check(error_of(kCopy) == ETXTBSY, "executed while it is written to: %d", error_of(kCopy));
    close(to);
    ktap.check(exited(run_exec(kCopy, arguments), 9), "executed when it is complete");
    const int again = open(kCopy, O_WRONLY);
    ktap.check(again >= 0, "written to when nobody executes it any more: %s", strerror(errno));
    close(again);
    unlink(kCopy);
    ktap.test("ETXTBSY");
}

/// Copies of this program's first bytes, with something wrong.
void test_broken_programs(Ktap& ktap) {
    static unsigned char head[4096];
    const int file = open(self, O_RDONLY);
    ktap.check(file >= 0 && read(file, head, sizeof head) == sizeof head, "cannot read this program");
    close(file);
    const auto with = [&](size_t offset, std::initializer_list<unsigned char> bytes, size_t size) {
        static unsigned char copy[4096];
        memcpy(copy, head, sizeof copy);
        for (const unsigned char byte : bytes)
            copy[offset++] = byte;
        return write_file(kScript, copy, size, 0755) ? error_of(kScript) : -1;
    };
    for (const size_t size : {4UL, 40UL, 63UL})
        ktap.check(with(0, {}, size) == ENOEXEC, "%zu bytes", size);
    ktap.check(with(offsetof(Elf64_Ehdr, e_ident) + EI_MAG1, {'X'}, 4096) == ENOEXEC, "magic number");
    ktap.check(with(offsetof(Elf64_Ehdr, e_type), {ET_REL, 0}, 4096) == ENOEXEC, "type");
    ktap.check(with(offsetof(Elf64_Ehdr, e_machine), {40, 0}, 4096) == ENOEXEC, "machine");
    ktap.check(with(offsetof(Elf64_Ehdr, e_phnum), {0, 0}, 4096) == ENOEXEC, "no headers");
    ktap.check(with(offsetof(Elf64_Ehdr, e_phentsize), {32, 0}, 4096) == ENOEXEC, "size of the headers");
    ktap.test("ENOEXEC: broken ELF files");
    unlink(kScript);
}

void test_scripts(Ktap& ktap) {
    char text[600];
    snprintf(text, sizeof text, "#! %s  role:script -x \nrest", self);
    ktap.check(write_script(kScript, text), "cannot write");
    const char* const arguments[] = {"gone", "a", "b", nullptr};
    int status = run_exec(kScript, arguments);
    ktap.check(exited(status, 81), "status %#x", status);
    ktap.test("a script: interpreter, its argument, the script's name, the rest");

    snprintf(text, sizeof text, "#!%s\n", self);
    ktap.check(write_script(kScript, text), "cannot write");
    const char* const one[] = {"gone", "only", nullptr};
    status = run_exec(kScript, one);
    ktap.check(exited(status, 82), "status %#x", status);
    ktap.test("a script without an argument");

    char path[64], previous[300];
    snprintf(previous, sizeof previous, "%s", self);
    for (int i = 1; i <= 7; ++i) {
        snprintf(path, sizeof path, "%s/nested%d", kDirectory, i);
        snprintf(text, sizeof text, "#!%s\n", previous);
        ktap.check(write_script(path, text), "cannot write");
        snprintf(previous, sizeof previous, "%s", path);
    }
    status = run_exec("/tmp/conform-exec/nested4", one);
    ktap.check(exited(status, 83), "four scripts: %#x", status);
    ktap.check(error_of("/tmp/conform-exec/nested7") == ELOOP, "seven scripts: %d",
               error_of("/tmp/conform-exec/nested7"));
    for (int i = 1; i <= 7; ++i) {
        snprintf(path, sizeof path, "%s/nested%d", kDirectory, i);
        unlink(path);
    }
    ktap.test("scripts of scripts, and too many");

    ktap.check(write_script(kScript, "#!/no/such/interpreter\n") && error_of(kScript) == ENOENT, "missing");
    ktap.check(write_script(kScript, "#!/tmp\n") && error_of(kScript) == EACCES, "a directory");
    ktap.test("a script whose interpreter cannot be had");
    unlink(kScript);
}

void test_execveat(Ktap& ktap) {
    char directory[256];
    snprintf(directory, sizeof directory, "%s", self);
    char* const slash = strrchr(directory, '/');
    const char* const name = self + (slash - directory) + 1;
    *(slash == directory ? slash + 1 : slash) = '\0';
    const char* const arguments[] = {"zero", "role:sum", nullptr};
    const auto at = [&](int descriptor, const char* path, int flags) {
        const int status =
            run([&] { return 100 - static_cast<int>(raw(SYS_execveat, descriptor, path, arguments, environ, flags)); });
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    };
    const int folder = open(directory, O_RDONLY | O_DIRECTORY);
    ktap.check(at(folder, name, 0) == 12, "relative: %d", at(folder, name, 0));
    ktap.check(at(-1, self, 0) == 12, "absolute: %d", at(-1, self, 0));
    ktap.check(at(AT_FDCWD, self, 0) == 12, "AT_FDCWD: %d", at(AT_FDCWD, self, 0));
    const int program = open(self, O_RDONLY);
    ktap.check(at(program, "", AT_EMPTY_PATH) == 12, "empty: %d", at(program, "", AT_EMPTY_PATH));
    ktap.test("execveat: by a directory, by a descriptor");
    ktap.check(at(program, "", 0) == 100 + ENOENT, "no AT_EMPTY_PATH: %d", at(program, "", 0));
    ktap.check(at(folder, name, 0x8000) == 100 + EINVAL, "flags: %d", at(folder, name, 0x8000));
    ktap.check(at(99, "x", 0) == 100 + EBADF, "no descriptor: %d", at(99, "x", 0));
    ktap.check(at(99, "", AT_EMPTY_PATH) == 100 + EBADF, "no descriptor: %d", at(99, "", AT_EMPTY_PATH));
    ktap.check(at(program, "x", 0) == 100 + ENOTDIR, "no directory: %d", at(program, "x", 0));
    ktap.check(at(folder, "", AT_EMPTY_PATH) == 100 + EACCES, "a directory: %d", at(folder, "", AT_EMPTY_PATH));
    ktap.test("execveat: errors");
    close(program);
    close(folder);
}

} // namespace

int main(int argc, char** argv) {
    if (readlink("/proc/self/exe", self, sizeof self - 1) <= 0)
        return 98;
    if (argc > 1)
        return play(argc, argv);
    umask(022);
    mkdir(kDirectory, 0755);
    Ktap ktap(18);
    test_arguments(ktap);
    test_survivors(ktap);
    test_threads(ktap);
    test_errors(ktap);
    test_busy(ktap);
    test_broken_programs(ktap);
    test_scripts(ktap);
    test_execveat(ktap);
    rmdir(kDirectory);
    return ktap.finish();
}
