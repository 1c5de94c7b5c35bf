// Descriptors [SDM vol 3, 3.4.5, 6.14.1, 7.7].
#include "cpu/area.h"

#include "cpu/features.h"
#include "cpu/layout.h"
#include "cpu/segments.h"
#include "cpu/trap_frame.h"
#include "lib/mutants.h"

namespace tollgate {
namespace {

struct [[gnu::packed]] Tss {
    u32 reserved0;
    u64 rsp[3];
    u64 reserved1;
    u64 ist[7];
    u64 reserved2;
    u16 reserved3, io_map;
};
static_assert(sizeof(Tss) == 104);

struct [[gnu::packed]] TableRegister {
    u16 limit;
    u64 base;
};

struct Gate {
    u16 offset_low, selector;
    u8 ist, type;
    u16 offset_middle;
    u32 offset_high, reserved;
};
static_assert(sizeof(Gate) == 16);

constexpr u64 kTssOffset = 0x800; // in the page of the GDT
constexpr u64 kFaultIst = 1, kNmiIst = 2, kDfIst = 3, kMcIst = 4, kDbIst = 5;

constexpr u64 kCode64 = 0x00af9b000000ffff, kData = 0x00cf93000000ffff, kDpl3 = u64{3} << 45;

extern "C" const u8 trap_stubs[];

constexpr u8 ist_of(unsigned vector) {
    switch (vector) {
    case kVectorNmi:
        return kNmiIst;
    case kVectorDf:
        return kDfIst;
    case kVectorMc:
        return kMcIst;
    case kVectorDb:
        return kDbIst;
    default:
        return vector < 32 ? kFaultIst : 0;
    }
}

} // namespace

Cpu& area_prepare(u64 base, unsigned number) {
    Cpu& cpu = *reinterpret_cast<Cpu*>(base + kAreaCpu);
    cpu.self = &cpu;
    cpu.number = number;
    cpu.entry_stack = base + kAreaEntryStackTop;
    cpu.mds_selector = kKernelData;
    cpu.stack_guard =
        this_cpu().stack_guard; // one canary for all: functions are switched away from here and go on there

    auto* tss = reinterpret_cast<Tss*>(base + kAreaGdtTss + kTssOffset);
    tss->rsp[0] = base + kAreaEntryStackTop;
    tss->ist[kFaultIst - 1] = base + kAreaFaultStackTop;
    tss->ist[kNmiIst - 1] = base + kAreaNmiStackTop;
    tss->ist[kDfIst - 1] = base + kAreaDfStackTop;
    tss->ist[kMcIst - 1] = base + kAreaMcStackTop;
    tss->ist[kDbIst - 1] = base + kAreaDbStackTop;
    tss->io_map = sizeof(Tss); // no ports for ring 3

    auto* gdt = reinterpret_cast<u64*>(base + kAreaGdtTss);
    const u64 tss_address = reinterpret_cast<u64>(tss);
    gdt[kKernelCode / 8] = kCode64;
    gdt[kKernelData / 8] = kData;
    gdt[kUserData / 8] = kData | kDpl3;
    gdt[kUserCode / 8] = kCode64 | kDpl3;
    gdt[kTss / 8] =
        (sizeof(Tss) - 1) | (tss_address & 0xffffff) << 16 | u64{0x89} << 40 | (tss_address >> 24 & 0xff) << 56;
    gdt[kTss / 8 + 1] = tss_address >> 32;
    gdt[kCpuNode / 8] = (number & 0xffff) | u64{0xf1} << 40 | u64{0x40} << 48; // read-only data, DPL 3, accessed
    return cpu;
}

void idt_fill(void* page, void (*int80_handler)()) {
    auto* idt = static_cast<Gate*>(page);
    for (unsigned vector = 0; vector < 256; ++vector) {
        u64 handler = reinterpret_cast<u64>(trap_stubs) + vector * 16;
        if (vector == kVectorInt80)
            handler = reinterpret_cast<u64>(int80_handler);
        const bool user = mutant(Mutant::Int80Gate) || vector == kVectorBp || vector == kVectorOf ||
                          vector == kVectorInt80; // the rest is #GP by `int n`
        idt[vector] = {static_cast<u16>(handler),
                       kKernelCode,
                       ist_of(vector),
                       static_cast<u8>(user ? 0xee : 0x8e),
                       static_cast<u16>(handler >> 16),
                       static_cast<u32>(handler >> 32),
                       0};
    }
}

void area_load(Cpu& cpu) {
    const u64 base = reinterpret_cast<u64>(&cpu) - kAreaCpu;
    const TableRegister gdt{16 * 8 - 1, base + kAreaGdtTss}, idt{4095, base + kAreaIdt};
    asm volatile("lgdt %0" ::"m"(gdt));
    asm volatile("lidt %0" ::"m"(idt));
    asm volatile(
        "pushq %0\n\tleaq 1f(%%rip), %%rax\n\tpushq %%rax\n\tlretq\n"
        "1:\tmovl %1, %%ss\n\tmovl %2, %%ds\n\tmovl %2, %%es\n\tmovl %2, %%fs\n\tmovl %2, %%gs\n\tltr %w3" ::"i"(
            kKernelCode),
        "r"(u32{kKernelData}), "r"(0), "r"(kTss)
        : "rax", "memory");
    x86::wrmsr(x86::kMsrGsBase, reinterpret_cast<u64>(&cpu)); // loading GS has cleared it
    x86::wrmsr(x86::kMsrKernelGsBase, 0);
    if (cpu_features.rdtscp || cpu_features.rdpid)
        x86::wrmsr(x86::kMsrTscAux, cpu.number);
}

} // namespace tollgate
