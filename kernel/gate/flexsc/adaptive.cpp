// Averages and trials of the policy Adaptive.
#include "gate/flexsc/adaptive.h"

namespace tollgate::flexsc {
namespace {

constexpr Side other(Side side) { return side == Side::Own ? Side::Worker : Side::Own; }
constexpr unsigned index(Side side) { return static_cast<unsigned>(side); }

} // namespace

unsigned Adaptive::class_of(u64 entries) {
    const unsigned log = 63 - static_cast<unsigned>(__builtin_clzll(entries | 1));
    return log < kClasses ? log : kClasses - 1;
}

Side Adaptive::choose(u64 entries) {
    Class& own = classes_[class_of(entries)];
    if (own.cost[index(own.best)] == 0)
        return own.best;
    if (own.trial_left == 0 && own.until_trial-- == 0)
        own.trial_left = kTrial;
    return own.trial_left != 0 ? other(own.best) : own.best;
}

void Adaptive::note(Side side, u64 entries, u64 ticks) {
    Class& own = classes_[class_of(entries)];
    const bool trial = own.trial_left != 0 && side != own.best;
    if (trial && own.cost[index(own.best)] == 0)
        return; // it was chosen for a batch of another size: there is nothing yet to hold it against
    u64& cost = own.cost[index(side)];
    const u64 now = ticks * 16 / entries + 1;
    if (!trial) {
        // One that was interrupted is no measure of the others.
        cost = cost == 0 ? now : now > cost * 4 ? cost + cost / 4 : cost - cost / 8 + now / 8;
        if (side == Side::Own && own.trial_left == 0 && own.until_trial > kUnmeasured) {
            own.until_trial -= kUnmeasured;
            settled_entries_ = entries;
            unmeasured_ = kUnmeasured;
        }
        return;
    }
    if (own.trial_left == kCounted)
        cost = now;
    else if (own.trial_left < kCounted && now < cost)
        cost = now;
    if (--own.trial_left == 0)
        judge(own);
}

void Adaptive::judge(Class& of) {
    const u64 tried = of.cost[index(other(of.best))], best = of.cost[index(of.best)];
    if (tried < best - best / 16) {
        of.best = other(of.best);
        of.until_trial = kTrial * kTrialShare;
        return;
    }
    // The trial has cost `tried` where `best` would have done.
    const u64 batches = kTrial * kTrialShare * (tried / best + 1);
    of.until_trial = batches < 100'000 ? static_cast<u32>(batches) : 100'000;
}

} // namespace tollgate::flexsc
