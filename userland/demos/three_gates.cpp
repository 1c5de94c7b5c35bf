// One question, asked through every gate: "what is my parent's process id?" Then a function of the kernel's, called
// without leaving the page tables of this program. A first reading for those who want to see how the gates differ from
// user code.
#include <cstdio>
#include <fcntl.h>
#include <iterator>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "userland/lib/flexsc/flexsc.h"
#include "userland/lib/gate_fastcall.h"
#include "userland/lib/gate_int80.h"
#include "userland/lib/gate_native.h"
#include "userland/lib/machine.h"

using namespace tollgate;

namespace {

long native() {
    const long parent = Native::call(SYS_getppid);
    std::printf("native:   the syscall instruction; one crossing, one answer: %ld\n", parent);
    return parent;
}

bool int80(long parent) {
    const long answer = Int80::call(SYS_getppid);
    std::printf("int80:    the same number and registers through an interrupt gate: %ld\n", answer);
    return answer == parent;
}

bool by_flexsc(long parent) {
    struct flexsc pages;
    if (const int failed = flexsc_open(&pages, FLEXSC_OWN, 1); failed != 0) {
        std::printf("flexsc:   this kernel does not offer it (errno %d)\n", -failed);
        return false;
    }
    long calls[8];
    for (long& call : calls) // eight calls are written into shared memory: no crossing yet
        call = flexsc_post(&pages, SYS_getppid);
    const long done = flexsc_wait(&pages); // one crossing, in which the kernel executes all of them
    unsigned right = 0;
    for (const long call : calls)
        right += flexsc_await(&pages, call) == parent;
    std::printf("flexsc:   %zu calls posted, 1 crossing, %ld done, %u right answers\n", std::size(calls), done, right);
    return right == std::size(calls);
}

bool fastcall() {
    const int device = open(api::kFastcallDevice, O_RDONLY | O_CLOEXEC);
    api::FastcallIoctl stack{};
    if (device < 0 || ioctl(device, api::kFastcallIoctlStack, &stack) != 0) {
        std::perror("fastcall: no example can be registered");
        return false;
    }
    const long answer = Fastcall::call(stack.index, 0xBEEF);
    std::printf("fastcall: function %u of this process, in ring 0 on our own page tables, gives 0xbeef back: %#lx\n",
                stack.index, answer);
    return answer == 0xBEEF;
}

} // namespace

int main() {
    const long parent = native();
    if (!Machine::read().is_tollgate()) {
        std::puts("The other gates are Tollgate's own; here, int 0x80 would even mean something else.");
        return 0;
    }
    const bool good[] = {int80(parent), by_flexsc(parent), fastcall()};
    const bool all = good[0] && good[1] && good[2];
    std::puts(all ? "three_gates: ok" : "three_gates: a gate is missing or gave a wrong answer");
    return all ? 0 : 1;
}
