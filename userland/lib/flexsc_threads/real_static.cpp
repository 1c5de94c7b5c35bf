// The C library's functions that ours hide, in a static program: by the names under which the C library calls them.
#include "userland/lib/flexsc_threads/thread.h"

extern "C" int __pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*),
                                void* argument);
extern "C" int __pthread_getattr_np(pthread_t thread, pthread_attr_t* attributes);

namespace tollgate::threads {

int real_pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*), void* argument) {
    return __pthread_create(thread, attributes, start, argument);
}

int real_pthread_getattr_np(pthread_t thread, pthread_attr_t* attributes) {
    return __pthread_getattr_np(thread, attributes);
}

} // namespace tollgate::threads
