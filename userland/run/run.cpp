// The first process of `./run-qemu.sh --program` (tools/program.py): runs one program as an ordinary process, reaps
// what it leaves behind and tells the host how it ended. All it needs to know lies in /run/program:
//
//     arguments    the program's path as the kernel shall open it, then argv[0] and all others, each ended by a NUL
//     environment  NAME=VALUE, each ended by a NUL
//     input        standard input, if it is not the terminal
//
// `run console` leaves the terminal to the program. `run channels` gives it /run/program/input, and /dev/debugcon1 and
// debugcon2 for output and errors, which the host keeps apart and byte for byte. The verdict goes to /dev/debugcon:
// "exit N" or "signal N", or "start ERRNO" if the program could not be started.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

constexpr const char* kFolder = "/run/program/";
constexpr const char* kHome = "/work";

[[noreturn]] void die(const char* what) {
    std::fprintf(stderr, "run: %s: %s\n", what, std::strerror(errno));
    _exit(1);
}

std::string contents(const char* name) {
    const std::string path = std::string(kFolder) + name;
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0)
        die(path.c_str());
    std::string text;
    char piece[4096];
    for (ssize_t got; (got = read(file, piece, sizeof piece)) > 0;)
        text.append(piece, static_cast<std::size_t>(got));
    close(file);
    return text;
}

/// The strings of a list, in place; the null pointer that execve() wants at the end is there.
std::vector<char*> strings(std::string& text) {
    std::vector<char*> found;
    for (std::size_t at = 0; at < text.size(); at += std::strlen(&text[at]) + 1)
        found.push_back(&text[at]);
    found.push_back(nullptr);
    return found;
}

void replace(int descriptor, const char* path, int flags) {
    const int file = open(path, flags);
    if (file < 0)
        die(path);
    if (file != descriptor) {
        dup2(file, descriptor);
        close(file);
    }
}

void use_channels() {
    const std::string input = std::string(kFolder) + "input";
    replace(STDIN_FILENO, access(input.c_str(), R_OK) == 0 ? input.c_str() : "/dev/null", O_RDONLY);
    replace(STDOUT_FILENO, "/dev/debugcon1", O_WRONLY);
    replace(STDERR_FILENO, "/dev/debugcon2", O_WRONLY);
}

/// A session of its own on the terminal, so that its keys reach the program.
void use_console() {
    setsid();
    ioctl(STDIN_FILENO, TIOCSCTTY, 0); // without job control there is nothing to take
}

void say(const char* word, int number) {
    char text[40];
    const int length = std::snprintf(text, sizeof text, "%s %d\n", word, number);
    const int host = open("/dev/debugcon", O_WRONLY | O_CLOEXEC);
    if (host < 0 || write(host, text, static_cast<std::size_t>(length)) != length)
        die("/dev/debugcon");
    close(host);
}

} // namespace

int main(int argc, char** argv) {
    const bool channels = argc > 1 && std::strcmp(argv[1], "channels") == 0;
    std::string argument_text = contents("arguments"), environment_text = contents("environment");
    auto arguments = strings(argument_text), environment = strings(environment_text);
    if (arguments.size() < 3) {
        errno = EINVAL;
        die("/run/program/arguments");
    }
    if (chdir(kHome) != 0)
        die(kHome);

    static volatile int start_error; // the child shares our memory until it has started
    const pid_t child = vfork();
    if (child == 0) {
        if (channels)
            use_channels();
        else
            use_console();
        execve(arguments[0], &arguments[1], environment.data());
        start_error = errno;
        _exit(127);
    }
    if (child < 0)
        die("vfork");
    for (;;) {
        int status = 0;
        const pid_t ended = waitpid(-1, &status, 0);
        if (ended < 0 && errno != EINTR)
            die("waitpid");
        if (ended != child)
            continue; // an orphan
        if (start_error != 0)
            say("start", start_error);
        else if (WIFSIGNALED(status))
            say("signal", WTERMSIG(status));
        else
            say("exit", WEXITSTATUS(status));
        return 0;
    }
}
