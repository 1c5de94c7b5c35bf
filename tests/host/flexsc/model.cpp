// The life of one entry in every interleaving, by the code that ships: the user's side is
// userland/tests/flexsc_pages.h, the kernel's is kernel/gate/flexsc/entry.h, both with loads and stores that go to
// machine.h's memory.
//
//     flexsc_model            exit status 0: all is well, and each mutant is found
//
// Checked: a call is executed once, with the number and argument that were posted together; the user's result is its
// call's; what is refused is not executed, also when a second thread changes an entry after it was submitted; nothing
// gets stuck.
#include <cstdio>
#include <string>

#include "kernel/gate/flexsc/entry.h"
#include "tests/host/flexsc/machine.h"
#include "userland/tests/flexsc_pages.h"

namespace {

using namespace tollgate;
using namespace tollgate::flexsc;
using model::Machine;

Machine* machine = nullptr;

/// Which of the protocol's orders a mutant weakens.
enum class Weak { Nothing, Post, KernelLoad, Done, UserLoad };
Weak weak = Weak::Nothing;

constexpr bool releases(int order) { return order == __ATOMIC_RELEASE; }
constexpr bool acquires(int order) { return order == __ATOMIC_ACQUIRE; }

struct ModelAccess {
    static constexpr unsigned kResult = 6, kControl = 7;

    template <int kOrder>
    static u64 load_control(const FlexscEntry&) {
        return machine->load(kControl, acquires(kOrder) && weak != Weak::KernelLoad);
    }
    template <int kOrder>
    static void store_control(FlexscEntry&, u64 control) {
        machine->store(kControl, control, releases(kOrder) && weak != Weak::Post);
    }
    template <int kOrder>
    static u8 load_status(const FlexscEntry&) {
        return Control{machine->load(kControl, acquires(kOrder) && weak != Weak::UserLoad)}.status();
    }
    template <int kOrder>
    static void store_status(FlexscEntry&, FlexscStatus status) {
        machine->modify(kControl, u64{0xff} << 48, u64{static_cast<u8>(status)} << 48,
                        releases(kOrder) && weak != Weak::Done);
    }
    static u64 load_argument(const u64& argument) { return machine->load(index_of(argument), false); }
    static void store_argument(u64& argument, u64 value) { machine->store(index_of(argument), value, false); }
    static i64 load_result(const FlexscEntry&) { return static_cast<i64>(machine->load(kResult, false)); }
    static void store_result(FlexscEntry&, i64 result) { machine->store(kResult, static_cast<u64>(result), false); }

    static unsigned index_of(const u64& argument) { return static_cast<unsigned>(&argument - entry.args); }
    static inline FlexscEntry entry; // its address alone matters
};

constexpr int kRounds = 3;
constexpr u32 kFirstNumber = 10, kForbidden = 99;
constexpr i64 result_of(u32 number, u64 argument) { return static_cast<i64>(number * 1000 + argument); }

/// Posts, waits, reaps.
void user() {
    FlexscEntry& entry = ModelAccess::entry;
    for (int round = 0; round < kRounds; ++round) {
        const u32 number = kFirstNumber + static_cast<u32>(round);
        Flexsc::post<ModelAccess>(entry, number, u64{number});
        while (!Flexsc::is_done<ModelAccess>(entry))
            machine->wait_for_change(ModelAccess::kControl);
        if (const long result = Flexsc::take<ModelAccess>(entry); result != result_of(number, number))
            machine->fail("the user's result of call " + std::to_string(number) + " is " + std::to_string(result));
    }
}

/// Posts once, and afterwards another number with an argument count that is refused.
void hostile_user() {
    FlexscEntry& entry = ModelAccess::entry;
    Flexsc::post<ModelAccess>(entry, kFirstNumber, u64{kFirstNumber});
    ModelAccess::store_control<__ATOMIC_RELAXED>(entry, api::flexsc_control(kForbidden, 7, FlexscStatus::Submitted));
}

/// As Pages::run_entries(), for one entry, until `calls` are over.
void kernel(int calls) {
    FlexscEntry& entry = ModelAccess::entry;
    u32 last = 0;
    const auto execute = [&](u32 number, const u64* arguments) {
        const u64 argument = ModelAccess::load_argument(arguments[0]);
        if (number == kForbidden)
            machine->fail("what was to be refused was executed");
        else if (number != argument)
            machine->fail("number " + std::to_string(number) + " with argument " + std::to_string(argument));
        if (number <= last)
            machine->fail("number " + std::to_string(number) + " executed again");
        last = number;
        return result_of(number, argument);
    };
    for (; calls > 0; --calls) {
        Control control = read_control<ModelAccess>(entry);
        while (!control.is_plain_call()) {
            if (wants_execution(control.status()))
                break;
            machine->wait_for_change(ModelAccess::kControl);
            control = read_control<ModelAccess>(entry);
        }
        const bool refused = refuses(control);
        const i64 result = refused ? -static_cast<i64>(22) : call_entry<ModelAccess>(entry, control, execute);
        complete_entry<ModelAccess>(entry, result);
    }
}

struct Verdict {
    std::string bad;
    std::size_t states;
};
Verdict explore(bool hostile) {
    Machine all(hostile ? std::vector<std::function<void()>>{hostile_user, [] { kernel(1); }}
                        : std::vector<std::function<void()>>{user, [] { kernel(kRounds); }});
    machine = &all;
    std::string bad = all.explore();
    return {std::move(bad), all.states()};
}

} // namespace

int main() {
    bool good = true;
    for (const bool hostile : {false, true}) {
        const Verdict verdict = explore(hostile);
        std::printf("%s: %zu states, %s\n", hostile ? "a program that changes its entries" : "the protocol",
                    verdict.states, verdict.bad.empty() ? "all good" : verdict.bad.c_str());
        good = good && verdict.bad.empty();
    }
    const struct {
        const char* name;
        Weak order;
        Mutant kernel;
        bool hostile;
    } mutants[] = {{"a post without release", Weak::Post, Mutant::None, false},
                   {"a kernel without acquire", Weak::KernelLoad, Mutant::None, false},
                   {"Done without release", Weak::Done, Mutant::None, false},
                   {"a user without acquire", Weak::UserLoad, Mutant::None, false},
                   {"flexsc_status", Weak::Nothing, Mutant::FlexscStatus, false},
                   {"flexsc_double_read", Weak::Nothing, Mutant::FlexscDoubleRead, true},
                   {"flexsc_index", Weak::Nothing, Mutant::FlexscIndex, true}};
    for (const auto& mutant : mutants) {
        weak = mutant.order;
        active_mutant = mutant.kernel;
        const Verdict verdict = explore(mutant.hostile);
        std::printf("mutant '%s': %s\n", mutant.name, verdict.bad.empty() ? "NOT FOUND" : verdict.bad.c_str());
        good = good && !verdict.bad.empty();
    }
    return good ? 0 : 1;
}
