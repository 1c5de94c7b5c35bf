// The life of one entry, every interleaving of it: user code and kernel as the lists of their loads and stores
// (kernel/api/flexsc.h; flexsc_post_words() and flexsc_reap(); execute in kernel/gate/flexsc), each with a store buffer
// as x86 has it [SDM vol 3, 8.2.2]: stores leave it in order, at any later time, and a load looks into its own first.
//
//     flexsc_model            exit status 0: all states are good, and each mutant reaches a bad one
//
// Checked: the kernel takes number and argument of the same post, each post is executed once, the user's result is that
// of its call, and nothing gets stuck.
#include <array>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <set>
#include <string>
#include <vector>

namespace {

enum Cell : std::uint8_t { kArgument, kNumber, kStatus, kResult, kCells };
enum Status : std::uint8_t { kFree, kSubmitted, kBusy, kDone };
constexpr int kRounds = 3;

/// What an actor does next. Loads put the cell into the register; WaitFor repeats until the cell has the value.
enum class Kind : std::uint8_t { Store, StorePost, LoadTo, WaitFor };
struct Step {
    Kind kind;
    Cell cell;
    std::uint8_t value;    ///< Store: what, if not `from`; WaitFor: which
    std::int8_t from = -1; ///< Store: a register; LoadTo: into which
};

// Registers: 0: round, 1: number, 2: argument, 3: the result as computed from 1 and 2, 4: the result as read.
using Program = std::vector<Step>;
const Program kUser = {{Kind::Store, kArgument, 0, 0},
                       {Kind::StorePost, kStatus, 0}, // number and status are one store
                       {Kind::WaitFor, kStatus, kDone},
                       {Kind::LoadTo, kResult, 0, 4},
                       {Kind::Store, kStatus, kFree}};
const Program kKernel = {{Kind::WaitFor, kStatus, kSubmitted}, {Kind::Store, kStatus, kBusy},
                         {Kind::LoadTo, kNumber, 0, 1},        {Kind::LoadTo, kArgument, 0, 2},
                         {Kind::Store, kResult, 0, 3},         {Kind::Store, kStatus, kDone}};

struct Buffered {
    Cell cell;
    std::uint8_t value;
    bool with_number;
    std::uint8_t number;
    auto operator<=>(const Buffered&) const = default;
};
struct Actor {
    std::uint8_t at = 0, round = 1;
    std::array<std::uint8_t, 5> registers{};
    std::deque<Buffered> buffer;
    auto operator<=>(const Actor&) const = default;
};
struct State {
    std::array<std::uint8_t, kCells> memory{};
    Actor user, kernel;
    auto operator<=>(const State&) const = default;
};

class Explorer {
public:
    Explorer(Program user, Program kernel) : user_(std::move(user)), kernel_(std::move(kernel)) {}

    /// Empty: all is well. Otherwise the first bad thing found.
    std::string run() {
        std::vector<State> open{State{}};
        while (!open.empty() && bad_.empty()) {
            State state = std::move(open.back());
            open.pop_back();
            if (!seen_.insert(state).second)
                continue;
            const std::size_t before = open.size();
            advance(state, &State::user, user_, open);
            advance(state, &State::kernel, kernel_, open);
            flush(state, &State::user, open);
            flush(state, &State::kernel, open);
            if (open.size() == before && state.user.round <= kRounds)
                bad_ = "stuck in round " + std::to_string(state.user.round);
        }
        return bad_;
    }
    std::size_t states() const { return seen_.size(); }

private:
    static std::uint8_t look(const State& state, const Actor& actor, Cell cell) {
        for (auto it = actor.buffer.rbegin(); it != actor.buffer.rend(); ++it) {
            if (it->cell == cell)
                return it->value;
            if (cell == kNumber && it->with_number)
                return it->number;
        }
        return state.memory[cell];
    }

    void flush(const State& from, Actor State::*who, std::vector<State>& open) {
        if ((from.*who).buffer.empty())
            return;
        State state = from;
        const Buffered store = (state.*who).buffer.front();
        (state.*who).buffer.pop_front();
        state.memory[store.cell] = store.value;
        if (store.with_number)
            state.memory[kNumber] = store.number;
        open.push_back(std::move(state));
    }

    void advance(const State& from, Actor State::*who, const Program& program, std::vector<State>& open) {
        State state = from;
        Actor& actor = state.*who;
        if (actor.round > kRounds)
            return;
        const Step& step = program[actor.at];
        switch (step.kind) {
        case Kind::WaitFor:
            if (look(state, actor, step.cell) != step.value)
                return;
            break;
        case Kind::LoadTo:
            actor.registers[static_cast<unsigned>(step.from)] = look(state, actor, step.cell);
            break;
        case Kind::StorePost:
            actor.buffer.push_back({kStatus, kSubmitted, true, actor.round});
            break;
        case Kind::Store:
            actor.buffer.push_back({step.cell, value_of(step, actor, who == &State::kernel), false, 0});
            break;
        }
        if (++actor.at == program.size()) {
            check_round(actor, who == &State::user);
            actor = {
                .at = 0, .round = static_cast<std::uint8_t>(actor.round + 1), .registers = {}, .buffer = actor.buffer};
        }
        open.push_back(std::move(state));
    }

    static std::uint8_t value_of(const Step& step, const Actor& actor, bool kernel) {
        if (step.from < 0)
            return step.value;
        if (kernel) // the call's result, from what was read
            return static_cast<std::uint8_t>(actor.registers[1] * 16 + actor.registers[2]);
        return actor.round;
    }

    void check_round(const Actor& actor, bool user) {
        const auto& r = actor.registers;
        if (user && r[4] != actor.round * 16 + actor.round)
            bad_ = "round " + std::to_string(actor.round) + ": the user's result is " + std::to_string(r[4]);
        if (!user && (r[1] != actor.round || r[2] != actor.round))
            bad_ = "execution " + std::to_string(actor.round) + " took number " + std::to_string(r[1]) + ", argument " +
                   std::to_string(r[2]);
    }

    Program user_, kernel_;
    std::set<State> seen_;
    std::string bad_;
};

Program swapped(Program program, unsigned a, unsigned b) {
    std::swap(program[a], program[b]);
    return program;
}

} // namespace

int main() {
    Explorer sound(kUser, kKernel);
    const std::string bad = sound.run();
    std::printf("the protocol: %zu states, %s\n", sound.states(), bad.empty() ? "all good" : bad.c_str());
    bool all = bad.empty();
    Program never_busy = kKernel; // executes twice what the user has not yet seen done
    never_busy.erase(never_busy.begin() + 1);
    never_busy.back().value = kSubmitted;
    const struct {
        const char* name;
        Program user, kernel;
    } mutants[] = {{"status before arguments", swapped(kUser, 0, 1), kKernel},
                   {"done before the result", kUser, swapped(kKernel, 4, 5)},
                   {"arguments read before the status", kUser, swapped(kKernel, 0, 3)},
                   {"never done", kUser, never_busy}};
    for (const auto& mutant : mutants) {
        Explorer explorer(mutant.user, mutant.kernel);
        const std::string found = explorer.run();
        std::printf("mutant '%s': %s\n", mutant.name, found.empty() ? "NOT FOUND" : found.c_str());
        all = all && !found.empty();
    }
    return all ? 0 : 1;
}
