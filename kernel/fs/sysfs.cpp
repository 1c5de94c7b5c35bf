// The few files of /sys that C libraries, run times and benchmark programs look for.
#include "cpu/cpu.h"
#include "fs/proc_text.h"
#include "fs/vfs.h"

namespace tollgate::fs {
namespace {

void write_online(Sink& to) {
    if (cpu_count() == 1)
        to.write("0\n");
    else
        format_to(to, "0-{}\n", cpu_count() - 1);
}

void write_tsc_khz(Sink& to) { format_to(to, "{}\n", cpu_by_number(0).tsc_hz / 1000); }

} // namespace

Result<void> add_sysfs_files() {
    TRY(add_text_file("/sys/devices/system/cpu/online", write_online));
    TRY(add_text_file("/sys/devices/system/cpu/possible", write_online));
    TRY(add_text_file("/sys/devices/system/cpu/present", write_online));
    TRY(add_text_file("/sys/devices/system/node/online", [](Sink& to) { to.write("0\n"); }));
    TRY(add_text_file("/sys/kernel/mm/transparent_hugepage/enabled",
                      [](Sink& to) { to.write("always madvise [never]\n"); }));
    TRY(add_text_file("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", [](Sink& to) { to.write("2097152\n"); }));
    for (unsigned n = 0; n < cpu_count(); ++n) {
        FixedString<80> path;
        format_to(path, "/sys/devices/system/cpu/cpu{}/tsc_freq_khz", n);
        TRY(add_text_file(path.view(), write_tsc_khz));
        path.clear();
        format_to(path, "/sys/devices/system/cpu/cpu{}/online", n);
        TRY(add_text_file(path.view(), [](Sink& to) { to.write("1\n"); }));
    }
    return {};
}

} // namespace tollgate::fs
