// Processes begin, end and are waited for: fork, vfork, clone, clone3, exit, wait4 and waitid.
#include <cstring>

#include "userland/conform/process_tests.h"

using namespace tollgate;
using namespace tollgate::conform;

int main(int argc, char** argv) {
    if (argc > 1 && strcmp(argv[1], "spawned") == 0)
        return 61;
    Ktap ktap(45);
    test_fork(ktap);
    test_fork_in_thread(ktap);
    test_vfork(ktap);
    test_status(ktap);
    test_wait_errors(ktap);
    test_wait_choice(ktap);
    test_waitid(ktap);
    test_stop(ktap);
    test_child_signal(ktap);
    test_orphans(ktap);
    test_threads(ktap);
    test_clone_errors(ktap);
    test_clone3(ktap);
    test_clone_signals(ktap);
    test_clone_parent(ktap);
    test_clone_sharing(ktap);
    test_clone_words(ktap);
    test_spawn(ktap);
    test_usage(ktap);
    return ktap.finish();
}
