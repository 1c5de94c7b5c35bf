// The collector. A socket on its way is a candidate if all references to its open file come from messages: nobody has a
// descriptor, so only a receive could make one, and receives of files wait for passing_mutex. A candidate is reachable
// if a message outside of the candidates' queues holds it, or one in a reachable queue. What is left can be reached by
// nobody. A reference that somebody holds for a moment only makes us keep more.
#include "net/unix_collect.h"

#include "net/unix_socket.h"

namespace tollgate::net {

constinit Mutex passing_mutex; // global: messages make one graph of all sockets

namespace {

using Ends = List<UnixEnd, &UnixEnd::passing_link>;
constinit Ends passing GUARDED_BY(passing_mutex); // ends whose sockets are on their way
constinit Atomic<u32> passing_count{0};
constinit Atomic<bool> collecting{false};

UnixEnd* end_of(const OpenFile& open) {
    if (open.file->kind() != FileKind::Socket)
        return nullptr;
    return &static_cast<UnixSocket*>(open.file.get())->end();
}

/// Marks what can be reached; repeats until nothing new is found.
void mark_reachable() REQUIRES(passing_mutex) {
    bool found = true;
    while (found) {
        found = false;
        for (UnixEnd& end : passing) {
            UnixPassage& own = end.passage;
            if (!own.candidate || own.reachable || own.in_flight == own.from_inside)
                continue;
            // Someone outside holds it: what lies in its queue is held from outside, too.
            own.reachable = found = true;
            end.for_each_file([](const OpenFile& open) {
                if (UnixEnd* const inner = end_of(open); inner && inner->passage.candidate)
                    --inner->passage.from_inside;
            });
        }
    }
}

} // namespace

void begin_passage(OpenFile& open) {
    UnixEnd* const end = end_of(open);
    if (!end)
        return;
    MutexGuard guard{passing_mutex};
    if (end->passage.in_flight++ == 0) {
        end->passage.open = &open;
        passing.push_back(*end);
        passing_count.store(static_cast<u32>(passing.size()), kRelaxed);
    }
}

void end_passage(OpenFile& open) {
    UnixEnd* const end = end_of(open);
    if (!end)
        return;
    MutexGuard guard{passing_mutex};
    if (--end->passage.in_flight == 0) {
        passing.remove(*end);
        passing_count.store(static_cast<u32>(passing.size()), kRelaxed);
    }
}

void collect_unreachable() {
    // Freeing closes sockets, which comes here again: one round at a time.
    if (passing_count.load(kRelaxed) == 0 || collecting.exchange(true, kAcquire))
        return;
    UnixMessages garbage;
    {
        MutexGuard guard{passing_mutex};
        for (UnixEnd& end : passing) {
            UnixPassage& own = end.passage;
            own.candidate = own.open->ref_count() == own.in_flight;
            own.reachable = false;
            own.from_inside = 0;
        }
        for (UnixEnd& end : passing) {
            if (!end.passage.candidate)
                continue;
            end.for_each_file([](const OpenFile& open) {
                if (UnixEnd* const inner = end_of(open); inner && inner->passage.candidate)
                    ++inner->passage.from_inside;
            });
        }
        mark_reachable();
        for (UnixEnd& end : passing)
            if (end.passage.candidate && !end.passage.reachable)
                end.take_messages_with_files(garbage);
    }
    destroy_messages(garbage);
    collecting.store(false, kRelease);
}

} // namespace tollgate::net
