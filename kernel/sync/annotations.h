// clang's thread-safety attributes; empty for GCC [clang: Thread Safety Analysis].
#pragma once

#ifdef __clang__
#define TOLLGATE_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define TOLLGATE_THREAD_ATTRIBUTE(x)
#endif

#define CAPABILITY(name) TOLLGATE_THREAD_ATTRIBUTE(capability(name))
#define SCOPED_CAPABILITY TOLLGATE_THREAD_ATTRIBUTE(scoped_lockable)
#define GUARDED_BY(lock) TOLLGATE_THREAD_ATTRIBUTE(guarded_by(lock))
#define REQUIRES(...) TOLLGATE_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) TOLLGATE_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) TOLLGATE_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define RELEASE(...) TOLLGATE_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS TOLLGATE_THREAD_ATTRIBUTE(no_thread_safety_analysis)
