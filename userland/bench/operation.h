// What an operation is: a struct derived from Operation that names itself and says what a right answer looks like.
// Suite::add<Op>() makes one benchmark of it for every gate that it has a way through:
//
//     struct Name : Operation {
//         static constexpr const char* kName = "name";
//         static constexpr unsigned kNumber = SYS_name;            // gates native, int80, flexsc_*
//         static constexpr std::uint32_t kFastcall = kFastcall...; // gate fastcall: the ioctl that registers the
//         example
//         [[gnu::noipa]] static long direct(...);                  // gate direct: an equal function of this program
//         long expected() const;                                   // every call must return this
//     };
//
// and what it needs of the members below, by declaring its own.
#pragma once

#include <tuple>

namespace tollgate::bench {

enum class GateKind { Native, Direct, Int80, FlexscOwn, FlexscIpi, FlexscPoll, FlexscAdaptive, Fastcall, Ioctl, Vdso };

constexpr const char* gate_name(GateKind gate) {
    constexpr const char* kNames[] = {"native",      "direct",          "int80",    "flexsc_own", "flexsc_ipi",
                                      "flexsc_poll", "flexsc_adaptive", "fastcall", "ioctl",      "vdso"};
    return kNames[static_cast<unsigned>(gate)];
}

/// Does a worker core take part?
constexpr bool is_by_worker(GateKind gate) {
    return gate == GateKind::FlexscIpi || gate == GateKind::FlexscPoll || gate == GateKind::FlexscAdaptive;
}

struct Operation {
    /// Is it measured when nothing else is asked for, and in the sweep over FlexSC's batches and policies?
    static constexpr bool kUsual = true, kSwept = false;

    /// The arguments of a call; through a fastcall, those of fastcall_arguments().
    static std::tuple<> arguments() { return {}; }
    static std::tuple<> fastcall_arguments() { return {}; }

    /// The fastcall example's shared page, where there is one.
    void set_shared(void* /*page*/) {}

    /// Before and after each sample, outside of the timed region. False: what the calls left behind is wrong.
    void prepare(GateKind /*gate*/) {}
    static bool verify(GateKind /*gate*/) { return true; }
};

} // namespace tollgate::bench
