#include "boot_info.h"

#include "cpu/x86.h"
#include "debug/log.h"
#include "debug/panic.h"
#include "lib/multiboot2.h"
#include "lib/pvh.h"
#include "mem/layout.h"

namespace tollgate {
namespace {

/// Physical memory below 4 GiB, through the boot tables' direct map.
class BootMemory final : public PhysReader {
public:
    std::optional<Bytes> view(PhysAddr base, u64 length) override {
        constexpr u64 kLimit = u64{4} << 30;
        if (length > kLimit || base.value() > kLimit - length)
            return std::nullopt;
        return Bytes(direct<const std::byte>(base), length);
    }
};

constinit BootMemory memory;
constinit BootInfo info;
constinit AcpiInfo acpi;

template <class T>
T or_panic(Parsed<T> parsed, const char* whose) {
    if (!parsed.has_value())
        panic("{}: {}", whose, parsed.error());
    if constexpr (!std::is_void_v<T>)
        return *parsed;
}

std::optional<PhysAddr> search_rsdp() {
    const u64 ebda = u64{*direct<const u16>(PhysAddr{0x40e})} << 4; // [ACPI 6.5, 5.2.5.1]
    const struct { u64 base, length; } places[] = {{ebda, 1024}, {0xe0000, 0x20000}};
    for (const auto& place : places) {
        const auto bytes = memory.view(PhysAddr{place.base}, place.length);
        if (place.base == 0 || !bytes)
            continue;
        if (const auto offset = find_rsdp(*bytes))
            return PhysAddr{place.base + *offset};
    }
    return std::nullopt;
}

} // namespace

const BootInfo& read_boot_info(BootProtocol protocol, PhysAddr information) {
    switch (protocol) {
    case BootProtocol::Pvh:
        or_panic(parse_pvh(memory, information, info), "PVH start information");
        break;
    case BootProtocol::Multiboot2: {
        const Bytes header =
            or_panic(memory.bytes(information, 8, "header outside of memory"), "Multiboot2 information");
        const u64 size = or_panic(multiboot2_size(header), "Multiboot2 information");
        const Bytes all = or_panic(memory.bytes(information, size, "outside of memory"), "Multiboot2 information");
        or_panic(parse_multiboot2(all, information, info), "Multiboot2 information");
        break;
    }
    default:
        panic("unknown boot loader: start the kernel by QEMU's -kernel or by GRUB's multiboot2 command");
    }
    if (info.command_line.truncated())
        log("the command line is longer than {} bytes; the rest is lost", BootInfo::kMaxCommandLine);
    return info;
}

const AcpiInfo& read_acpi(const BootInfo& boot) {
    const std::optional<PhysAddr> rsdp = boot.rsdp ? boot.rsdp : search_rsdp();
    if (rsdp) {
        const Parsed<void> parsed = parse_acpi(memory, *rsdp, acpi);
        if (parsed.has_value() && !acpi.apic_ids().empty())
            return acpi;
        log("ACPI tables cannot be used, one CPU only: {}",
            parsed.has_value() ? ParseError{"no CPU in the MADT"} : parsed.error());
    } else {
        log("no ACPI tables found, one CPU only");
    }
    acpi = AcpiInfo{};
    acpi.local_apic = PhysAddr{x86::rdmsr(x86::kMsrApicBase) & 0xffffff000};
    acpi.add_cpu(x86::cpuid(1).ebx >> 24, 1);
    return acpi;
}

} // namespace tollgate
