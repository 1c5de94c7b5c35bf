// /proc/PID: that its texts have the fields and the form that programs parse [man 5 proc].
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <elf.h>
#include <initializer_list>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "userland/conform/proc_text.h"

namespace {

using namespace tollgate;
using namespace tollgate::proc;

// ---- a process ----

void test_self(Ktap& ktap) {
    const std::string id = std::to_string(getpid());
    ktap.check(link_of("/proc/self") == id, "/proc/self is %s", link_of("/proc/self").c_str());
    ktap.check(link_of("/proc/thread-self") == id + "/task/" + id, "/proc/thread-self is %s",
               link_of("/proc/thread-self").c_str());
    ktap.test("self and thread-self");

    const auto names = names_in("/proc");
    ktap.check(has(names, id), "/proc does not list %s", id.c_str());
    for (const char* name : {"self", "cpuinfo", "meminfo", "stat", "uptime", "version", "sys", "mounts"})
        ktap.check(has(names, name), "/proc does not list %s", name);
    const auto own = names_in("/proc/self");
    for (const char* name : {"stat", "status", "maps", "exe", "cwd", "root", "fd", "task", "cmdline", "environ"})
        ktap.check(has(own, name), "/proc/self does not list %s", name);
    ktap.check(has(names_in("/proc/self/task"), id), "its thread is not listed");
    struct stat status {};
    ktap.check(stat("/proc/99999999", &status) == -1 && errno == ENOENT, "a process that is none");
    ktap.check(stat("/proc/0", &status) == -1 && errno == ENOENT, "process 0");
    ktap.check(stat(("/proc/0" + id).c_str(), &status) == -1 && errno == ENOENT, "a leading zero");
    ktap.test("listings");
}

void test_stat(Ktap& ktap) {
    const std::string text = text_of("/proc/self/stat");
    const std::size_t open = text.find('('), close = text.rfind(')');
    ktap.check(open != std::string::npos && close != std::string::npos, "no name: %.60s", text.c_str());
    if (close == std::string::npos)
        return (void)ktap.test("stat");
    ktap.check(std::stoi(text) == getpid(), "another process: %.20s", text.c_str());
    const auto fields = split(text.substr(close + 2, text.size() - close - 3), ' ');
    ktap.check(fields.size() == 50, "%zu fields behind the name, not 50", fields.size());
    ktap.check(text.back() == '\n', "no newline");
    if (fields.size() < 50)
        return (void)ktap.test("stat");
    ktap.check(fields[0] == "R", "state %s", fields[0].c_str());
    ktap.check(std::stoi(fields[1]) == getppid(), "parent %s", fields[1].c_str());
    ktap.check(std::stoi(fields[2]) == getpgrp(), "group %s", fields[2].c_str());
    ktap.check(std::stoi(fields[3]) == getsid(0), "session %s", fields[3].c_str());
    ktap.check(std::stoi(fields[17]) == 1, "%s threads", fields[17].c_str());
    ktap.check(std::stoull(fields[20]) > 0, "no memory mapped");
    ktap.check(std::stoull(fields[21]) > 0, "no memory used");
    ktap.check(std::stoi(fields[35]) == SIGCHLD, "exit signal %s", fields[35].c_str());
    ktap.test("stat");

    const auto pages = split(text_of("/proc/self/statm"), ' ');
    ktap.check(pages.size() == 7, "%zu fields in statm", pages.size());
    ktap.check(std::stoull(pages[0]) * 4096 == std::stoull(fields[20]), "statm says %s pages", pages[0].c_str());
    ktap.check(std::stoull(pages[1]) <= std::stoull(pages[0]), "more used than mapped");
    ktap.test("statm");
}

void test_status(Ktap& ktap) {
    signal(SIGUSR1, SIG_IGN);
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR2);
    sigprocmask(SIG_BLOCK, &blocked, nullptr);
    const std::string text = text_of("/proc/self/status");
    const auto is = [&](const char* name, const std::string& wanted) {
        ktap.check(field(text, name) == wanted, "%s is '%s', not '%s'", name, field(text, name).c_str(),
                   wanted.c_str());
    };
    is("State", "R (running)");
    is("Pid", std::to_string(getpid()));
    is("Tgid", std::to_string(getpid()));
    is("PPid", std::to_string(getppid()));
    is("TracerPid", "0");
    is("Threads", "1");
    char line[60];
    std::snprintf(line, sizeof line, "%u\t%u\t%u\t%u", getuid(), geteuid(), geteuid(), geteuid());
    is("Uid", line);
    is("SigBlk", "0000000000000800");
    const std::string ignored = field(text, "SigIgn");
    ktap.check(ignored.size() == 16 && std::stoull(ignored, nullptr, 16) >> 9 & 1, "SigIgn is %s", ignored.c_str());
    for (const char* name : {"VmSize", "VmRSS", "VmData", "VmStk", "VmExe", "VmPeak", "VmHWM"}) {
        const std::string size = field(text, name);
        ktap.check(size.size() > 3 && size.substr(size.size() - 3) == " kB" &&
                       is_number(size.substr(0, size.size() - 3)),
                   "%s is '%s'", name, size.c_str());
    }
    for (const char* name : {"FDSize", "SigQ", "CapEff", "Cpus_allowed_list", "voluntary_ctxt_switches"})
        ktap.check(field(text, name) != "(none)", "%s is missing", name);
    sigprocmask(SIG_UNBLOCK, &blocked, nullptr);
    ktap.test("status");
}

void test_maps(Ktap& ktap) {
    void* page = mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(page, 4096, PROT_READ);
    const std::string text = text_of("/proc/self/maps");
    unsigned long before = 0;
    bool stack = false, code = false, read_only = false;
    int local = 0;
    for (const std::string& line : split(text, '\n')) {
        unsigned long start = 0, end = 0, offset = 0, inode = 0;
        char rights[5] = {};
        unsigned device[2] = {};
        int used = 0;
        const int got = std::sscanf(line.c_str(), "%lx-%lx %4s %lx %x:%x %lu%n", &start, &end, rights, &offset,
                                    &device[0], &device[1], &inode, &used);
        ktap.check(got == 7, "not parsed: %s", line.c_str());
        ktap.check(start >= before && end > start && start % 4096 == 0, "not in order: %s", line.c_str());
        ktap.check(start < 0x800000000000 || start == 0xffffffffff600000, "an address of the kernel's: %s",
                   line.c_str());
        const std::size_t name = line.find_first_not_of(' ', static_cast<std::size_t>(used));
        ktap.check(name == std::string::npos || name >= 73, "the name stands in column %zu: %s", name, line.c_str());
        before = end;
        const auto inside = [&](const void* address) {
            const auto value = reinterpret_cast<unsigned long>(address);
            return value >= start && value < end;
        };
        if (inside(&local))
            stack = line.find("[stack]") != std::string::npos && std::strcmp(rights, "rw-p") == 0;
        if (inside(reinterpret_cast<const void*>(&test_maps)))
            code = std::strcmp(rights, "r-xp") == 0;
        if (inside(page))
            read_only = std::strcmp(rights, "r--p") == 0;
    }
    ktap.check(stack, "no stack");
    ktap.check(code, "no code");
    ktap.check(read_only, "the page that was made read-only");
    ktap.test("maps");

    const std::string large = text_of("/proc/self/smaps");
    ktap.check(field(large, "Rss") != "(none)" && field(large, "Size") != "(none)", "no sizes");
    ktap.check(large.find("[stack]") != std::string::npos, "no stack");
    ktap.test("smaps");
    munmap(page, 8192);
}

void test_program(Ktap& ktap, char** argv, char** envp) {
    std::string arguments, environment;
    for (char** each = argv; *each != nullptr; ++each)
        arguments += std::string(*each) + '\0';
    for (char** each = envp; *each != nullptr; ++each)
        environment += std::string(*each) + '\0';
    ktap.check(text_of("/proc/self/cmdline") == arguments, "cmdline is '%s'", text_of("/proc/self/cmdline").c_str());
    ktap.check(text_of("/proc/self/environ") == environment, "environ is '%s'", text_of("/proc/self/environ").c_str());
    const std::string auxv = text_of("/proc/self/auxv");
    bool page_size = false, end = false;
    for (std::size_t n = 0; n + 16 <= auxv.size(); n += 16) {
        Elf64_auxv_t entry;
        std::memcpy(&entry, &auxv[n], sizeof entry);
        if (entry.a_type == AT_PAGESZ)
            page_size = entry.a_un.a_val == 4096;
        if (entry.a_type == AT_ENTRY)
            ktap.check(entry.a_un.a_val == getauxval(AT_ENTRY), "AT_ENTRY is %#lx", entry.a_un.a_val);
        end = entry.a_type == AT_NULL;
    }
    ktap.check(page_size && end, "auxv of %zu bytes", auxv.size());
    ktap.test("cmdline, environ and auxv");

    struct stat by_link {
    }, by_name{};
    ktap.check(stat("/proc/self/exe", &by_link) == 0, "exe: errno %d", errno);
    ktap.check(stat(link_of("/proc/self/exe").c_str(), &by_name) == 0 && by_link.st_ino == by_name.st_ino, "exe is %s",
               link_of("/proc/self/exe").c_str());
    char folder[512];
    ktap.check(link_of("/proc/self/cwd") == getcwd(folder, sizeof folder), "cwd is %s",
               link_of("/proc/self/cwd").c_str());
    ktap.check(link_of("/proc/self/root") == "/", "root is %s", link_of("/proc/self/root").c_str());
    const std::string name = text_of("/proc/self/comm");
    ktap.check(name.size() > 1 && name.size() <= 16 && name.back() == '\n', "comm is '%s'", name.c_str());
    ktap.test("exe, cwd, root and comm");
}

void test_descriptors(Ktap& ktap) {
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int ends[2];
    if (pipe(ends) != 0)
        std::abort();
    const std::string folder = "/proc/self/fd/";
    ktap.check(link_of(folder + std::to_string(null)) == "/dev/null", "it is %s",
               link_of(folder + std::to_string(null)).c_str());
    ktap.check(link_of(folder + std::to_string(ends[0])).compare(0, 6, "pipe:[") == 0, "a pipe is %s",
               link_of(folder + std::to_string(ends[0])).c_str());
    ktap.check(has(names_in("/proc/self/fd"), std::to_string(ends[1])), "not listed");
    ktap.check(link_of(folder + "999") == "(errno 2)", "a descriptor that is none: %s",
               link_of(folder + "999").c_str());
    struct stat status {};
    ktap.check(lstat((folder + std::to_string(null)).c_str(), &status) == 0 && S_ISLNK(status.st_mode), "no link");
    ktap.check(stat((folder + std::to_string(null)).c_str(), &status) == 0 && S_ISCHR(status.st_mode), "no device");
    const int again = open((folder + std::to_string(ends[0])).c_str(), O_RDONLY | O_NONBLOCK);
    ktap.check(again >= 0, "a pipe cannot be opened again: errno %d", errno);
    ktap.check(write(ends[1], "x", 1) == 1, "write: errno %d", errno);
    char byte = 0;
    ktap.check(read(again, &byte, 1) == 1 && byte == 'x', "the same pipe does not give the byte");
    for (const int each : {null, ends[0], ends[1], again})
        close(each);
    ktap.test("descriptors");

    ktap.check(link_of("/dev/fd") == "/proc/self/fd", "/dev/fd is %s", link_of("/dev/fd").c_str());
    ktap.check(link_of("/dev/stdin") == "/proc/self/fd/0", "/dev/stdin is %s", link_of("/dev/stdin").c_str());
    const struct {
        const char* path;
        unsigned major, minor;
    } devices[] = {{"/dev/null", 1, 3},    {"/dev/zero", 1, 5}, {"/dev/full", 1, 7}, {"/dev/random", 1, 8},
                   {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0},  {"/dev/ptmx", 5, 2}};
    for (const auto& device : devices) {
        struct stat node {};
        ktap.check(stat(device.path, &node) == 0 && S_ISCHR(node.st_mode) && major(node.st_rdev) == device.major &&
                       minor(node.st_rdev) == device.minor,
                   "%s is %u:%u", device.path, major(node.st_rdev), minor(node.st_rdev));
    }
    ktap.test("devices and their numbers");
}

void test_limits(Ktap& ktap) {
    const auto lines = split(text_of("/proc/self/limits"), '\n');
    ktap.check(lines.size() == 17, "%zu lines", lines.size());
    ktap.check(lines[0] == "Limit                     Soft Limit           Hard Limit           Units     ", "'%s'",
               lines[0].c_str());
    struct rlimit limit {};
    getrlimit(RLIMIT_NOFILE, &limit);
    bool found = false;
    for (const std::string& line : lines) {
        if (line.compare(0, 14, "Max open files") != 0)
            continue;
        found = line.substr(26, 20).find(std::to_string(limit.rlim_cur)) == 0 && line.substr(68, 5) == "files";
        ktap.check(found, "'%s'", line.c_str());
    }
    ktap.check(found, "no open files");
    ktap.test("limits");
}

void test_others(Ktap& ktap) {
    int ends[2];
    if (pipe(ends) != 0)
        std::abort();
    const pid_t child = fork();
    if (child == 0) {
        char byte;
        close(ends[1]);
        (void)!read(ends[0], &byte, 1);
        _exit(3);
    }
    const std::string folder = "/proc/" + std::to_string(child);
    for (int n = 0; n < 200 && field(text_of(folder + "/status"), "State") != "S (sleeping)"; ++n)
        usleep(5000);
    const std::string text = text_of(folder + "/status");
    ktap.check(field(text, "State") == "S (sleeping)", "it is %s", field(text, "State").c_str());
    ktap.check(field(text, "PPid") == std::to_string(getpid()), "its parent is %s", field(text, "PPid").c_str());
    ktap.check(text_of(folder + "/cmdline") == text_of("/proc/self/cmdline"), "its cmdline is '%s'",
               text_of(folder + "/cmdline").c_str());
    kill(child, SIGSTOP);
    for (int n = 0; n < 200 && field(text_of(folder + "/status"), "State") != "T (stopped)"; ++n)
        usleep(5000);
    ktap.check(field(text_of(folder + "/status"), "State") == "T (stopped)", "stopped it is %s",
               field(text_of(folder + "/status"), "State").c_str());
    kill(child, SIGCONT);
    close(ends[1]);
    close(ends[0]);
    kill(child, SIGKILL);
    for (int n = 0; n < 200 && field(text_of(folder + "/status"), "State") != "Z (zombie)"; ++n)
        usleep(5000);
    ktap.check(field(text_of(folder + "/status"), "State") == "Z (zombie)", "ended it is %s",
               field(text_of(folder + "/status"), "State").c_str());
    ktap.check(text_of(folder + "/cmdline").empty(), "a zombie has a cmdline");
    ktap.check(text_of(folder + "/maps").empty(), "a zombie has maps");
    const int late = open((folder + "/stat").c_str(), O_RDONLY);
    waitpid(child, nullptr, 0);
    ktap.check(text_of(folder + "/stat") == "(errno 2)", "it is still there");
    close(late);
    ktap.test("another process: asleep, stopped, ended, gone");
}

} // namespace

int main(int, char** argv, char** envp) {
    Ktap ktap(13);
    test_self(ktap);
    test_stat(ktap);
    test_status(ktap);
    test_maps(ktap);
    test_program(ktap, argv, envp);
    test_descriptors(ktap);
    test_limits(ktap);
    test_others(ktap);
    return ktap.finish();
}
