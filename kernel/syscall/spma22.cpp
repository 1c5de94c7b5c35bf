// One array for the whole machine, as in the authors' kernel: callers overwrite each other, and nobody can read it.
#include "syscall/spma22.h"

#include "api/spma22.h"
#include "cpu/features.h"
#include "cpu/nontemporal.h"
#include "fs/vfs.h"
#include "lib/mutants.h"
#include "mem/user_copy.h"

namespace tollgate {
namespace {

constinit bool is_enabled = false; // global: set once at boot, read by calls that have no other way up

struct alignas(kPageSize) Array {
    std::byte slots[api::kFccmpSlots][api::kFccmpSlotSize];
};
constinit Array kept = {};

Result<u64> copy_to_slot(u64 data, u8 index, u8 size) {
    if (index >= api::kFccmpSlots || (size > api::kFccmpSlotSize && !mutant(Mutant::FccmpSize)))
        return fail(Errno::Inval);
    TRY(copy_from_user_bytes(kept.slots[index], data, size));
    return 0;
}

/// Through a buffer, since a non-temporal store cannot be made to survive a fault of the load before it.
Result<u64> copy_past_cache(u64 data, u8 index) {
    if (!cpu_features.avx2)
        return fail(Errno::Busy);
    if (index >= api::kFccmpSlots)
        return fail(Errno::Inval);
    alignas(64) std::byte buffer[api::kFccmpSlotSize];
    TRY(copy_from_user_bytes(buffer, data, sizeof buffer));
    nontemporal_copy64(kept.slots[index], buffer);
    return 0;
}

class ComparisonFile final : public File {
public:
    explicit ComparisonFile(bool writable) : writable_(writable) {}
    Result<FileStatus> status() const override { return fs::device_status(10, 125); }

    Result<u64> control(Caller&, u32 request, u64 argument) override {
        if (request == api::kFccmpIoctlNoop)
            return 0;
        if (request != api::kFccmpIoctlArray && request != api::kFccmpIoctlNt)
            return fail(Errno::NoTty);
        if (!writable_)
            return fail(Errno::Access);
        if (request == api::kFccmpIoctlArray) {
            const auto in = TRY(copy_from_user(UserPtr<const api::FccmpArray>(argument)));
            return copy_to_slot(in.data, in.index, in.size);
        }
        const auto in = TRY(copy_from_user(UserPtr<const api::FccmpNt>(argument)));
        return copy_past_cache(in.data, in.index);
    }

private:
    const bool writable_;
};

} // namespace

namespace spma22 {

void enable() { is_enabled = true; }
bool enabled() { return is_enabled; }

Result<Ref<File>> open_device(const Caller*, u32 flags) {
    return Ref<File>(TRY(make_ref<ComparisonFile>((flags & kOpenAccessMask) != kOpenReadOnly)));
}

std::span<const std::byte> array() { return std::as_bytes(std::span{&kept, 1}); }

} // namespace spma22

Result<u64> sys_fccmp_array(Caller&, u64 data, u8 index, u8 size) {
    if (!is_enabled) [[unlikely]]
        return fail(Errno::NoSys);
    return copy_to_slot(data, index, size);
}

Result<u64> sys_fccmp_nt(Caller&, u64 data, u8 index) {
    if (!is_enabled) [[unlikely]]
        return fail(Errno::NoSys);
    return copy_past_cache(data, index);
}

} // namespace tollgate
