// What FlexSC-Threads does not do answers with an errno (docs/flexsc_threads.md), and what would act on the kernel
// thread under a user thread does not.
#include <cerrno>
#include <csignal>
#include <sys/syscall.h>
#include <unistd.h>

#include "userland/lib/flexsc_threads/scheduler.h"
#include "userland/lib/gate_native.h"

namespace tollgate::threads {
extern "C" {

/// A posted call cannot be taken back, so nothing is cancelled.
int pthread_cancel(pthread_t) { return ENOSYS; }
void pthread_testcancel() {}

int pthread_setcancelstate(int state, int* old) {
    if (state != PTHREAD_CANCEL_ENABLE && state != PTHREAD_CANCEL_DISABLE)
        return EINVAL;
    if (self == nullptr)
        return 0;
    if (old != nullptr)
        *old = self->cancel_state;
    self->cancel_state = state;
    return 0;
}
int pthread_setcanceltype(int type, int* old) {
    if (type != PTHREAD_CANCEL_DEFERRED && type != PTHREAD_CANCEL_ASYNCHRONOUS)
        return EINVAL;
    if (self == nullptr)
        return 0;
    if (old != nullptr)
        *old = self->cancel_type;
    self->cancel_type = type;
    return 0;
}

/// The signal goes to the core on which the thread runs: whichever thread it runs just then handles it.
int pthread_kill(pthread_t handle, int signal) {
    const Thread* const thread = of(handle);
    if (thread == nullptr)
        return ESRCH;
    if (thread->finished.load(std::memory_order_acquire))
        return 0;
    return -static_cast<int>(Native::call(SYS_tgkill, getpid(), thread->core->kernel_tid, signal));
}
int pthread_sigqueue(pthread_t, int, union sigval) { return ENOSYS; }

/// One kernel thread under many user threads has one place and one priority.
int pthread_setaffinity_np(pthread_t, std::size_t, const cpu_set_t*) { return ENOSYS; }
int pthread_setschedparam(pthread_t, int, const sched_param*) { return ENOSYS; }
int pthread_setschedprio(pthread_t, int) { return ENOSYS; }
int pthread_getcpuclockid(pthread_t, clockid_t*) { return ENOENT; }

} // extern "C"
} // namespace tollgate::threads
