// pthread_exit(): unwinds the thread's frames as glibc's does, so that C++ destructors and C's pthread_cleanup_push()
// handlers run, innermost first. The three functions with underscores are what that macro calls.
#include <csetjmp>
#include <cstdint>
#include <unwind.h>

#include "userland/lib/flexsc_threads/exit.h"
#include "userland/lib/flexsc_threads/thread.h"

namespace tollgate::threads {

/// The beginning of __pthread_unwind_buf_t [pthread.h]: its frame's setjmp(), and a few words for us.
struct CleanupBuffer {
    struct {
        __jmp_buf registers;
        int mask_was_saved;
    } state[1];
    CleanupBuffer* outer;
};
static_assert(sizeof(CleanupBuffer) <= sizeof(__pthread_unwind_buf_t));

namespace {

constinit thread_local _Unwind_Exception unwinding{};

extern "C" [[noreturn]] void _longjmp(__jmp_buf_tag*, int);

[[noreturn]] void run_handler(Thread& thread) {
    CleanupBuffer* const buffer = thread.cleanup;
    thread.cleanup = buffer->outer;
    // setjmp() returns 1: the macro calls the handler, and then __pthread_unwind_next().
    _longjmp(reinterpret_cast<__jmp_buf_tag*>(buffer->state), 1);
}

/// Asked before every frame is left. A handler belongs to the frame in which its buffer lies.
_Unwind_Reason_Code before_frame(int, _Unwind_Action actions, _Unwind_Exception_Class, _Unwind_Exception*,
                                 _Unwind_Context* context, void*) {
    Thread& me = *self;
    const bool last = (actions & _UA_END_OF_STACK) != 0;
    if (me.cleanup != nullptr && (last || reinterpret_cast<std::uintptr_t>(me.cleanup) < _Unwind_GetCFA(context)))
        run_handler(me);
    if (last)
        end_thread(me.value);
    return _URC_NO_REASON;
}

[[noreturn]] void unwind() {
    unwinding = {};
    _Unwind_ForcedUnwind(&unwinding, &before_frame, nullptr);
    // Frames without unwind tables: the handlers run at least.
    while (self->cleanup != nullptr)
        run_handler(*self);
    end_thread(self->value);
}

} // namespace

extern "C" {

[[noreturn]] void pthread_exit(void* value) {
    if (self == nullptr)
        __builtin_trap(); // a kernel thread of the C library's own never comes here
    self->value = value;
    unwind();
}

void __pthread_register_cancel(__pthread_unwind_buf_t* buffer) {
    auto* const cleanup = reinterpret_cast<CleanupBuffer*>(buffer);
    if (self == nullptr)
        return;
    cleanup->outer = self->cleanup;
    self->cleanup = cleanup;
}

void __pthread_unregister_cancel(__pthread_unwind_buf_t* buffer) {
    if (self != nullptr)
        self->cleanup = reinterpret_cast<CleanupBuffer*>(buffer)->outer;
}

[[noreturn]] void __pthread_unwind_next(__pthread_unwind_buf_t*) { unwind(); }

} // extern "C"

} // namespace tollgate::threads
