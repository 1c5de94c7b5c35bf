// Each ioctl registers one more function in the caller's table (spec: fastcall, 10). -EFAULT leaves the registration,
// as the prototype does.
#include "gate/fastcall/device.h"

#include "api/fastcall.h"
#include "cpu/features.h"
#include "fs/vfs.h"
#include "gate/fastcall/provider.h"
#include "task/process.h"

namespace tollgate::fastcall {
namespace {

FASTCALL_FUNCTION(noop);
FASTCALL_FUNCTION(stack);
FASTCALL_FUNCTION(priv);
FASTCALL_FUNCTION(array);
FASTCALL_FUNCTION(nt);

constexpr Mapping kPrivatePage{.kind = Mapping::Kind::Private}, kUserPage{.kind = Mapping::Kind::User};

class ExamplesFile final : public File {
public:
    Result<FileStatus> status() const override { return fs::device_status(10, 126); }

    Result<u64> control(Caller& caller, u32 request, u64 argument) override {
        switch (request) {
        case api::kFastcallIoctlNoop:
            return add(caller, noop_function, {}, argument);
        case api::kFastcallIoctlStack:
            return add(caller, stack_function, {}, argument);
        case api::kFastcallIoctlPriv:
            return add(caller, priv_function, {&kPrivatePage, 1}, argument);
        case api::kFastcallIoctlArray:
            return add_with_shared(caller, array_function, argument);
        case api::kFastcallIoctlNt:
            if (!cpu_features.avx2)
                return fail(Errno::NoTty);
            return add_with_shared(caller, nt_function, argument);
        default:
            return fail(Errno::NoTty);
        }
    }

private:
    static Result<u64> add_with_shared(Caller& caller, const Function& function, u64 argument) {
        static constexpr Mapping kPages[] = {kUserPage, kPrivatePage};
        const Registration made = TRY(register_fastcall(*caller.process, function, {}, kPages, {}));
        const api::FastcallArrayIoctl out{made.function, made.length, made.attributes[0], made.index, 0};
        TRY(copy_to_user(UserPtr<api::FastcallArrayIoctl>{argument}, out));
        return u64{0};
    }
    static Result<u64> add(Caller& caller, const Function& function, std::span<const Mapping> mappings, u64 argument) {
        const Registration made = TRY(register_fastcall(*caller.process, function, {}, mappings, {}));
        const api::FastcallIoctl out{made.function, made.length, made.index, 0};
        TRY(copy_to_user(UserPtr<api::FastcallIoctl>{argument}, out));
        return u64{0};
    }
};

} // namespace

Result<Ref<File>> open_examples(const Caller*, u32) { return Ref<File>(TRY(make_ref<ExamplesFile>())); }

} // namespace tollgate::fastcall
