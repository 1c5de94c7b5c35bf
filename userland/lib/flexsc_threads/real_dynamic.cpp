// The C library's functions that ours hide, in a shared library.
#include <dlfcn.h>

#include "userland/lib/flexsc_threads/thread.h"

namespace tollgate::threads {

int real_pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*), void* argument) {
    const auto real = reinterpret_cast<decltype(&real_pthread_create)>(dlsym(RTLD_NEXT, "pthread_create"));
    return real(thread, attributes, start, argument);
}

int real_pthread_getattr_np(pthread_t thread, pthread_attr_t* attributes) {
    const auto real = reinterpret_cast<decltype(&real_pthread_getattr_np)>(dlsym(RTLD_NEXT, "pthread_getattr_np"));
    return real(thread, attributes);
}

} // namespace tollgate::threads
