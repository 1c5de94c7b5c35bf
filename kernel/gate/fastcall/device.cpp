// Each ioctl registers one more entry in the caller's table (spec: fastcall, 10).
#include "gate/fastcall/device.h"

#include "api/fastcall.h"
#include "fs/vfs.h"
#include "task/process.h"

namespace tollgate::fastcall {
namespace {

#define EXAMPLE(name) extern "C" const u8 fastcall_##name[], fastcall_##name##_end[]
EXAMPLE(noop);
EXAMPLE(stack);
EXAMPLE(priv);
EXAMPLE(array);
EXAMPLE(probe);
#undef EXAMPLE

class ExamplesFile final : public File {
public:
    Result<FileStatus> status() const override { return fs::device_status(10, 126); }

    Result<u64> control(Caller& caller, u32 request, u64 argument) override {
        switch (request) {
        case api::kFastcallIoctlNoop:
            return add(caller, {fastcall_noop, fastcall_noop_end}, {}, argument);
        case api::kFastcallIoctlStack:
            return add(caller, {fastcall_stack, fastcall_stack_end}, {}, argument);
        case api::kFastcallIoctlPriv:
            return add(caller, {fastcall_priv, fastcall_priv_end}, {.private_page = true}, argument);
        case api::kFastcallIoctlArray: {
            const Registration made = TRY(register_function(*caller.space, {fastcall_array, fastcall_array_end},
                                                            {.shared = true, .private_page = true}));
            const api::FastcallArrayIoctl out{made.function, made.length, made.shared_address, made.index, 0};
            TRY(copy_to_user(UserPtr<api::FastcallArrayIoctl>{argument}, out));
            return u64{0};
        }
        default:
            return fail(Errno::NoTty);
        }
    }

private:
    static Result<u64> add(Caller& caller, const Function& function, const Mappings& mappings, u64 argument) {
        const Registration made = TRY(register_function(*caller.space, function, mappings));
        const api::FastcallIoctl out{made.function, made.length, made.index, 0};
        TRY(copy_to_user(UserPtr<api::FastcallIoctl>{argument},
                         out)); // -EFAULT leaves the registration, as the prototype does
        return u64{0};
    }
};

} // namespace

Result<Ref<File>> open_examples(const Caller*, u32) { return Ref<File>(TRY(make_ref<ExamplesFile>())); }

Result<u64> register_probe(AddressSpace& space) {
    return TRY(register_function(space, {fastcall_probe, fastcall_probe_end}, {}))
    .index;
}

} // namespace tollgate::fastcall
