#include "userland/bench/spma22/openings.h"

#include <fcntl.h>
#include <map>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "userland/bench/operations.h"
#include "userland/lib/vdso_image.h"

namespace tollgate::bench {

void add_all_operations(Suite& suite) {
    spma22::add_crossings(suite);
    spma22::add_lifecycle(suite);
}

namespace spma22 {

std::expected<int, Missing> device(const char* path) {
    static std::map<std::string, int> opened; // or -errno
    const auto [place, is_new] = opened.try_emplace(path, -1);
    if (is_new)
        place->second = static_cast<int>(Native::call(SYS_open, path, O_RDWR | O_CLOEXEC));
    if (place->second < 0)
        return std::unexpected(missing(path, -place->second));
    return place->second;
}

std::expected<void*, Missing> vdso_function(const char* name) {
    VdsoImage image;
    const unsigned long address = getauxval(AT_SYSINFO_EHDR);
    void* const found = address != 0 && image.read(address) ? image.by_hash(name) : nullptr;
    if (found == nullptr)
        return std::unexpected(Missing{std::string("the vDSO has no ") + name + " (option spma22=on adds it)", false});
    return found;
}

Registered::Registered(std::uint32_t code) {
    const auto examples = device(api::kFastcallDevice);
    if (!examples) {
        error_ = examples.error();
        return;
    }
    const bool is_short =
        (code >> 16 & 0x3fff) == sizeof(api::FastcallIoctl); // the size in the code [asm-generic/ioctl.h]
    api::FastcallIoctl plain{};
    if (ioctl(*examples, code, is_short ? static_cast<void*>(&plain) : &made_) != 0)
        error_ = missing("registering a fastcall", errno);
    else if (is_short)
        made_ = {plain.fn_addr, plain.fn_len, 0, plain.index, 0};
}

Registered::~Registered() {
    if (made_.fn_addr != 0)
        munmap(reinterpret_cast<void*>(made_.fn_addr), made_.fn_len);
}

} // namespace spma22
} // namespace tollgate::bench
