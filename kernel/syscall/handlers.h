// Every handler in table.def. A handler acts for its Caller and never for current(): a worker core may execute it. It
// gets the raw arguments converted to these types and returns a value or an error; dispatch.cpp makes -errno of it.
#pragma once

#include "cpu/clock.h"
#include "fs/epoll_abi.h"
#include "mem/user_copy.h"
#include "net/socket_abi.h"
#include "syscall/abi.h"
#include "syscall/file_abi.h"
#include "syscall/futex_queue.h"
#include "syscall/hooks.h"
#include "syscall/usage.h"
#include "task/process.h"

namespace tollgate {

// Files
Result<u64> sys_read(Caller&, int descriptor, u64 buffer, u64 size);
Result<u64> sys_write(Caller&, int descriptor, u64 buffer, u64 size);
Result<u64> sys_pread64(Caller&, int descriptor, u64 buffer, u64 size, i64 offset);
Result<u64> sys_pwrite64(Caller&, int descriptor, u64 buffer, u64 size, i64 offset);
Result<u64> sys_readv(Caller&, int descriptor, UserPtr<const IoVector> vectors, u64 count);
Result<u64> sys_writev(Caller&, int descriptor, UserPtr<const IoVector> vectors, u64 count);
Result<u64> sys_lseek(Caller&, int descriptor, i64 offset, u32 origin);
Result<u64> sys_ioctl(Caller&, int descriptor, u32 request, u64 argument);
Result<u64> sys_getdents64(Caller&, int descriptor, u64 buffer, u32 size);
Result<u64> sys_open(Caller&, UserPtr<const char> path, u32 flags, u32 mode);
Result<u64> sys_openat(Caller&, int directory, UserPtr<const char> path, u32 flags, u32 mode);
Result<u64> sys_close(Caller&, int descriptor);
Result<u64> sys_stat(Caller&, UserPtr<const char> path, UserPtr<FileStatus> to);
Result<u64> sys_lstat(Caller&, UserPtr<const char> path, UserPtr<FileStatus> to);
Result<u64> sys_fstat(Caller&, int descriptor, UserPtr<FileStatus> to);
Result<u64> sys_newfstatat(Caller&, int directory, UserPtr<const char> path, UserPtr<FileStatus> to, u32 flags);
Result<u64> sys_access(Caller&, UserPtr<const char> path, u32 mode);
Result<u64> sys_faccessat(Caller&, int directory, UserPtr<const char> path, u32 mode);
Result<u64> sys_readlink(Caller&, UserPtr<const char> path, u64 buffer, i32 size);
Result<u64> sys_readlinkat(Caller&, int directory, UserPtr<const char> path, u64 buffer, i32 size);
Result<u64> sys_getcwd(Caller&, u64 buffer, u64 size);
Result<u64> sys_dup(Caller&, int descriptor);
Result<u64> sys_dup2(Caller&, int from, int to);
Result<u64> sys_dup3(Caller&, int from, int to, u32 flags);
Result<u64> sys_fcntl(Caller&, int descriptor, u32 command, u64 argument);
Result<u64> sys_creat(Caller&, UserPtr<const char> path, u32 mode);
Result<u64> sys_openat2(Caller&, int directory, UserPtr<const char> path, UserPtr<const OpenHow> how, u64 size);
Result<u64> sys_statx(Caller&, int directory, UserPtr<const char> path, u32 flags, u32 mask,
                      UserPtr<ExtendedStatus> to);
Result<u64> sys_faccessat2(Caller&, int directory, UserPtr<const char> path, u32 mode, u32 flags);
Result<u64> sys_preadv(Caller&, int descriptor, UserPtr<const IoVector> vectors, u64 count, i64 offset);
Result<u64> sys_pwritev(Caller&, int descriptor, UserPtr<const IoVector> vectors, u64 count, i64 offset);
Result<u64> sys_preadv2(Caller&, int descriptor, UserPtr<const IoVector> vectors, u64 count, i64 offset,
                        u64 offset_high, u32 flags);
Result<u64> sys_pwritev2(Caller&, int descriptor, UserPtr<const IoVector> vectors, u64 count, i64 offset,
                         u64 offset_high, u32 flags);
Result<u64> sys_copy_file_range(Caller&, int from, UserPtr<i64> from_offset, int to, UserPtr<i64> to_offset, u64 size,
                                u32 flags);
Result<u64> sys_close_range(Caller&, u32 first, u32 last, u32 flags);
Result<u64> sys_flock(Caller&, int descriptor, u32 operation);
Result<u64> sys_chdir(Caller&, UserPtr<const char> path);
Result<u64> sys_fchdir(Caller&, int descriptor);
Result<u64> sys_chroot(Caller&, UserPtr<const char> path);
Result<u64> sys_umask(Caller&, u32 mask);
Result<u64> sys_mkdir(Caller&, UserPtr<const char> path, u32 mode);
Result<u64> sys_mkdirat(Caller&, int directory, UserPtr<const char> path, u32 mode);
Result<u64> sys_mknod(Caller&, UserPtr<const char> path, u32 mode, u32 device);
Result<u64> sys_mknodat(Caller&, int directory, UserPtr<const char> path, u32 mode, u32 device);
Result<u64> sys_symlink(Caller&, UserPtr<const char> target, UserPtr<const char> path);
Result<u64> sys_symlinkat(Caller&, UserPtr<const char> target, int directory, UserPtr<const char> path);
Result<u64> sys_link(Caller&, UserPtr<const char> from, UserPtr<const char> to);
Result<u64> sys_linkat(Caller&, int from_directory, UserPtr<const char> from, int to_directory, UserPtr<const char> to,
                       u32 flags);
Result<u64> sys_unlink(Caller&, UserPtr<const char> path);
Result<u64> sys_rmdir(Caller&, UserPtr<const char> path);
Result<u64> sys_unlinkat(Caller&, int directory, UserPtr<const char> path, u32 flags);
Result<u64> sys_rename(Caller&, UserPtr<const char> from, UserPtr<const char> to);
Result<u64> sys_renameat(Caller&, int from_directory, UserPtr<const char> from, int to_directory,
                         UserPtr<const char> to);
Result<u64> sys_renameat2(Caller&, int from_directory, UserPtr<const char> from, int to_directory,
                          UserPtr<const char> to, u32 flags);
Result<u64> sys_mount(Caller&, u64 source, UserPtr<const char> target, UserPtr<const char> type, u64 flags, u64 data);
Result<u64> sys_umount2(Caller&, UserPtr<const char> target, int flags);
Result<u64> sys_pivot_root(Caller&, UserPtr<const char> root, UserPtr<const char> old);
Result<u64> sys_chmod(Caller&, UserPtr<const char> path, u32 mode);
Result<u64> sys_fchmod(Caller&, int descriptor, u32 mode);
Result<u64> sys_fchmodat(Caller&, int directory, UserPtr<const char> path, u32 mode);
Result<u64> sys_chown(Caller&, UserPtr<const char> path, u32 user, u32 group);
Result<u64> sys_lchown(Caller&, UserPtr<const char> path, u32 user, u32 group);
Result<u64> sys_fchown(Caller&, int descriptor, u32 user, u32 group);
Result<u64> sys_fchownat(Caller&, int directory, UserPtr<const char> path, u32 user, u32 group, u32 flags);
Result<u64> sys_utime(Caller&, UserPtr<const char> path, UserPtr<const i64> times);
Result<u64> sys_utimes(Caller&, UserPtr<const char> path, UserPtr<const Timeval> times);
Result<u64> sys_futimesat(Caller&, int directory, UserPtr<const char> path, UserPtr<const Timeval> times);
Result<u64> sys_utimensat(Caller&, int directory, UserPtr<const char> path, UserPtr<const Timespec> times, u32 flags);
Result<u64> sys_truncate(Caller&, UserPtr<const char> path, i64 size);
Result<u64> sys_ftruncate(Caller&, int descriptor, i64 size);
Result<u64> sys_fallocate(Caller&, int descriptor, u32 mode, i64 offset, i64 length);
Result<u64> sys_statfs(Caller&, UserPtr<const char> path, UserPtr<FileSystemStatus> to);
Result<u64> sys_fstatfs(Caller&, int descriptor, UserPtr<FileSystemStatus> to);
Result<u64> sys_fsync(Caller&, int descriptor);
Result<u64> sys_fdatasync(Caller&, int descriptor);
Result<u64> sys_sync(Caller&);
Result<u64> sys_syncfs(Caller&, int descriptor);
Result<u64> sys_sync_file_range(Caller&, int descriptor, i64 offset, i64 length, u32 flags);
Result<u64> sys_fadvise64(Caller&, int descriptor, i64 offset, i64 length, int advice);
Result<u64> sys_readahead(Caller&, int descriptor, i64 offset, u64 count);
// No file system of ours has extended attributes.
inline Result<u64> sys_setxattr(Caller&) { return fail(Errno::NotSup); }
inline Result<u64> sys_lsetxattr(Caller&) { return fail(Errno::NotSup); }
inline Result<u64> sys_fsetxattr(Caller&) { return fail(Errno::NotSup); }
inline Result<u64> sys_getxattr(Caller&) { return fail(Errno::NotSup); }
inline Result<u64> sys_lgetxattr(Caller&) { return fail(Errno::NotSup); }
inline Result<u64> sys_fgetxattr(Caller&) { return fail(Errno::NotSup); }
inline Result<u64> sys_listxattr(Caller&) { return fail(Errno::NotSup); }
inline Result<u64> sys_llistxattr(Caller&) { return fail(Errno::NotSup); }
inline Result<u64> sys_flistxattr(Caller&) { return fail(Errno::NotSup); }
inline Result<u64> sys_removexattr(Caller&) { return fail(Errno::NotSup); }
inline Result<u64> sys_lremovexattr(Caller&) { return fail(Errno::NotSup); }
inline Result<u64> sys_fremovexattr(Caller&) { return fail(Errno::NotSup); }

// Pipes and event counters
Result<u64> sys_pipe(Caller&, UserPtr<i32> to);
Result<u64> sys_pipe2(Caller&, UserPtr<i32> to, u32 flags);
Result<u64> sys_eventfd(Caller&, u32 count);
Result<u64> sys_eventfd2(Caller&, u32 count, u32 flags);

// From file to file, and files without a name
Result<u64> sys_memfd_create(Caller&, UserPtr<const char> name, u32 flags);
Result<u64> sys_sendfile(Caller&, int out, int in, UserPtr<i64> offset, u64 count);
Result<u64> sys_splice(Caller&, int in, u64 in_offset, int out);
Result<u64> sys_tee(Caller&, int in, int out);
Result<u64> sys_vmsplice(Caller&, int descriptor);

// Waiting for several files
Result<u64> sys_poll(Caller&, UserPtr<PollFile> files, u32 count, i32 milliseconds);
Result<u64> sys_ppoll(Caller&, UserPtr<PollFile> files, u32 count, UserPtr<Timespec> timeout, UserPtr<const u64> mask,
                      u64 mask_size);
Result<u64> sys_select(Caller&, i32 count, UserPtr<u64> reading, UserPtr<u64> writing, UserPtr<u64> exceptional,
                       UserPtr<Timeval> timeout);
Result<u64> sys_pselect6(Caller&, i32 count, UserPtr<u64> reading, UserPtr<u64> writing, UserPtr<u64> exceptional,
                         UserPtr<Timespec> timeout, UserPtr<const SelectMask> mask);
Result<u64> sys_epoll_create(Caller&, i32 size);
Result<u64> sys_epoll_create1(Caller&, u32 flags);
Result<u64> sys_epoll_ctl(Caller&, int instance, int operation, int descriptor, UserPtr<const fs::EpollEvent> event);
Result<u64> sys_epoll_wait(Caller&, int instance, u64 events, i32 most, i32 milliseconds);
Result<u64> sys_epoll_pwait(Caller&, int instance, u64 events, i32 most, i32 milliseconds, UserPtr<const u64> mask,
                            u64 mask_size);
Result<u64> sys_epoll_pwait2(Caller&, int instance, u64 events, i32 most, UserPtr<const Timespec> timeout,
                             UserPtr<const u64> mask, u64 mask_size);

// Sockets
Result<u64> sys_socket(Caller&, i32 family, u32 type, i32 protocol);
Result<u64> sys_socketpair(Caller&, i32 family, u32 type, i32 protocol, UserPtr<i32> to);
Result<u64> sys_bind(Caller&, int descriptor, u64 address, i32 size);
Result<u64> sys_listen(Caller&, int descriptor, i32 backlog);
Result<u64> sys_accept(Caller&, int descriptor, u64 address, UserPtr<i32> size);
Result<u64> sys_accept4(Caller&, int descriptor, u64 address, UserPtr<i32> size, u32 flags);
Result<u64> sys_connect(Caller&, int descriptor, u64 address, i32 size);
Result<u64> sys_shutdown(Caller&, int descriptor, i32 how);
Result<u64> sys_getsockname(Caller&, int descriptor, u64 address, UserPtr<i32> size);
Result<u64> sys_getpeername(Caller&, int descriptor, u64 address, UserPtr<i32> size);
Result<u64> sys_setsockopt(Caller&, int descriptor, i32 level, i32 name, u64 from, i32 size);
Result<u64> sys_getsockopt(Caller&, int descriptor, i32 level, i32 name, u64 to, UserPtr<i32> size);
Result<u64> sys_sendto(Caller&, int descriptor, u64 buffer, u64 size, u32 flags, u64 address, i32 address_size);
Result<u64> sys_recvfrom(Caller&, int descriptor, u64 buffer, u64 size, u32 flags, u64 address,
                         UserPtr<i32> address_size);
Result<u64> sys_sendmsg(Caller&, int descriptor, UserPtr<const net::MessageHeader> from, u32 flags);
Result<u64> sys_recvmsg(Caller&, int descriptor, UserPtr<net::MessageHeader> to, u32 flags);
Result<u64> sys_sendmmsg(Caller&, int descriptor, UserPtr<net::MessageOfMany> messages, u32 count, u32 flags);
Result<u64> sys_recvmmsg(Caller&, int descriptor, UserPtr<net::MessageOfMany> messages, u32 count, u32 flags,
                         UserPtr<Timespec> timeout);

// Memory
Result<u64> sys_mmap(Caller&, u64 address, u64 length, u64 protection, u64 flags, int descriptor, u64 offset);
Result<u64> sys_munmap(Caller&, u64 address, u64 length);
Result<u64> sys_mprotect(Caller&, u64 address, u64 length, u64 protection);
Result<u64> sys_brk(Caller&, u64 address);
Result<u64> sys_madvise(Caller&, u64 address, u64 length, int advice);
Result<u64> sys_mremap(Caller&, u64 address, u64 old_length, u64 new_length, u64 flags, u64 target);
Result<u64> sys_msync(Caller&, u64 address, u64 length, int flags);
Result<u64> sys_mincore(Caller&, u64 address, u64 length, UserPtr<u8> pages);
Result<u64> sys_mlock(Caller&, u64 address, u64 length);
Result<u64> sys_mlock2(Caller&, u64 address, u64 length, u32 flags);
Result<u64> sys_munlock(Caller&, u64 address, u64 length);
Result<u64> sys_mlockall(Caller&, int flags);
Result<u64> sys_munlockall(Caller&);

// Processes and threads
Result<u64> sys_getpid(Caller&);
Result<u64> sys_gettid(Caller&);
/// One of the calls that are measured to the instruction: inline, so that the table's adapter is all there is.
inline Result<u64> sys_getppid(Caller& caller) { return static_cast<u64>(caller.process->parent_id()); }
Result<u64> sys_getuid(Caller&);
Result<u64> sys_geteuid(Caller&);
Result<u64> sys_getgid(Caller&);
Result<u64> sys_getegid(Caller&);
Result<u64> sys_getresuid(Caller&, UserPtr<u32> real, UserPtr<u32> effective, UserPtr<u32> saved);
Result<u64> sys_getresgid(Caller&, UserPtr<u32> real, UserPtr<u32> effective, UserPtr<u32> saved);
Result<u64> sys_setuid(Caller&, u32 user);
Result<u64> sys_setgid(Caller&, u32 group);
Result<u64> sys_setreuid(Caller&, u32 real, u32 effective);
Result<u64> sys_setregid(Caller&, u32 real, u32 effective);
Result<u64> sys_setresuid(Caller&, u32 real, u32 effective, u32 saved);
Result<u64> sys_setresgid(Caller&, u32 real, u32 effective, u32 saved);
Result<u64> sys_setfsuid(Caller&, u32 user);
Result<u64> sys_setfsgid(Caller&, u32 group);
Result<u64> sys_getgroups(Caller&, int size, UserPtr<u32> list);
Result<u64> sys_setgroups(Caller&, int size, UserPtr<const u32> list);
Result<u64> sys_capget(Caller&, UserPtr<CapabilityHeader> header, UserPtr<CapabilitySets> data);
Result<u64> sys_capset(Caller&, UserPtr<CapabilityHeader> header, UserPtr<const CapabilitySets> data);
Result<u64> sys_clone(Caller&, u64 flags, u64 stack, u64 parent_tid, u64 child_tid, u64 tls);
Result<u64> sys_clone3(Caller&, u64 arguments, u64 size);
Result<u64> sys_fork(Caller&);
Result<u64> sys_vfork(Caller&);
Result<u64> sys_execve(Caller&, UserPtr<const char> path, UserPtr<const u64> arguments, UserPtr<const u64> environment);
Result<u64> sys_execveat(Caller&, int directory, UserPtr<const char> path, UserPtr<const u64> arguments,
                         UserPtr<const u64> environment, u32 flags);
Result<u64> sys_exit(Caller&, int code);
Result<u64> sys_exit_group(Caller&, int code);
Result<u64> sys_wait4(Caller&, int id, UserPtr<int> status, u32 options, UserPtr<ResourceUsage> usage);
Result<u64> sys_waitid(Caller&, u32 kind, int id, UserPtr<SignalInfo> info, u32 options, UserPtr<ResourceUsage> usage);
Result<u64> sys_setpgid(Caller&, int id, int group);
Result<u64> sys_getpgid(Caller&, int id);
Result<u64> sys_getpgrp(Caller&);
Result<u64> sys_setsid(Caller&);
Result<u64> sys_getsid(Caller&, int id);
Result<u64> sys_set_tid_address(Caller&, u64 address);

// Signals
Result<u64> sys_kill(Caller&, int id, int signal);
Result<u64> sys_tkill(Caller&, int thread, int signal);
Result<u64> sys_tgkill(Caller&, int group, int thread, int signal);
Result<u64> sys_rt_sigqueueinfo(Caller&, int id, int signal, UserPtr<const SignalInfo> info);
Result<u64> sys_rt_tgsigqueueinfo(Caller&, int group, int thread, int signal, UserPtr<const SignalInfo> info);
Result<u64> sys_rt_sigaction(Caller&, int signal, UserPtr<const SignalAction> action, UserPtr<SignalAction> old,
                             u64 size);
Result<u64> sys_rt_sigprocmask(Caller&, int how, UserPtr<const SignalSet> mask, UserPtr<SignalSet> old, u64 size);
Result<u64> sys_rt_sigpending(Caller&, u64 to, u64 size);
Result<u64> sys_rt_sigsuspend(Caller&, UserPtr<const SignalSet> mask, u64 size);
Result<u64> sys_rt_sigtimedwait(Caller&, UserPtr<const SignalSet> set, UserPtr<SignalInfo> info,
                                UserPtr<const Timespec> timeout, u64 size);
Result<u64> sys_rt_sigreturn(Caller&);
Result<u64> sys_pause(Caller&);
Result<u64> sys_sigaltstack(Caller&, UserPtr<const SignalStack> stack, UserPtr<SignalStack> old);

// The machine, the scheduler and limits
Result<u64> sys_uname(Caller&, UserPtr<UnameText> to);
Result<u64> sys_sysinfo(Caller&, UserPtr<SystemInfo> to);
Result<u64> sys_getrlimit(Caller&, u32 resource, UserPtr<ResourceLimit> to);
Result<u64> sys_prlimit64(Caller&, int id, u32 resource, UserPtr<const ResourceLimit> limit,
                          UserPtr<ResourceLimit> old);
Result<u64> sys_setrlimit(Caller&, u32 resource, UserPtr<const ResourceLimit> from);
Result<u64> sys_getrusage(Caller&, int who, UserPtr<ResourceUsage> to);
Result<u64> sys_times(Caller&, UserPtr<ProcessTimes> to);
Result<u64> sys_getrandom(Caller&, u64 buffer, u64 size, u32 flags);
Result<u64> sys_arch_prctl(Caller&, int operation, u64 argument);
Result<u64> sys_prctl(Caller&, int operation, u64 argument, u64 third, u64 fourth, u64 fifth);
Result<u64> sys_personality(Caller&, u32 persona);
Result<u64> sys_getpriority(Caller&, int which, int id);
Result<u64> sys_setpriority(Caller&, int which, int id, int value);
Result<u64> sys_sethostname(Caller&, UserPtr<const char> name, int size);
Result<u64> sys_setdomainname(Caller&, UserPtr<const char> name, int size);
Result<u64> sys_membarrier(Caller&, int command, u32 flags);
Result<u64> sys_sched_yield(Caller&);
Result<u64> sys_sched_setaffinity(Caller&, int id, u64 size, u64 mask);
Result<u64> sys_sched_getaffinity(Caller&, int id, u64 size, UserPtr<u64> mask);
Result<u64> sys_getcpu(Caller&, UserPtr<u32> cpu, UserPtr<u32> node);
Result<u64> sys_sched_setscheduler(Caller&, int id, int policy, UserPtr<const i32> priority);
Result<u64> sys_sched_getscheduler(Caller&, int id);
Result<u64> sys_sched_setparam(Caller&, int id, UserPtr<const i32> priority);
Result<u64> sys_sched_getparam(Caller&, int id, UserPtr<i32> priority);
Result<u64> sys_sched_get_priority_max(Caller&, int policy);
Result<u64> sys_sched_get_priority_min(Caller&, int policy);
Result<u64> sys_sched_rr_get_interval(Caller&, int id, UserPtr<Timespec> to);
Result<u64> sys_sched_setattr(Caller&, int id, UserPtr<const SchedulingAttributes> from, u32 flags);
Result<u64> sys_sched_getattr(Caller&, int id, UserPtr<SchedulingAttributes> to, u32 size, u32 flags);
Result<u64> sys_ioprio_get(Caller&, int which, int id);
Result<u64> sys_ioprio_set(Caller&, int which, int id, int priority);

// Time
Result<u64> cpu_clock_gettime(Caller&, int clock, UserPtr<Timespec> to);
inline bool is_tsc_clock(int clock) {
    return static_cast<u32>(clock) < kTscClocks && (kTscClockSet >> static_cast<u32>(clock) & 1);
}
/// Inline, like getppid.
inline Result<u64> sys_clock_gettime(Caller& caller, int clock, UserPtr<Timespec> to) {
    if (!is_tsc_clock(clock)) [[unlikely]]
        return cpu_clock_gettime(caller, clock, to);
    const ClockReading time = clock_read(clock);
    TRY(copy_to_user(to, Timespec{time.seconds, static_cast<i64>(time.nanoseconds)}));
    return 0;
}
Result<u64> sys_clock_getres(Caller&, int clock, UserPtr<Timespec> to);
Result<u64> sys_clock_settime(Caller&, int clock, UserPtr<const Timespec> from);
Result<u64> sys_settimeofday(Caller&, UserPtr<const Timeval> time, UserPtr<const Timezone> zone);
Result<u64> sys_adjtimex(Caller&, u64 state);
Result<u64> sys_clock_adjtime(Caller&, int clock, u64 state);
Result<u64> sys_gettimeofday(Caller&, UserPtr<Timeval> time, UserPtr<Timezone> zone);
Result<u64> sys_time(Caller&, UserPtr<i64> to);
Result<u64> sys_restart_syscall(Caller& caller);
Result<u64> sys_nanosleep(Caller&, UserPtr<const Timespec> duration, UserPtr<Timespec> remaining);
Result<u64> sys_clock_nanosleep(Caller&, int clock, u32 flags, UserPtr<const Timespec> when,
                                UserPtr<Timespec> remaining);

// Timers
Result<u64> sys_alarm(Caller&, u32 seconds);
Result<u64> sys_getitimer(Caller&, int which, UserPtr<IntervalSetting> to);
Result<u64> sys_setitimer(Caller&, int which, UserPtr<const IntervalSetting> setting, UserPtr<IntervalSetting> old);
Result<u64> sys_timer_create(Caller&, int clock, UserPtr<const SignalEvent> event, UserPtr<i32> id);
Result<u64> sys_timer_settime(Caller&, i32 id, u32 flags, UserPtr<const TimerSpan> setting, UserPtr<TimerSpan> old);
Result<u64> sys_timer_gettime(Caller&, i32 id, UserPtr<TimerSpan> to);
Result<u64> sys_timer_getoverrun(Caller&, i32 id);
Result<u64> sys_timer_delete(Caller&, i32 id);
Result<u64> sys_timerfd_create(Caller&, int clock, u32 flags);
Result<u64> sys_timerfd_settime(Caller&, int descriptor, u32 flags, UserPtr<const TimerSpan> setting,
                                UserPtr<TimerSpan> old);
Result<u64> sys_timerfd_gettime(Caller&, int descriptor, UserPtr<TimerSpan> to);
Result<u64> sys_signalfd(Caller&, int descriptor, UserPtr<const SignalSet> set, u64 size);
Result<u64> sys_signalfd4(Caller&, int descriptor, UserPtr<const SignalSet> set, u64 size, u32 flags);

// Futexes
Result<u64> sys_set_robust_list(Caller&, u64 head, u64 size);
Result<u64> sys_get_robust_list(Caller&, int id, UserPtr<u64> head, UserPtr<u64> size);
Result<u64> sys_rseq(Caller&);
/// Every operation but the commonest, a private FUTEX_WAKE, which is inline like getppid.
Result<u64> futex_operation(Caller&, u64 address, u32 operation, u32 value, u64 timeout_or_count, u64 second_address,
                            u32 value3);
inline Result<u64> sys_futex(Caller& caller, u64 address, u32 operation, u32 value, u64 timeout_or_count,
                             u64 second_address, u32 value3) {
    constexpr u32 kWaitPrivate = 128, kWakePrivate = 1 | 128; // [linux/futex.h]
    if (address % sizeof(u32) == 0 && address < kUserTop) [[likely]] {
        if (operation == kWakePrivate)
            return futex::wake(futex::private_key(*caller.space, address), value, ~0u);
        if (operation == kWaitPrivate && timeout_or_count == 0)
            return futex::wait(futex::private_key(*caller.space, address), address, value, ~0u, kNoDeadline);
    }
    return futex_operation(caller, address, operation, value, timeout_or_count, second_address, value3);
}

// Our own
Result<u64> sys_flexsc_register(Caller&, UserPtr<api::FlexscParams> params);
Result<u64> sys_flexsc_wait(Caller&, u64 pages, u64 flags);
Result<u64> sys_copy64(Caller&, u64 source);
inline Result<u64> sys_null(Caller&) { return 0; }
Result<u64> sys_probe(Caller&, u64 operation, u64 a, u64 b);

} // namespace tollgate
