#include "options.h"

#include "cpu/features.h"
#include "debug/log.h"
#include "debug/panic.h"
#include "lib/mutants.h"

namespace tollgate {
namespace {

constinit Options options;
constinit Cmdline command_line;

constexpr const char* kKnown[] = {"init",
                                  "accel",
                                  "mitigations",
                                  "pti",
                                  "mds",
                                  "spectre",
                                  "clear_regs",
                                  "flexsc.workers",
                                  "flexsc.spin_us",
                                  "test",
                                  "mutant",
                                  "quiet",
                                  "aslr",
                                  "fail_alloc_every",
                                  "flexsc.policy",
                                  "flexsc.shared",
                                  "flexsc.mwait",
                                  "fastcall.check",
                                  "fastcall.budget_ms",
                                  "spma22"};

bool on_off(StringView key, bool otherwise) {
    const auto value = command_line.get(key);
    if (!value)
        return otherwise;
    if (*value == "on" || *value == "1" || *value == "")
        return true;
    if (*value == "off" || *value == "0")
        return false;
    panic("option {}={}: say on or off", key, *value);
}

u64 number(StringView key, u64 otherwise) {
    const Result<u64> value = command_line.get_u64(key);
    if (value.has_value())
        return *value;
    if (value.error() == Errno::NoEnt)
        return otherwise;
    panic("option {}={}: not a number", key, *command_line.get(key));
}

api::FlexscPolicy flexsc_policy() {
    const StringView name = command_line.get("flexsc.policy").value_or("own");
    if (name == "own")
        return api::FlexscPolicy::Own;
    if (name == "ipi")
        return api::FlexscPolicy::WorkerIpi;
    if (name == "poll")
        return api::FlexscPolicy::WorkerPoll;
    if (name == "adaptive")
        return api::FlexscPolicy::Adaptive;
    panic("option flexsc.policy={}: say own, ipi, poll or adaptive", name);
}

void choose_mitigations() {
    const StringView level = command_line.get("mitigations").value_or("auto");
    const bool automatic = level == "auto", all = level == "all";
    if (!automatic && !all && level != "off")
        panic("option mitigations={}: say off, auto or all", level);
    // `auto` asks the CPU, like Linux: the page-table switch against Meltdown, verw against MDS.
    options.pti = on_off("pti", all || (automatic && cpu_features.meltdown));
    options.mds = on_off("mds", all || (automatic && cpu_features.mds && cpu_features.md_clear));
    options.spectre = on_off("spectre", all || automatic);
    options.clear_registers = on_off("clear_regs", all);
}

PatchSet patch_set() {
    const auto bit = [](unsigned feature) { return PatchSet{1} << feature; };
    PatchSet set = 0;
    if (options.pti)
        set |= bit(PATCH_PTI);
    if (cpu_features.smap && !mutant(Mutant::Smap))
        set |= bit(PATCH_SMAP);
    if (options.mds)
        set |= bit(PATCH_MDS);
    if (options.spectre)
        set |= bit(PATCH_SPECTRE);
    if (options.clear_registers)
        set |= bit(PATCH_CLEAR);
    if (!mutant(Mutant::SysretRip))
        set |= bit(GUARD_SYSRET_RIP);
    if (!mutant(Mutant::SysretFlags))
        set |= bit(GUARD_SYSRET_FLAGS);
    if (!mutant(Mutant::Clac))
        set |= bit(GUARD_ENTRY_CLAC);
    if (!mutant(Mutant::Cld))
        set |= bit(GUARD_CLD);
    if (!mutant(Mutant::FastcallIndex))
        set |= bit(GUARD_FASTCALL_INDEX);
    if (!mutant(Mutant::ParanoidGs))
        set |= bit(GUARD_PARANOID_GS);
    if (!mutant(Mutant::FccmpVectors))
        set |= bit(GUARD_VECTORS);
    return set;
}

void choose_mutant() {
    const auto name = command_line.get("mutant");
    if (!name || *name == "none")
        return;
#ifdef TOLLGATE_TESTS
    active_mutant = mutant_by_name(*name);
    if (active_mutant == Mutant::None)
        panic("option mutant={}: no such mutant", *name);
    options.mutant = *name;
    log("mutant {}: a guard is missing, on purpose", *name);
#else
    panic("option mutant={}: this kernel has no mutants; build/kernel/tollgate-test.elf has", *name);
#endif
}

} // namespace

const Options& read_options(StringView text) {
    command_line = Cmdline(text);
    log_set_quiet(on_off("quiet", false));
    command_line.for_each([](const CmdlineOption& option) {
        for (const char* known : kKnown)
            if (option.key == known)
                return;
        log("unknown option {} ignored", option.key);
    });
    options.init = command_line.get("init").value_or(options.init);
    options.init_arguments = command_line.init_arguments();
    options.accel = command_line.get("accel").value_or(options.accel);
    choose_mutant();
    choose_mitigations();
    options.aslr = on_off("aslr", true);
    options.flexsc_shared = on_off("flexsc.shared", false);
    options.flexsc_mwait = on_off("flexsc.mwait", false);
    options.spma22 = on_off("spma22", false);
    options.flexsc_workers = number("flexsc.workers", 0);
    options.flexsc_spin_us = number("flexsc.spin_us", options.flexsc_spin_us);
    if (options.flexsc_spin_us > api::kFlexscMaxSpinUs)
        panic("option flexsc.spin_us={}: at most {}", options.flexsc_spin_us, api::kFlexscMaxSpinUs);
    options.flexsc_policy = flexsc_policy();
    options.fastcall_check = on_off("fastcall.check", options.fastcall_check);
    options.fastcall_budget_ms = number("fastcall.budget_ms", options.fastcall_budget_ms);
    if (options.fastcall_budget_ms > 60'000)
        panic("option fastcall.budget_ms={}: at most 60000", options.fastcall_budget_ms);
    options.run_kernel_tests = command_line.get("test").value_or("") == "kernel";
#ifndef TOLLGATE_TESTS
    if (options.run_kernel_tests)
        panic("option test=kernel: this kernel has no tests; build/kernel/tollgate-test.elf has");
#endif
    options.fail_alloc_every = number("fail_alloc_every", 0);
    options.patches = patch_set();
    return options;
}

} // namespace tollgate
