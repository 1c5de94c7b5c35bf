// /proc/tollgate/machine: what this run is, one key=value a line; benchmarks copy it into their result files.
#include "machine_file.h"

#include "cpu/apic.h"
#include "cpu/clock.h"
#include "cpu/cpu.h"
#include "cpu/features.h"
#include "cpu/tlb.h"
#include "sched/scheduler.h"
#include "version.h"

namespace tollgate {
namespace {
constinit const Options* options = nullptr;
}

void machine_file_use(const Options& boot_options) { options = &boot_options; }

void write_machine_file(Sink& sink) {
    const CpuFeatures& f = cpu_features;
    const auto flag = [&](const char* key, bool value) { format_to(sink, "{}={}\n", key, value ? 1 : 0); };
    const auto on_off = [&](const char* key, bool value) { format_to(sink, "{}={}\n", key, value ? "on" : "off"); };
    format_to(sink, "accel={}\n", options->accel);
    on_off("pti", options->pti);
    flag("pcid", tlb_uses_pcid);
    on_off("mds", options->mds);
    on_off("spectre", options->spectre);
    on_off("clear_regs", options->clear_registers);
    on_off("spma22", options->spma22);
    flag("smep", f.smep);
    flag("smap", f.smap);
    flag("umip", f.umip);
    flag("fsgsbase", f.fsgsbase);
    flag("xsave", f.xsave);
    flag("avx2", f.avx2);
    flag("x2apic", f.x2apic);
    flag("tsc_deadline", f.tsc_deadline);
    flag("invariant_tsc", f.invariant_tsc);
    flag("rdpid", f.rdpid);
    format_to(sink, "cpus={}\nworkers={}\ntsc_hz={}\n", cpu_count(), sched::worker_count(), clock_tsc_hz());
    format_to(sink, "flexsc_spin_us={}\n", options->flexsc_spin_us);
    format_to(sink, "cpu_vendor={}\ncpu_model={}\nhypervisor={}\n", f.vendor,
              StringView(f.model, strnlen(f.model, 48)).trimmed(), f.hypervisor ? f.hypervisor_name : "none");
    format_to(sink, "kernel_commit={}\nkernel_compiler={}\nkernel_flags={}\nmutant={}\n", kVersionCommit,
              kVersionCompiler, kVersionFlags, options->mutant);
}

} // namespace tollgate
