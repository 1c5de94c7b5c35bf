// The ring of bytes. Readers and writers copy under the pipe's mutex and wait without it. Whoever changes the bytes or
// the ends wakes afterwards, so that a waiter, which tests under the queue's lock, misses nothing.
#include "fs/pipe.h"

#include "lib/memory.h"

namespace tollgate::fs {
namespace {

u64 smaller(u64 a, u64 b) { return a < b ? a : b; }

} // namespace

Result<Ref<Pipe>> Pipe::create() {
    Ref<Pipe> pipe = TRY(make_ref<Pipe>());
    MutexGuard guard{pipe->mutex_};
    pipe->pages_ = new (std::nothrow_t{}) Frame[kDefaultCapacity / kPageSize];
    if (!pipe->pages_)
        return fail(Errno::NoMem);
    return pipe;
}

Pipe::~Pipe() { delete[] pages_; }

/// Frees the frames from slot `first` on.
void Pipe::drop_pages(u64 first) {
    for (u64 i = first; i < pages_used_; ++i)
        pages_[i] = Frame();
    pages_used_ = smaller(pages_used_, first);
}

/// Moves bytes to a reader; what a fault leaves stays in the pipe.
u64 Pipe::take_out(IoBuffer& buffer, Result<void>& outcome) {
    const u64 capacity = this->capacity();
    u64 size = bytes(), done = 0;
    while (size > 0 && buffer.size() > 0) {
        const u64 at = head_ % kPageSize;
        const u64 part = smaller(smaller(size, buffer.size()), kPageSize - at);
        outcome = buffer.put(pages_[head_ / kPageSize].data() + at, part);
        if (!outcome)
            break;
        head_ += part;
        if (head_ == capacity)
            head_ = 0;
        size -= part;
        done += part;
    }
    if (size == 0) {
        // An empty pipe starts again at its first page and keeps that one, so that short messages stay in one frame.
        head_ = 0;
        if (pages_used_ > 1)
            drop_pages(1);
    }
    size_.store(size, kRelease);
    return done;
}

/// Moves `size` bytes, for which there is room, from a writer: all of them, or those before the page where it failed.
u64 Pipe::put_in(IoBuffer& buffer, u64 size, Result<void>& outcome) {
    const u64 capacity = this->capacity();
    u64 done = 0, at = head_ + bytes();
    if (at >= capacity)
        at -= capacity;
    while (done < size) {
        const u64 slot = at / kPageSize, offset = at % kPageSize;
        if (!pages_[slot]) {
            auto frame = Frame::allocate();
            if (!frame) {
                outcome = fail(frame.error());
                break;
            }
            pages_[slot] = std::move(*frame);
            if (pages_used_ <= slot)
                pages_used_ = slot + 1;
        }
        const u64 part = smaller(size - done, kPageSize - offset);
        outcome = buffer.take(pages_[slot].data() + offset, part);
        if (!outcome)
            break;
        done += part;
        at += part;
        if (at == capacity)
            at = 0;
    }
    return done;
}

Result<u64> Pipe::read(IoBuffer& buffer, u32 flags) {
    if (buffer.size() == 0)
        return 0;
    for (;;) {
        // Asked before we look for bytes: what the last writer wrote before it closed is seen.
        const bool writers = has_writers();
        u64 done = 0, room_before = 0;
        Result<void> outcome;
        {
            MutexGuard guard{mutex_};
            room_before = capacity() - bytes();
            if (room_before < capacity())
                done = take_out(buffer, outcome);
        }
        if (done > 0) {
            // A writer waits for room for an atomic write, so nobody needs to hear of less.
            if (room_before < kAtomicWrite && room_before + done >= kAtomicWrite)
                changed.wake_all(kPollOut);
            return done;
        }
        if (!outcome)
            return fail(outcome.error());
        if (!writers)
            return 0;
        if (flags & kOpenNonBlock)
            return fail(Errno::Again);
        TRY(changed.wait_while([&] { return bytes() == 0 && has_writers(); }, kNoDeadline, kPollIn));
    }
}

Result<u64> Pipe::write(IoBuffer& buffer, u32 flags) {
    const bool atomic = buffer.size() <= kAtomicWrite;
    u64 done = 0;
    while (buffer.size() > 0) {
        Result<void> outcome;
        u64 moved = 0;
        if (!has_readers())
            outcome = fail(Errno::Pipe);
        const u64 needed = smaller(buffer.size(), kAtomicWrite);
        if (outcome) {
            MutexGuard guard{mutex_};
            const u64 room = capacity() - bytes();
            if (room >= needed) {
                moved = put_in(buffer, smaller(buffer.size(), room), outcome);
                if (atomic && !outcome)
                    moved = 0;
                size_.store(bytes() + moved, kRelease);
            }
        }
        if (moved > 0) {
            changed.wake_all(kPollIn);
            done += moved;
        } else if (outcome) {
            if (flags & kOpenNonBlock)
                outcome = fail(Errno::Again);
            else
                outcome = changed.wait_while([&] { return capacity() - bytes() < needed && has_readers(); },
                                             kNoDeadline, kPollOut);
        }
        if (!outcome) {
            if (done > 0)
                break;
            return fail(outcome.error());
        }
    }
    return done;
}

Result<u64> Pipe::set_capacity(u64 wanted) {
    if (wanted > kMostCapacity)
        return fail(wanted > u64{1} << 31 ? Errno::Inval : Errno::NoMem);
    u64 rounded = kPageSize;
    while (rounded < wanted)
        rounded *= 2;
    const u64 count = rounded / kPageSize;
    Frame spare = TRY(Frame::allocate());
    Frame* fresh = new (std::nothrow_t{}) Frame[count];
    if (!fresh)
        return fail(Errno::NoMem);
    Frame* old = fresh;
    {
        MutexGuard guard{mutex_};
        // The oldest byte's page becomes the first one, so the bytes must fit behind its offset too; if they do not,
        // say so, as for bytes that do not fit at all. Only an odd size of both can tell the difference.
        const u64 offset = head_ % kPageSize;
        if (bytes() <= rounded && (bytes() == 0 || offset + bytes() <= rounded)) {
            const u64 first = head_ / kPageSize, old_count = slots();
            u64 used = 0;
            for (; used * kPageSize < offset + bytes() && used < old_count && bytes() > 0; ++used)
                fresh[used] = std::move(pages_[(first + used) % old_count]);
            if (bytes() > 0 && offset + bytes() > old_count * kPageSize) {
                // The ring was full around: its youngest bytes lay before the oldest ones, in one page.
                memcpy(spare.data(), fresh[0].data(), offset + bytes() - old_count * kPageSize);
                fresh[used++] = std::move(spare);
            }
            old = pages_;
            pages_ = fresh;
            pages_used_ = used;
            head_ = bytes() == 0 ? 0 : offset;
            capacity_.store(rounded, kRelease);
        }
    }
    const bool changed_it = old != fresh;
    delete[] old;
    if (!changed_it)
        return fail(Errno::Busy);
    changed.wake_all(kPollOut);
    return rounded;
}

void Pipe::add_end(bool reads, bool writes) {
    // Under the mutex against remove_end(), which clears a pipe without ends.
    {
        MutexGuard guard{mutex_};
        if (reads) {
            readers_.fetch_add(1, kAcqRel);
            reader_opens_.fetch_add(1, kAcqRel);
        }
        if (writes) {
            writers_.fetch_add(1, kAcqRel);
            writer_opens_.fetch_add(1, kAcqRel);
        }
    }
    changed.wake_everything(); // who opens a FIFO waits for the other side
}

void Pipe::remove_end(bool reads, bool writes) {
    {
        MutexGuard guard{mutex_};
        if (reads)
            readers_.fetch_sub(1, kAcqRel);
        if (writes)
            writers_.fetch_sub(1, kAcqRel);
        if (!has_readers() && !has_writers()) {
            size_.store(0, kRelease);
            head_ = 0;
            drop_pages(0);
        }
    }
    changed.wake_everything();
}

} // namespace tollgate::fs
