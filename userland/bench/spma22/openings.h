// What /bin/spma22 opens, each when the first row asks for it: the devices, the functions of the vDSO, and fastcalls by
// their ioctl. main() is that of /bin/bench.
#pragma once

#include <optional>

#include "api/fastcall.h"
#include "userland/bench/suite.h"

namespace tollgate::bench::spma22 {

/// The device of that path, or why it cannot be opened.
std::expected<int, Missing> device(const char* path);
/// The function of the vDSO with that name.
std::expected<void*, Missing> vdso_function(const char* name);

/// One registered fastcall; the destructor takes it away.
class Registered {
public:
    Registered() = default;
    /// By the ioctl with that code; error() says whether it worked.
    explicit Registered(std::uint32_t code);
    Registered(Registered&& other) noexcept : made_(std::exchange(other.made_, {})), error_(other.error_) {}
    Registered& operator=(Registered&& other) noexcept {
        std::swap(made_, other.made_);
        std::swap(error_, other.error_);
        return *this;
    }
    ~Registered();

    [[nodiscard]] std::optional<Missing> error() const { return error_; }
    [[nodiscard]] long index() const { return made_.index; }
    [[nodiscard]] unsigned char* shared() const { return reinterpret_cast<unsigned char*>(made_.shared_addr); }

private:
    api::FastcallArrayIoctl made_{}; ///< the shorter structure is brought into this form
    std::optional<Missing> error_;
};

/// Before and after each sample, not timed; `after` may find something wrong.
template <class Before, class After>
struct Around {
    Before before;
    After after;

    void prepare(GateKind /*gate*/) { before(); }
    bool verify(GateKind /*gate*/) { return after(); }
    static long expected() { return 0; }
};

void add_crossings(Suite& suite);
void add_lifecycle(Suite& suite);

} // namespace tollgate::bench::spma22
