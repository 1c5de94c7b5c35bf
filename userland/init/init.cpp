// The first process of an interactive machine (run-qemu.sh --shell): gives a shell a session and the terminal, reaps
// orphans, and ends the machine with the shell's exit status.
//
//     init [--size ROWSxCOLUMNS] [--terminal PATH] [--respawn] [NAME=VALUE]... [PROGRAM [ARGUMENT]...]
//
// The verdict goes to /dev/debugcon, if the machine has one: "exit N" or "signal N".
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <initializer_list>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

struct Options {
    const char* terminal = "/dev/ttyS0";
    struct winsize size {};
    bool respawn = false;
    char** program = nullptr;
};

[[noreturn]] void die(const char* what) {
    std::fprintf(stderr, "init: %s: %s\n", what, std::strerror(errno));
    _exit(127);
}

Options read_options(int argc, char** argv) {
    Options options;
    int n = 1;
    for (; n < argc; ++n) {
        if (std::strcmp(argv[n], "--respawn") == 0)
            options.respawn = true;
        else if (std::strcmp(argv[n], "--terminal") == 0 && n + 1 < argc)
            options.terminal = argv[++n];
        else if (std::strcmp(argv[n], "--size") == 0 && n + 1 < argc)
            std::sscanf(argv[++n], "%hux%hu", &options.size.ws_row, &options.size.ws_col);
        else if (std::strchr(argv[n], '=') != nullptr)
            putenv(argv[n]);
        else
            break;
    }
    options.program = argv + n;
    return options;
}

void set_host_name() {
    char name[64];
    const int file = open("/etc/hostname", O_RDONLY | O_CLOEXEC);
    const ssize_t size = file < 0 ? 0 : read(file, name, sizeof name);
    close(file);
    if (size > 1)
        (void)!sethostname(name, static_cast<std::size_t>(name[size - 1] == '\n' ? size - 1 : size));
}

/// In the child: a session of its own, whose controlling terminal the first one opened becomes.
[[noreturn]] void become_shell(const Options& options) {
    setsid();
    const int terminal = open(options.terminal, O_RDWR);
    if (terminal < 0)
        die(options.terminal);
    if (options.size.ws_row != 0)
        ioctl(terminal, TIOCSWINSZ, &options.size);
    for (int descriptor = 0; descriptor < 3; ++descriptor)
        dup2(terminal, descriptor);
    if (terminal > 2)
        close(terminal);
    if (const char* home = std::getenv("HOME"))
        (void)!chdir(home);
    static char shell[] = "/bin/sh", name[] = "-sh";
    char* const login[] = {name, nullptr};
    if (options.program[0] != nullptr)
        execvp(options.program[0], options.program);
    else
        execv(shell, login); // the dash makes it read /etc/profile
    die(options.program[0] != nullptr ? options.program[0] : shell);
}

void tell_host(int status) {
    char text[40];
    const int length = WIFSIGNALED(status) ? std::snprintf(text, sizeof text, "signal %d\n", WTERMSIG(status))
                                           : std::snprintf(text, sizeof text, "exit %d\n", WEXITSTATUS(status));
    const int host = open("/dev/debugcon", O_WRONLY | O_CLOEXEC);
    if (host < 0)
        return;
    (void)!write(host, text, static_cast<std::size_t>(length));
    close(host);
}

} // namespace

int main(int argc, char** argv) {
    for (const char* variable : {"PATH=/bin:/sbin:/usr/bin:/usr/sbin", "HOME=/root", "USER=root", "LOGNAME=root"})
        putenv(const_cast<char*>(variable));
    const Options options = read_options(argc, argv);
    set_host_name();
    mkdir("/root", 0700);
    for (;;) {
        const pid_t shell = fork();
        if (shell < 0)
            die("fork");
        if (shell == 0)
            become_shell(options);
        int status = 0;
        for (pid_t ended = 0; ended != shell;) { // what else ends is an orphan
            ended = waitpid(-1, &status, 0);
            if (ended < 0 && errno != EINTR)
                die("waitpid");
        }
        if (options.respawn)
            continue;
        tell_host(status);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
}
