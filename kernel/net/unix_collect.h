// Sockets that only messages refer to. A socket may travel through a socket, even through itself; when everybody has
// closed such sockets while they wait in each other's queues, no count ever becomes zero. Linux calls that the garbage
// of AF_UNIX [man 7 unix].
#pragma once

#include "lib/list.h"
#include "sched/mutex.h"
#include "task/file.h"

namespace tollgate::net {

class UnixEnd;

/// What an end keeps for the collector; under passing_mutex.
struct UnixPassage {
    OpenFile* open = nullptr; ///< the socket's open file, while it is on its way
    u32 in_flight = 0;        ///< how many messages hold it
    u32 from_inside = 0;      ///< so many of them lie in queues that are themselves only in flight
    bool candidate = false, reachable = false;
};

/// Held while a message with files is queued, while its files are taken out, and while the collector looks.
extern constinit Mutex passing_mutex;

/// A file is put into a message, or leaves it. Other files than sockets do not matter.
void begin_passage(OpenFile& open);
void end_passage(OpenFile& open);

/// Frees the messages that lie in queues which nobody can read any more. Costs a load while no socket is on its way.
void collect_unreachable();

} // namespace tollgate::net
