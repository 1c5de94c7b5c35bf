// A user thread of FlexSC-Threads that overflows its stack: the library reports it by the thread's name, and the
// process is killed by SIGSEGV.
#include <pthread.h>

namespace {

int deeper(int depth) {
    volatile char block[512] = {};
    return depth < 0 ? 0 : deeper(depth + 1) + block[depth % 512];
}

void* overflow(void*) {
    pthread_setname_np(pthread_self(), "deep");
    return reinterpret_cast<void*>(static_cast<long>(deeper(0)));
}

} // namespace

int main() {
    pthread_t thread;
    if (pthread_create(&thread, nullptr, &overflow, nullptr) != 0)
        return 2;
    return pthread_join(thread, nullptr);
}
