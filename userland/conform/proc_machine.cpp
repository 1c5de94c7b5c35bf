// /proc and /sys: what they say about the machine, in the form that programs parse [man 5 proc, man 5 sysfs].
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <sys/stat.h>

#include "userland/conform/proc_text.h"

namespace {

using namespace tollgate;
using namespace tollgate::proc;

// ---- the machine ----

void test_machine(Ktap& ktap) {
    const std::string memory = text_of("/proc/meminfo");
    for (const char* name : {"MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "SwapTotal", "SwapFree"}) {
        const std::string size = field(memory, name);
        ktap.check(size.size() > 3 && size.substr(size.size() - 3) == " kB" &&
                       is_number(size.substr(0, size.size() - 3)),
                   "%s is '%s'", name, size.c_str());
    }
    ktap.check(std::stoull(field(memory, "MemTotal")) >= std::stoull(field(memory, "MemFree")),
               "more free than there is");
    ktap.check(memory.compare(0, 9, "MemTotal:") == 0 && memory.find('\n') == 27, "the first line is %.30s",
               memory.c_str());
    ktap.test("meminfo");

    const long count = sysconf(_SC_NPROCESSORS_ONLN);
    long processors = 0;
    for (const std::string& line : split(text_of("/proc/cpuinfo"), '\n'))
        processors += line.compare(0, 12, "processor\t: ") == 0;
    ktap.check(processors >= count && count > 0, "%ld processors, sysconf says %ld", processors, count);
    for (const char* name : {"vendor_id\t", "model name\t", "cpu MHz\t\t", "flags\t\t"})
        ktap.check(field(text_of("/proc/cpuinfo"), name) != "(none)", "%s is missing", name);
    ktap.test("cpuinfo");

    const auto lines = split(text_of("/proc/stat"), '\n');
    ktap.check(lines[0].compare(0, 5, "cpu  ") == 0 && split(lines[0], ' ').size() == 12, "'%s'", lines[0].c_str());
    ktap.check(lines[1].compare(0, 5, "cpu0 ") == 0 && split(lines[1], ' ').size() == 11, "'%s'", lines[1].c_str());
    std::string starts;
    for (const std::string& line : lines)
        starts += split(line, ' ')[0] + " ";
    for (const char* name : {"intr ", "ctxt ", "btime ", "processes ", "procs_running ", "procs_blocked "})
        ktap.check(starts.find(name) != std::string::npos, "no %s", name);
    ktap.test("stat of the machine");

    double up = 0, idle = 0;
    char rest = 0;
    ktap.check(std::sscanf(text_of("/proc/uptime").c_str(), "%lf %lf%c", &up, &idle, &rest) == 3 && rest == '\n',
               "'%s'", text_of("/proc/uptime").c_str());
    ktap.check(up > 0, "up for %f s", up);
    double load[3];
    int running = -1, all = -1, last = -1;
    ktap.check(std::sscanf(text_of("/proc/loadavg").c_str(), "%lf %lf %lf %d/%d %d", &load[0], &load[1], &load[2],
                           &running, &all, &last) == 6,
               "'%s'", text_of("/proc/loadavg").c_str());
    ktap.check(running >= 1 && all >= running, "%d of %d run", running, all);
    double average[3];
    ktap.check(getloadavg(average, 3) == 3, "getloadavg");
    ktap.test("uptime and loadavg");

    ktap.check(text_of("/proc/version").compare(0, 14, "Linux version ") == 0, "'%s'",
               text_of("/proc/version").c_str());
    ktap.check(text_of("/proc/cmdline").back() == '\n', "no newline in cmdline");
    ktap.check(text_of("/proc/filesystems").find("nodev\tproc\n") != std::string::npos, "no proc in filesystems");
    ktap.check(text_of("/proc/filesystems").find("nodev\ttmpfs\n") != std::string::npos, "no tmpfs in filesystems");
    ktap.check(text_of("/proc/mounts").find(" /proc proc ") != std::string::npos, "no /proc in mounts");
    ktap.check(text_of("/proc/self/mounts") == text_of("/proc/mounts"), "two lists of mounts");
    ktap.check(text_of("/proc/devices").find("Character devices:\n") == 0, "'%.20s'", text_of("/proc/devices").c_str());
    ktap.check(text_of("/proc/interrupts").find("CPU0") != std::string::npos, "no CPU0 in interrupts");
    ktap.test("version, cmdline, filesystems, mounts, devices, interrupts");
}

void test_settings(Ktap& ktap) {
    ktap.check(text_of("/proc/sys/kernel/ostype") == "Linux\n", "'%s'", text_of("/proc/sys/kernel/ostype").c_str());
    const auto number = [&](const char* path, long least) {
        const std::string text = text_of(path);
        ktap.check(text.size() > 1 && is_number(text.substr(0, text.size() - 1)) &&
                       std::strtol(text.c_str(), nullptr, 10) >= least,
                   "%s: '%s'", path, text.c_str());
    };
    number("/proc/sys/kernel/pid_max", 1000);
    number("/proc/sys/vm/overcommit_memory", 0);
    number("/proc/sys/fs/pipe-max-size", 4096);
    number("/proc/sys/fs/file-max", 1000);
    const std::string first = text_of("/proc/sys/kernel/random/uuid"), second = text_of("/proc/sys/kernel/random/uuid");
    ktap.check(first.size() == 37 && first[8] == '-' && first[13] == '-' && first[14] == '4' && first[36] == '\n',
               "uuid '%s'", first.c_str());
    ktap.check(first != second, "the same twice");
    const std::string boot = text_of("/proc/sys/kernel/random/boot_id");
    ktap.check(boot.size() == 37 && boot == text_of("/proc/sys/kernel/random/boot_id"), "boot_id '%s'", boot.c_str());
    ktap.test("/proc/sys");

    const std::string online = text_of("/sys/devices/system/cpu/online");
    ktap.check(online[0] == '0' && online.back() == '\n', "online '%s'", online.c_str());
    const std::string pages = text_of("/sys/kernel/mm/transparent_hugepage/enabled");
    ktap.check(pages.find('[') != std::string::npos, "'%s'", pages.c_str());
    ktap.test("/sys");
}

void test_reading(Ktap& ktap) {
    const int file = open("/proc/self/status", O_RDONLY);
    char first[6] = {}, again[6] = {};
    ktap.check(read(file, first, 5) == 5 && std::memcmp(first, "Name:", 5) == 0, "it begins with '%s'", first);
    ktap.check(lseek(file, 0, SEEK_SET) == 0 && read(file, again, 5) == 5 && std::memcmp(again, "Name:", 5) == 0,
               "after lseek it is '%s'", again);
    char byte;
    ktap.check(pread(file, &byte, 1, 1 << 20) == 0, "there is something far behind the end");
    char* volatile nowhere = reinterpret_cast<char*>(8);
    ktap.check(pread(file, nowhere, 1, 0) == -1 && errno == EFAULT, "a bad pointer: errno %d", errno);
    close(file);
    struct stat status {};
    ktap.check(stat("/proc/self/status", &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 0, "size %ld",
               status.st_size);
    ktap.check(mkdir("/proc/nonsense", 0755) == -1, "a folder can be made in /proc");
    ktap.test("reading");
}

} // namespace

int main() {
    Ktap ktap(8);
    test_machine(ktap);
    test_settings(ktap);
    test_reading(ktap);
    return ktap.finish();
}
