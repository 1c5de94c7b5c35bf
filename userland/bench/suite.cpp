// Opens the gates that need opening, each at its first use: FlexSC's pages of one policy at a time, a fastcall example
// through its device.
#include "userland/bench/suite.h"

#include <cstring>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <utility>

namespace tollgate::bench {

Missing missing(const std::string& what, int error) {
    const bool not_offered = error == ENOSYS || error == ENODEV || error == ENOENT || error == ENXIO;
    std::string reason = what + ": " + std::strerror(error);
    if (error == ENOSYS)
        reason += " (this kernel does not have it)";
    return {std::move(reason), !not_offered};
}

namespace {

std::string unit_of(const std::string& accel) {
    if (accel == "icount")
        return "instructions per call";
    return accel == "kvm" ? "cycles per call" : "tsc ticks, not a cost";
}

} // namespace

Suite::Suite(const Machine& machine, Selection selection)
    : ruler_(measure_ruler()), seconds_per_tick_(1.0 / (machine.number("tsc_hz") > 0 ? machine.number("tsc_hz") : 1e9)),
      unit_(unit_of(machine.get("accel"))),
      ticks_mean_something_(machine.get("accel") == "icount" || machine.get("accel") == "kvm"),
      is_tollgate_(machine.is_tollgate()), selection_(selection) {}

void Suite::list(const std::string& operation, GateKind gate, std::function<std::optional<Missing>()> prepare,
                 std::function<void(benchmark::State&)> run, unsigned batch, unsigned samples) {
    std::string name = operation + '/' + gate_name(gate);
    if (batch != 0)
        name += "/batch:" + std::to_string(batch);
    benchmarks_.push_back({std::move(name), gate, batch, std::move(prepare), std::move(run), samples});
}

std::optional<Missing> Suite::int80_is_ours() const {
    if (is_tollgate_)
        return std::nullopt;
    return Missing{"only on Tollgate: elsewhere int 0x80 takes i386 numbers", false};
}

std::optional<Missing> Suite::open_flexsc(flexsc_policy policy, unsigned batch) {
    const unsigned pages = (batch + FLEXSC_ENTRIES_PER_PAGE - 1) / FLEXSC_ENTRIES_PER_PAGE;
    if (lane_ != nullptr && lane_->is(policy, pages))
        return std::nullopt;
    lane_.reset(); // its pages are gone before there are others
    auto opened = FlexscLane::open(policy, pages);
    if (!opened)
        return missing("flexsc_register", opened.error());
    lane_ = std::move(*opened);
    return std::nullopt;
}

std::expected<Suite::Example, Missing> Suite::open_fastcall(std::uint32_t ioctl_code) {
    if (fastcall_device_ < 0)
        fastcall_device_ = open(api::kFastcallDevice, O_RDONLY | O_CLOEXEC);
    if (fastcall_device_ < 0)
        return std::unexpected(missing(api::kFastcallDevice, errno));
    // The larger of the two structures; both begin with fn_addr and fn_len.
    api::FastcallArrayIoctl array{};
    api::FastcallIoctl plain{};
    const bool is_array = ioctl_code == api::kFastcallIoctlArray;
    if (ioctl(fastcall_device_, ioctl_code, is_array ? static_cast<void*>(&array) : &plain) != 0)
        return std::unexpected(missing("registering a fastcall", errno));
    return is_array ? Example{array.index, reinterpret_cast<void*>(array.shared_addr)} : Example{plain.index, nullptr};
}

} // namespace tollgate::bench
