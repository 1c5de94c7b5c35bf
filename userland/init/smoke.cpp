// The least that proves a user program runs: one line on standard output, exit status 0. The boot tests and the
// measurement of boot time wait for its line, so that it goes out by one write and nothing else happens before it.
#include <string_view>
#include <unistd.h>

int main() {
    constexpr std::string_view kLine = "smoke: ok\n";
    return write(STDOUT_FILENO, kLine.data(), kLine.size()) == static_cast<ssize_t>(kLine.size()) ? 0 : 1;
}
