// 64 bytes from the caller into memory that only the kernel writes. As a fastcall, the `array` example: from the page
// it shares with us into slot 47 of its private one. The kernel's copy cannot be read back; that of the direct call is
// compared after each sample.
#include <cstring>

#include "userland/bench/operations.h"
#include "userland/bench/suite.h"

namespace tollgate::bench {

namespace {

constexpr unsigned kSize = 64;
constexpr long kSlot = 47;

alignas(64) unsigned char destination[kSize];

struct Copy64 : Operation {
    static constexpr const char* kName = "copy64";
    static constexpr unsigned kNumber = api::kSysCopy64;
    static constexpr std::uint32_t kFastcall = api::kFastcallIoctlArray;
    static constexpr bool kSwept = true;

    [[gnu::noipa]] static long direct(const unsigned char* source) {
        std::memcpy(destination, source, kSize);
        return 0;
    }
    static constexpr long expected() { return 0; }
    auto arguments() const { return std::tuple(&source_[0]); }
    static auto fastcall_arguments() { return std::tuple(kSlot, long{kSize}); }
    void set_shared(void* page) { shared_ = static_cast<unsigned char*>(page); }

    void prepare(GateKind gate) {
        for (unsigned i = 0; i < kSize; ++i)
            source_[i] = static_cast<unsigned char>(round_ * 7 + i);
        ++round_;
        if (gate == GateKind::Fastcall)
            std::memcpy(shared_, source_, kSize);
    }

    bool verify(GateKind gate) const {
        if (gate == GateKind::Fastcall)
            return std::memcmp(shared_, source_, kSize) == 0;
        return gate != GateKind::Direct || std::memcmp(destination, source_, kSize) == 0;
    }

private:
    alignas(64) unsigned char source_[kSize] = {};
    unsigned char* shared_ = nullptr;
    unsigned round_ = 0;
};

} // namespace

void add_copy64(Suite& suite) { suite.add<Copy64>(); }

} // namespace tollgate::bench
