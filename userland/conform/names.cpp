// Names: making, removing, moving and looking them up, against POSIX and the manual pages of Linux.

#include "userland/conform/names_tests.h"

using namespace conform;

int main() {
    tollgate::Ktap ktap(41);
    Scratch scratch;
    directories(ktap);
    links(ktap);
    renames(ktap);
    lookups(ktap);
    listings(ktap);
    specials(ktap);
    permissions(ktap);
    return ktap.finish();
}
