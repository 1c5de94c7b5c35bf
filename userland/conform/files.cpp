// Files: opening, content, size, status and times, against POSIX and the manual pages of Linux.

#include "userland/conform/files_tests.h"

using namespace conform;

int main() {
    tollgate::Ktap ktap(43);
    Scratch scratch;
    opening(ktap);
    content(ktap);
    seeking(ktap);
    mapping(ktap);
    statuses(ktap);
    times(ktap);
    sharing(ktap);
    races(ktap);
    return ktap.finish();
}
