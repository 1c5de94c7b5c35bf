// The init of a Linux that is measured beside Tollgate (tools/versus.py): mounts what programs expect, runs /bin/calls
// with the arguments that the kernel hands over, sends /tmp/result.json to QEMU's port 0xe9 and ends the machine
// through isa-debug-exit. Not a Tollgate program: it needs iopl().
#include <cstdio>
#include <fcntl.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

constexpr const char* kResult = "/tmp/result.json";
constexpr unsigned short kDebugPort = 0xe9, kExitPort = 0xf4;
constexpr unsigned kPass = 0x10, kFail = 0x11; // as Tollgate's own kernel

[[noreturn]] void end(bool good) {
    outl(good ? kPass : kFail, kExitPort);
    reboot(RB_AUTOBOOT); // where there is no such device
    _exit(1);
}

void send_result() {
    const int file = open(kResult, O_RDONLY);
    char piece[4096];
    for (ssize_t got; file >= 0 && (got = read(file, piece, sizeof piece)) > 0;)
        for (ssize_t i = 0; i < got; ++i)
            outb(static_cast<unsigned char>(piece[i]), kDebugPort);
}

} // namespace

int main(int argc, char** argv) {
    mkdir("/proc", 0755);
    mount("proc", "/proc", "proc", 0, nullptr);
    mount("devtmpfs", "/dev", "devtmpfs", 0, nullptr); // the kernel may have done it
    if (iopl(3) != 0) {
        std::perror("linux_init: iopl");
        reboot(RB_AUTOBOOT);
    }
    std::vector<char*> arguments{const_cast<char*>("/bin/calls"), const_cast<char*>("--json=/tmp/result.json")};
    arguments.insert(arguments.end(), argv + 1, argv + argc);
    arguments.push_back(nullptr);
    char* environment[] = {nullptr};
    const pid_t child = fork();
    if (child == 0) {
        execve(arguments[0], arguments.data(), environment);
        std::perror("linux_init: /bin/calls");
        _exit(127);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        ;
    send_result();
    end(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
