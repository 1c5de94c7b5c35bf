// A million fastcalls while somebody outside injects NMIs (tests/system/fastcall_nmi.py): every one gives the right
// answer, and registers and GS base are the user's afterwards [threats C5, I1].
#include <cstdio>
#include <cstdlib>

#include "userland/lib/gate_fastcall.h"
#include "userland/lib/ktap.h"
#include "userland/tests/fastcall_support.h"

int main(int argc, char** argv) {
    using namespace tollgate;
    using namespace tollgate::test;
    const long calls = argc > 1 ? std::atol(argv[1]) : 1'000'000;
    Ktap ktap(1);
    const long stack = register_example(api::kFastcallIoctlStack).index;
    const long priv = register_example(api::kFastcallIoctlPriv).index;
    static uint64_t anywhere;
    const uint64_t base = reinterpret_cast<uint64_t>(&anywhere);
    set_gs(base);
    const uint64_t before = counter(api::ProbeCounter::Nmis);
    std::puts("calling");
    std::fflush(stdout);
    long wrong = 0, made = 0;
    uint64_t nmis = 0;
    do { // and more, where calls are faster than whoever sends the NMIs
        for (long n = 0; n < calls; n += 2) {
            wrong += Fastcall::call(stack, n) != n;
            wrong += Fastcall::call(priv, n) != n + 1;
        }
        made += calls;
        nmis = counter(api::ProbeCounter::Nmis) - before;
    } while (nmis < 100 && made < 50 * calls);
    ktap.check(wrong == 0, "%ld of %ld calls gave a wrong answer", wrong, made);
    ktap.check(get_gs() == base, "the gs base is another one");
    ktap.check(nmis >= 100, "only %llu NMIs have come", static_cast<unsigned long long>(nmis));
    ktap.note("%ld calls, %llu NMIs", made, static_cast<unsigned long long>(nmis));
    ktap.test("C5 NMIs from outside during a million fastcalls");
    return ktap.finish();
}
