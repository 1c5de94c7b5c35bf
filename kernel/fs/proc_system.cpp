// What /proc says about the machine and the kernel as a whole.
#include "cpu/clock.h"
#include "cpu/cpu.h"
#include "cpu/features.h"
#include "cpu/interrupts.h"
#include "cpu/trap_frame.h"
#include "fs/proc_text.h"
#include "fs/random.h"
#include "fs/vfs.h"
#include "mem/frames.h"

namespace tollgate::fs {
namespace {

constexpr u64 kTick = 10'000'000; // ns; USER_HZ is 100

constinit StringView kernel_command_line; // global: the boot loader gave one, and generators get no context
constinit u8 boot_id[16] = {};            // global: of this boot

/// A number with three decimals out of a thousandfold one.
struct Thousandths {
    u64 value;
    void format(Sink& sink) const { format_to(sink, "{}.{:03}", value / 1000, value % 1000); }
};
/// Seconds with two decimals out of nanoseconds.
struct Seconds {
    u64 nanoseconds;
    void format(Sink& sink) const {
        format_to(sink, "{}.{:02}", nanoseconds / 1'000'000'000, nanoseconds / kTick % 100);
    }
};

// ---- processors ----

void write_cpuinfo(Sink& to) {
    const struct {
        bool present;
        const char* name;
    } flags[] = {
        {true, "fpu"},
        {true, "tsc"},
        {true, "msr"},
        {true, "apic"},
        {true, "cx8"},
        {true, "sse"},
        {true, "sse2"},
        {true, "syscall"},
        {true, "nx"},
        {true, "lm"},
        {cpu_features.avx, "avx"},
        {cpu_features.avx2, "avx2"},
        {cpu_features.fsgsbase, "fsgsbase"},
        {cpu_features.hypervisor, "hypervisor"},
        {cpu_features.invpcid, "invpcid"},
        {cpu_features.md_clear, "md_clear"},
        {cpu_features.pcid, "pcid"},
        {cpu_features.rdpid, "rdpid"},
        {cpu_features.rdtscp, "rdtscp"},
        {cpu_features.smap, "smap"},
        {cpu_features.smep, "smep"},
        {cpu_features.umip, "umip"},
        {cpu_features.x2apic, "x2apic"},
        {cpu_features.xsave, "xsave"},
    };
    for (unsigned n = 0; n < cpu_count(); ++n) {
        const Cpu& cpu = cpu_by_number(n);
        format_to(to, "processor\t: {}\nvendor_id\t: {}\nmodel name\t: {}\n", n, cpu_features.vendor,
                  cpu_features.model);
        format_to(to, "cpu MHz\t\t: {}\nphysical id\t: 0\nsiblings\t: {}\ncore id\t\t: {}\ncpu cores\t: {}\n",
                  Thousandths{cpu.tsc_hz / 1000}, cpu_count(), n, cpu_count());
        format_to(to, "apicid\t\t: {}\nfpu\t\t: yes\nwp\t\t: yes\nflags\t\t:", cpu.apic_id);
        for (const auto& flag : flags)
            if (flag.present)
                format_to(to, " {}", flag.name);
        format_to(to, "\nbogomips\t: {}.{:02}\n", cpu.tsc_hz / 500'000, cpu.tsc_hz / 5'000 % 100);
        to.write("clflush size\t: 64\ncache_alignment\t: 64\n\n");
    }
}

struct Totals {
    u64 user_ns = 0, system_ns = 0;
    u32 threads = 0, running = 0;
    i32 newest = 0;
};

Totals totals() {
    Totals sum;
    for (Ref<Process> process = task::next_process(0); process; process = task::next_process(process->id())) {
        const Usage usage = process->usage();
        sum.user_ns += usage.user_ns;
        sum.system_ns += usage.system_ns;
        sum.threads += process->thread_count();
        sum.newest = process->id() > sum.newest ? process->id() : sum.newest;
        task::for_each_thread(*process, [&](UserThread& thread) {
            const ThreadState state = thread.thread->state();
            sum.running += state == ThreadState::Running || state == ThreadState::Ready;
        });
    }
    return sum;
}

u64 idle_ns(const Totals& sum) {
    const u64 all = clock_monotonic_ns() * cpu_count(), busy = sum.user_ns + sum.system_ns;
    return all > busy ? all - busy : 0;
}

// Time is accounted to processes, not to processors: each CPU's line shows its even share.
void write_stat(Sink& to) {
    const Totals sum = totals();
    const u64 user = sum.user_ns / kTick, system = sum.system_ns / kTick, idle = idle_ns(sum) / kTick;
    format_to(to, "cpu  {} 0 {} {} 0 0 0 0 0 0\n", user, system, idle);
    u64 interrupts = 0, switches = 0;
    for (unsigned n = 0; n < cpu_count(); ++n) {
        const CpuCounters& counters = cpu_by_number(n).counters;
        interrupts += counters.interrupts;
        switches += counters.switches;
        format_to(to, "cpu{} {} 0 {} {} 0 0 0 0 0 0\n", n, user / cpu_count(), system / cpu_count(),
                  idle / cpu_count());
    }
    format_to(to, "intr {}\nctxt {}\nbtime {}\nprocesses {}\nprocs_running {}\nprocs_blocked 0\n", interrupts, switches,
              (clock_realtime_ns() - clock_monotonic_ns()) / 1'000'000'000, sum.newest, sum.running);
    to.write("softirq 0 0 0 0 0 0 0 0 0 0 0\n");
}

void write_uptime(Sink& to) { format_to(to, "{} {}\n", Seconds{clock_monotonic_ns()}, Seconds{idle_ns(totals())}); }

/// The load is not averaged: zeros, in the form that getloadavg(3) wants.
void write_loadavg(Sink& to) {
    const Totals sum = totals();
    format_to(to, "0.00 0.00 0.00 {}/{} {}\n", sum.running, sum.threads, sum.newest);
}

void write_interrupts(Sink& to) {
    to.write("    ");
    for (unsigned n = 0; n < cpu_count(); ++n)
        format_to(to, "       CPU{:<2}", n);
    to.write("\n");
    for (unsigned vector = kVectorDeviceFirst; vector < kVectorDeviceEnd; ++vector) {
        const VectorInfo info = vector_info(static_cast<u8>(vector));
        if (info.name == nullptr)
            continue;
        format_to(to, "{:3}: {:10}", vector, info.count);
        for (unsigned n = 1; n < cpu_count(); ++n) // device interrupts go to the boot processor
            format_to(to, " {:11}", 0);
        format_to(to, "   IO-APIC   {}\n", info.name);
    }
    const auto row = [&](const char* name, u64 CpuCounters::*counter, const char* words) {
        format_to(to, "{}:", name);
        for (unsigned n = 0; n < cpu_count(); ++n)
            format_to(to, " {:10}", cpu_by_number(n).counters.*counter);
        format_to(to, "   {}\n", words);
    };
    row("INT", &CpuCounters::interrupts, "All interrupts");
    row("NMI", &CpuCounters::nmis, "Non-maskable interrupts");
    row("SPU", &CpuCounters::spurious, "Spurious interrupts");
}

// ---- memory ----

void write_meminfo(Sink& to) {
    const u64 total = frames::total_count() * (kPageSize / 1024), free = frames::free_count() * (kPageSize / 1024);
    const auto line = [&](const char* name, u64 kilobytes) { format_to(to, "{:<16}{:8} kB\n", name, kilobytes); };
    line("MemTotal:", total);
    line("MemFree:", free);
    line("MemAvailable:", free);
    for (const char* name :
         {"Buffers:",        "Cached:",       "SwapCached:",     "Active:",      "Inactive:",    "Active(anon):",
          "Inactive(anon):", "Active(file):", "Inactive(file):", "Unevictable:", "Mlocked:",     "SwapTotal:",
          "SwapFree:",       "Dirty:",        "Writeback:",      "AnonPages:",   "Mapped:",      "Shmem:",
          "KReclaimable:",   "Slab:",         "SReclaimable:",   "SUnreclaim:",  "KernelStack:", "PageTables:"})
        line(name, 0);
    line("CommitLimit:", total);
    line("Committed_AS:", total - free);
    to.write(
        "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\nHugePages_Surp:        0\n");
    line("Hugepagesize:", 2048);
}

// ---- names and lists ----

void write_version(Sink& to) { to.write("Linux version 6.1.0-tollgate (Tollgate) #1 SMP\n"); }
void write_command_line(Sink& to) { format_to(to, "{}\n", kernel_command_line); }
void write_filesystems(Sink& to) {
    to.write("nodev\ttmpfs\nnodev\tdevtmpfs\nnodev\tproc\nnodev\tsysfs\nnodev\tdevpts\n");
}
void write_devices(Sink& to) {
    to.write("Character devices:\n  1 mem\n  4 tty\n  4 ttyS\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n 10 misc\n"
             "136 pts\n\nBlock devices:\n");
}

// ---- /proc/sys ----

void write_uuid_text(const u8 (&bytes)[16], Sink& to) {
    for (int n = 0; n < 16; ++n)
        format_to(to, "{}{:02x}", n == 4 || n == 6 || n == 8 || n == 10 ? "-" : "", bytes[n]);
    to.write("\n");
}

/// A random UUID [RFC 9562, 5.4].
void make_uuid(u8 (&bytes)[16]) {
    random_bytes({reinterpret_cast<std::byte*>(bytes), sizeof bytes});
    bytes[6] = static_cast<u8>((bytes[6] & 0x0f) | 0x40);
    bytes[8] = static_cast<u8>((bytes[8] & 0x3f) | 0x80);
}

void write_uuid(Sink& to) {
    u8 bytes[16];
    make_uuid(bytes);
    write_uuid_text(bytes, to);
}
void write_boot_id(Sink& to) { write_uuid_text(boot_id, to); }

} // namespace

void write_mounts(Sink& to) {
    to.write("none / tmpfs rw 0 0\ndevtmpfs /dev devtmpfs rw 0 0\nproc /proc proc rw 0 0\nsysfs /sys sysfs rw 0 0\n"
             "devpts /dev/pts devpts rw 0 0\n");
}

Result<void> add_system_files(StringView command_line) {
    kernel_command_line = command_line;
    make_uuid(boot_id);
    static constexpr struct {
        const char* path;
        void (*write)(Sink&);
    } kFiles[] = {
        {"/proc/cpuinfo", write_cpuinfo},
        {"/proc/meminfo", write_meminfo},
        {"/proc/stat", write_stat},
        {"/proc/uptime", write_uptime},
        {"/proc/loadavg", write_loadavg},
        {"/proc/interrupts", write_interrupts},
        {"/proc/version", write_version},
        {"/proc/cmdline", write_command_line},
        {"/proc/filesystems", write_filesystems},
        {"/proc/devices", write_devices},
        {"/proc/swaps", [](Sink& to) { to.write("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"); }},
        {"/proc/sys/kernel/ostype", [](Sink& to) { to.write("Linux\n"); }},
        {"/proc/sys/kernel/osrelease", [](Sink& to) { to.write("6.1.0-tollgate\n"); }},
        {"/proc/sys/kernel/version", [](Sink& to) { to.write("#1 SMP\n"); }},
        {"/proc/sys/kernel/pid_max", [](Sink& to) { to.write("4194304\n"); }},
        {"/proc/sys/kernel/threads-max", [](Sink& to) { to.write("65536\n"); }},
        {"/proc/sys/kernel/randomize_va_space", [](Sink& to) { to.write("2\n"); }},
        {"/proc/sys/kernel/cap_last_cap", [](Sink& to) { to.write("40\n"); }},
        {"/proc/sys/kernel/ngroups_max", [](Sink& to) { to.write("65536\n"); }},
        {"/proc/sys/kernel/random/uuid", write_uuid},
        {"/proc/sys/kernel/random/boot_id", write_boot_id},
        {"/proc/sys/kernel/random/entropy_avail", [](Sink& to) { to.write("256\n"); }},
        {"/proc/sys/vm/overcommit_memory", [](Sink& to) { to.write("0\n"); }},
        {"/proc/sys/vm/max_map_count", [](Sink& to) { to.write("65530\n"); }},
        {"/proc/sys/fs/pipe-max-size", [](Sink& to) { to.write("1048576\n"); }},
        {"/proc/sys/fs/file-max", [](Sink& to) { to.write("9223372036854775807\n"); }},
        {"/proc/sys/fs/nr_open", [](Sink& to) { to.write("1048576\n"); }},
    };
    for (const auto& file : kFiles)
        TRY(add_text_file(file.path, file.write));
    return {};
}

} // namespace tollgate::fs
