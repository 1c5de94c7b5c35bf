// The generated files of /proc and /sys that programs and benchmark libraries look for. None shows a kernel address.
#include "cpu/clock.h"
#include "cpu/cpu.h"
#include "cpu/features.h"
#include "fs/text_file.h"
#include "fs/vfs.h"
#include "mem/frames.h"
#include "task/process.h"

namespace tollgate::fs {
namespace {

constinit StringView kernel_command_line; // global: the boot loader gave one, and generators get no context

/// A number with three decimals out of a thousandfold one.
struct Thousandths {
    u64 value;
    void format(Sink& sink) const { format_to(sink, "{}.{:03}", value / 1000, value % 1000); }
};

void write_cpuinfo(Sink& to) {
    const struct {
        bool present;
        const char* name;
    } flags[] = {
        {cpu_features.avx, "avx"},           {cpu_features.avx2, "avx2"},
        {cpu_features.fsgsbase, "fsgsbase"}, {cpu_features.hypervisor, "hypervisor"},
        {cpu_features.invpcid, "invpcid"},   {cpu_features.md_clear, "md_clear"},
        {cpu_features.pcid, "pcid"},         {cpu_features.rdpid, "rdpid"},
        {cpu_features.rdtscp, "rdtscp"},     {cpu_features.smap, "smap"},
        {cpu_features.smep, "smep"},         {cpu_features.umip, "umip"},
        {cpu_features.x2apic, "x2apic"},     {cpu_features.xsave, "xsave"},
    };
    for (unsigned n = 0; n < cpu_count(); ++n) {
        format_to(to, "processor\t: {}\nvendor_id\t: {}\nmodel name\t: {}\n", n, cpu_features.vendor,
                  cpu_features.model);
        format_to(to, "cpu MHz\t\t: {}\nflags\t\t:", Thousandths{cpu_by_number(n).tsc_hz / 1000});
        for (const auto& flag : flags)
            if (flag.present)
                format_to(to, " {}", flag.name);
        to.write("\n\n");
    }
}

void write_meminfo(Sink& to) {
    constexpr u64 kKilobytes = kPageSize / 1024;
    format_to(to, "MemTotal:       {:8} kB\n", frames::total_count() * kKilobytes);
    format_to(to, "MemFree:        {:8} kB\n", frames::free_count() * kKilobytes);
    format_to(to, "MemAvailable:   {:8} kB\n", frames::free_count() * kKilobytes);
}

/// The load is not averaged: zeros, in the form that getloadavg(3) wants.
void write_loadavg(Sink& to) { to.write("0.00 0.00 0.00 1/1 1\n"); }

void write_uptime(Sink& to) {
    const u64 hundredths = clock_monotonic_ns() / 10'000'000;
    format_to(to, "{}.{:02} 0.00\n", hundredths / 100, hundredths % 100);
}

void write_version(Sink& to) { to.write("Tollgate version 6.1.0-tollgate\n"); }
void write_command_line(Sink& to) { format_to(to, "{}\n", kernel_command_line); }

void write_online(Sink& to) {
    if (cpu_count() == 1)
        to.write("0\n");
    else
        format_to(to, "0-{}\n", cpu_count() - 1);
}

void write_tsc_khz(Sink& to) { format_to(to, "{}\n", cpu_by_number(0).tsc_hz / 1000); }

class ExecutableLink final : public Link {
public:
    ExecutableLink() : Link(kProcfs, 0777, 0) {}
    Result<Ref<LinkText>> text(const Caller* caller) override {
        if (!caller)
            return fail(Errno::NoEnt);
        return LinkText::make(caller->process->executable_.view());
    }
};

} // namespace

Result<void> add_proc_files(Directory& proc, StringView command_line) {
    kernel_command_line = command_line;
    TRY(TRY(proc.find_or_make("self", Growth::Fixed))->add("exe", TRY(make_ref<ExecutableLink>())));
    TRY(add_text_file("/proc/cpuinfo", write_cpuinfo));
    TRY(add_text_file("/proc/meminfo", write_meminfo));
    TRY(add_text_file("/proc/loadavg", write_loadavg));
    TRY(add_text_file("/proc/uptime", write_uptime));
    TRY(add_text_file("/proc/version", write_version));
    TRY(add_text_file("/proc/cmdline", write_command_line));
    TRY(add_text_file("/sys/devices/system/cpu/online", write_online));
    TRY(add_text_file("/sys/devices/system/cpu/possible", write_online));
    TRY(add_text_file("/sys/devices/system/cpu/present", write_online));
    return add_text_file("/sys/devices/system/cpu/cpu0/tsc_freq_khz", write_tsc_khz);
}

} // namespace tollgate::fs
