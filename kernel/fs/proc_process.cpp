// What /proc/PID/{stat,statm,status,limits,comm,io} say.
#include "cpu/cpu.h"
#include "fs/proc_text.h"

namespace tollgate::fs {
namespace {

constexpr u64 kTick = 10'000'000; // ns; USER_HZ is 100
constexpr u64 kKilobyte = 1024;

struct State {
    char letter;
    const char* words;
};

/// The state of a process is that of its busiest thread.
State state_of(const Subject& subject) {
    Process& process = *subject.process;
    if (process.is_zombie())
        return {'Z', "Z (zombie)"};
    bool running = false, any = false;
    task::for_each_thread(process, [&](UserThread& thread) {
        if (subject.thread != 0 && thread.caller.thread_id != subject.thread)
            return;
        const ThreadState state = thread.thread->state();
        any = true;
        running = running || state == ThreadState::Running || state == ThreadState::Ready;
    });
    if (!any)
        return {'X', "X (dead)"};
    if (running)
        return {'R', "R (running)"};
    if (process.signals.job != ProcessSignals::Job::Running) // a snapshot; the lock would make it no newer
        return {'T', "T (stopped)"};
    return {'S', "S (sleeping)"};
}

FixedString<15> name_of(const Subject& subject) {
    FixedString<15> name;
    if (subject.thread != 0) {
        task::for_each_thread(*subject.process, [&](UserThread& thread) {
            if (thread.caller.thread_id == subject.thread && name.empty())
                name.write(thread.name.view());
        });
    }
    if (name.empty())
        name.write(subject.process->name());
    return name;
}

struct SignalSets {
    SignalSet pending = 0, shared = 0, blocked = 0, ignored = 0, caught = 0;
    u32 queued = 0;
};

SignalSets signals_of(const Subject& subject) {
    SignalSets sets;
    Process& process = *subject.process;
    const i32 wanted = subject.thread != 0 ? subject.thread : process.id();
    task::for_each_thread(process, [&](UserThread& thread) {
        if (thread.caller.thread_id == wanted)
            sets.blocked = thread.signals.mask.load(kRelaxed);
    });
    Guard guard{process.signals.lock};
    sets.shared = process.signals.pending.set;
    sets.queued = process.signals.queued;
    for (int signal = 1; signal <= kSignals; ++signal) {
        const u64 handler = process.signals.actions[signal - 1].handler;
        if (handler == kActionIgnore)
            sets.ignored |= signal_bit(signal);
        else if (handler != kActionDefault)
            sets.caught |= signal_bit(signal);
    }
    return sets;
}

/// Sizes in bytes; zeros for a zombie.
struct Sizes {
    u64 mapped = 0, resident = 0, stack = 0, text = 0, data = 0;
};

Sizes sizes_of(const Process& process) {
    Sizes sizes;
    const Ref<AddressSpace> space = process.space();
    if (!space)
        return sizes;
    sizes.resident = space->resident_bytes();
    for (u64 at = 0;;) {
        const auto area = space->area_after(at);
        if (!area)
            break;
        const u64 size = area->end - area->start;
        at = area->end;
        if (area->kind == AreaKind::Guard)
            continue;
        sizes.mapped += size;
        if (area->kind == AreaKind::Stack)
            sizes.stack += size;
        else if (area->access == Access::ReadExecute)
            sizes.text += size;
        else if (area->access == Access::ReadWrite && area->sharing == Sharing::Private)
            sizes.data += size;
    }
    return sizes;
}

struct TerminalState {
    u32 device = 0;
    i32 foreground = -1;
};
TerminalState terminal_of_process(const Process& process) {
    const Ref<Session> session = process.session();
    const Ref<Terminal> terminal = session ? session->terminal() : Ref<Terminal>();
    return terminal ? TerminalState{terminal->device_number(), terminal->foreground_group.load(kRelaxed)}
                    : TerminalState{};
}

void write_cpus(Sink& to, u64 allowed) {
    const unsigned count = cpu_count();
    const u64 all = count == 64 ? ~u64{0} : (u64{1} << count) - 1;
    allowed &= all;
    format_to(to, "Cpus_allowed:\t{:x}\nCpus_allowed_list:\t", allowed);
    bool first = true;
    for (unsigned cpu = 0; cpu < count; ++cpu) {
        if (!(allowed >> cpu & 1))
            continue;
        unsigned last = cpu;
        while (last + 1 < count && allowed >> (last + 1) & 1)
            ++last;
        format_to(to, "{}{}", first ? "" : ",", cpu);
        if (last != cpu)
            format_to(to, "-{}", last);
        first = false;
        cpu = last;
    }
    to.write("\n");
}

} // namespace

Result<void> write_process_stat(const Subject& subject, Sink& to) {
    Process& process = *subject.process;
    const Usage own = process.usage(), children = process.children_usage();
    const Sizes sizes = sizes_of(process);
    const TerminalState terminal = terminal_of_process(process);
    const SignalSets signals = signals_of(subject);
    const i32 nice = process.nice.load(kRelaxed);
    format_to(to, "{} ({}) {} {} {} {} {} {} 0 ", subject.thread != 0 ? subject.thread : process.id(), name_of(subject),
              state_of(subject).letter, process.parent_id(), process.group_id(), process.session_id(), terminal.device,
              terminal.foreground);
    format_to(to, "{} {} {} {} ", own.minor_faults, children.minor_faults, own.major_faults, children.major_faults);
    format_to(to, "{} {} {} {} ", own.user_ns / kTick, own.system_ns / kTick, children.user_ns / kTick,
              children.system_ns / kTick);
    format_to(to, "{} {} {} 0 {} ", 20 + nice, nice, process.thread_count(), process.start_time_ns / kTick);
    format_to(to, "{} {} {} ", sizes.mapped, sizes.resident / kPageSize, process.limits[Limit::ResidentSet]);
    to.write("0 0 0 0 0 "); // where its code, stack and registers are is nobody else's business [man 5 proc]
    format_to(to, "{} {} {} {} ", signals.shared & 0x7fffffff, signals.blocked & 0x7fffffff,
              signals.ignored & 0x7fffffff, signals.caught & 0x7fffffff);
    format_to(to, "0 0 0 {} 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n", process.exit_signal);
    return {};
}

Result<void> write_process_statm(const Subject& subject, Sink& to) {
    const Sizes sizes = sizes_of(*subject.process);
    format_to(to, "{} {} 0 {} 0 {} 0\n", sizes.mapped / kPageSize, sizes.resident / kPageSize, sizes.text / kPageSize,
              (sizes.data + sizes.stack) / kPageSize);
    return {};
}

Result<void> write_process_status(const Subject& subject, Sink& to) {
    Process& process = *subject.process;
    const Ref<FsContext> context = process.fs();
    format_to(to, "Name:\t{}\n", name_of(subject));
    if (context)
        format_to(to, "Umask:\t{:04o}\n", context->umask.load(kRelaxed));
    format_to(to, "State:\t{}\nTgid:\t{}\nNgid:\t0\nPid:\t{}\nPPid:\t{}\nTracerPid:\t0\n", state_of(subject).words,
              process.id(), subject.thread != 0 ? subject.thread : process.id(), process.parent_id());
    const auto identity = [&](const char* name, const Identity& id) {
        format_to(to, "{}:\t{}\t{}\t{}\t{}\n", name, id.real.load(kRelaxed), id.effective.load(kRelaxed),
                  id.saved.load(kRelaxed), id.file.load(kRelaxed));
    };
    identity("Uid", process.credentials.user);
    identity("Gid", process.credentials.group);
    format_to(to, "FDSize:\t{}\nGroups:\t", 256);
    for (u32 n = 0; n < process.credentials.group_count.load(kAcquire); ++n)
        format_to(to, "{} ", process.credentials.groups[n].load(kRelaxed));
    to.write("\n");
    const i32 own = subject.thread != 0 ? subject.thread : process.id();
    format_to(to, "NStgid:\t{}\nNSpid:\t{}\nNSpgid:\t{}\nNSsid:\t{}\n", process.id(), own, process.group_id(),
              process.session_id());
    if (process.space()) {
        const Sizes sizes = sizes_of(process);
        const u64 peak = process.usage().max_resident;
        const auto line = [&](const char* name, u64 bytes) {
            format_to(to, "{}:\t{:8} kB\n", name, bytes / kKilobyte);
        };
        line("VmPeak", sizes.mapped);
        line("VmSize", sizes.mapped);
        line("VmLck", 0);
        line("VmPin", 0);
        line("VmHWM", peak > sizes.resident ? peak : sizes.resident);
        line("VmRSS", sizes.resident);
        line("RssAnon", sizes.resident);
        line("RssFile", 0);
        line("RssShmem", 0);
        line("VmData", sizes.data);
        line("VmStk", sizes.stack);
        line("VmExe", sizes.text);
        line("VmLib", 0);
        line("VmPTE", 0);
        line("VmSwap", 0);
    }
    const SignalSets signals = signals_of(subject);
    format_to(to, "Threads:\t{}\nSigQ:\t{}/{}\n", process.thread_count(), signals.queued,
              process.limits[Limit::PendingSignals]);
    format_to(to, "SigPnd:\t{:016x}\nShdPnd:\t{:016x}\nSigBlk:\t{:016x}\nSigIgn:\t{:016x}\nSigCgt:\t{:016x}\n",
              signals.pending, signals.shared, signals.blocked, signals.ignored, signals.caught);
    const u64 capabilities = process.credentials.privileged() ? 0x1ffffffffff : 0;
    format_to(to, "CapInh:\t{:016x}\nCapPrm:\t{:016x}\nCapEff:\t{:016x}\nCapBnd:\t{:016x}\nCapAmb:\t{:016x}\n", u64{0},
              capabilities, capabilities, u64{0x1ffffffffff}, u64{0});
    format_to(to, "NoNewPrivs:\t{}\nSeccomp:\t0\n", process.no_new_privileges.load(kRelaxed) ? 1 : 0);
    u64 allowed = ~u64{0};
    task::for_each_thread(process, [&](UserThread& thread) {
        if (thread.caller.thread_id == own)
            allowed = sched::affinity(*thread.thread);
    });
    write_cpus(to, allowed);
    const Usage usage = process.usage();
    format_to(to, "Mems_allowed:\t1\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t{}\n", usage.voluntary_switches);
    format_to(to, "nonvoluntary_ctxt_switches:\t{}\n", usage.involuntary_switches);
    return {};
}

Result<void> write_process_limits(const Subject& subject, Sink& to) {
    static constexpr struct {
        const char *name, *unit;
    } kRows[kLimits] = {
        {"Max cpu time", "seconds"},    {"Max file size", "bytes"},      {"Max data size", "bytes"},
        {"Max stack size", "bytes"},    {"Max core file size", "bytes"}, {"Max resident set", "bytes"},
        {"Max processes", "processes"}, {"Max open files", "files"},     {"Max locked memory", "bytes"},
        {"Max address space", "bytes"}, {"Max file locks", "locks"},     {"Max pending signals", "signals"},
        {"Max msgqueue size", "bytes"}, {"Max nice priority", ""},       {"Max realtime priority", ""},
        {"Max realtime timeout", "us"},
    };
    to.write("Limit                     Soft Limit           Hard Limit           Units     \n");
    const auto value = [&](u64 limit) {
        if (limit == kUnlimited)
            format_to(to, "{:<20} ", "unlimited");
        else
            format_to(to, "{:<20} ", limit);
    };
    for (u32 n = 0; n < kLimits; ++n) {
        const ResourceLimit limit = subject.process->limits.get(n);
        format_to(to, "{:<25} ", kRows[n].name);
        value(limit.current);
        value(limit.maximum);
        if (kRows[n].unit[0] != '\0')
            format_to(to, "{:<10}", kRows[n].unit);
        to.write("\n");
    }
    return {};
}

Result<void> write_process_comm(const Subject& subject, Sink& to) {
    format_to(to, "{}\n", name_of(subject));
    return {};
}

// Nothing is counted for single processes.
Result<void> write_process_io(const Subject&, Sink& to) {
    to.write("rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n");
    return {};
}

Result<void> write_zero(const Subject&, Sink& to) {
    to.write("0"); // as Linux' wchan: no newline, and no address of the kernel's
    return {};
}
Result<void> write_zero_line(const Subject&, Sink& to) {
    to.write("0\n");
    return {};
}
Result<void> write_cgroup(const Subject&, Sink& to) {
    to.write("0::/\n");
    return {};
}
Result<void> write_mounts_of(const Subject&, Sink& to) {
    write_mounts(to);
    return {};
}
Result<void> write_mountinfo(const Subject&, Sink& to) {
    to.write("1 1 0:1 / / rw - tmpfs none rw\n2 1 0:2 / /dev rw - devtmpfs devtmpfs rw\n"
             "3 1 0:3 / /proc rw - proc proc rw\n4 1 0:4 / /sys rw - sysfs sysfs rw\n"
             "6 2 0:6 / /dev/pts rw - devpts devpts rw\n");
    return {};
}

} // namespace tollgate::fs
