// What the parts of conform-descriptors share, and the parts in the order in which they run.
#pragma once

#include <sys/wait.h>

#include "userland/conform/scratch.h"

namespace conform {

/// Runs `body` in a child; whether it was content.
template <class Body>
bool in_child(Body body) {
    const pid_t child = fork();
    if (child == 0)
        _exit(body() ? 0 : 1);
    int ended = -1;
    return waitpid(child, &ended, 0) == child && ended == 0;
}

void copies(tollgate::Ktap& ktap);
void limits(tollgate::Ktap& ktap);
void threads(tollgate::Ktap& ktap);
void others(tollgate::Ktap& ktap);
void locks(tollgate::Ktap& ktap);
void race(tollgate::Ktap& ktap);

} // namespace conform
