// Descriptors: copies, flags, limits, locks, and what threads and processes share, against POSIX and Linux' manual
// pages; and a race of four processes on one directory.

#include "userland/conform/descriptors_tests.h"

using namespace conform;

int main() {
    tollgate::Ktap ktap(20);
    Scratch scratch;
    copies(ktap);
    limits(ktap);
    threads(ktap);
    locks(ktap);
    others(ktap);
    race(ktap);
    return ktap.finish();
}
