/* The same header as C: used by libflexsc.cpp, the test of libflexsc. */
#include <sys/syscall.h>

#include "userland/lib/flexsc/flexsc.h"

static void add(void* context, long result) { *(long*)context += result; }

/* Posts until it is refused, at `refused_at`, and reaps everything; then runs three callbacks that add up to 12. */
long libflexsc_from_c(struct flexsc* f, long* parent, int* refused_at) {
    long handles[FLEXSC_ENTRIES_PER_PAGE + 1];
    int posted = 0;
    while (posted <= FLEXSC_ENTRIES_PER_PAGE && (handles[posted] = flexsc_post(f, SYS_getppid)) >= 0)
        ++posted;
    *refused_at = posted;
    for (int i = 0; i < posted; ++i)
        *parent = flexsc_await(f, handles[i]);
    long sum = 0;
    for (int i = 0; i < 3; ++i) {
        static const char zeros[4];
        int pipes[2];
        if (flexsc_await(f, flexsc_post(f, SYS_pipe2, pipes, 0)) < 0)
            return -1;
        flexsc_on_done(f, flexsc_post(f, SYS_write, pipes[1], zeros, 4), add, &sum);
        while (flexsc_run_once(f) == 0) {
        }
        (void)flexsc_await(f, flexsc_post(f, SYS_close, pipes[0]));
        (void)flexsc_await(f, flexsc_post(f, SYS_close, pipes[1]));
    }
    return sum;
}
