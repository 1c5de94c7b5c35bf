// Pipes and FIFOs against pipe(2), pipe(7), fifo(7) and fcntl(2).
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "userland/conform/ipc_support.h"

using namespace tollgate;
using namespace tollgate::ipc;

namespace {

char big[200000], back[200000];

struct Pipe {
    int reader = -1, writer = -1;
    explicit Pipe(int flags = 0) {
        int ends[2] = {-1, -1};
        if (pipe2(ends, flags) == 0) {
            reader = ends[0];
            writer = ends[1];
        }
    }
    ~Pipe() {
        close_reader();
        close_writer();
    }
    void close_reader() {
        if (reader >= 0)
            close(reader);
        reader = -1;
    }
    void close_writer() {
        if (writer >= 0)
            close(writer);
        writer = -1;
    }
};

short state(int descriptor, short events = POLLIN | POLLOUT) {
    pollfd file{descriptor, events, 0};
    return poll(&file, 1, 0) < 0 ? -1 : file.revents;
}

void making(Ktap& ktap) {
    int ends[2] = {-1, -1};
    gives(ktap, "pipe makes two ends", pipe(ends), 0);
    ktap.test("pipe's ends are the lowest free descriptors", ends[0] >= 3 && ends[1] == ends[0] + 1);
    ktap.check((fcntl(ends[0], F_GETFL) & O_ACCMODE) == O_RDONLY, "reader");
    ktap.check((fcntl(ends[1], F_GETFL) & O_ACCMODE) == O_WRONLY, "writer");
    ktap.test("the ends' access modes");
    ktap.test("no close-on-exec by default", fcntl(ends[0], F_GETFD) == 0 && fcntl(ends[1], F_GETFD) == 0);
    struct stat status {};
    ktap.check(fstat(ends[0], &status) == 0 && S_ISFIFO(status.st_mode), "mode %o", status.st_mode);
    ktap.test("fstat says FIFO");
    fails(ktap, "reading the writing end: EBADF", read(ends[1], big, 1), EBADF);
    fails(ktap, "writing the reading end: EBADF", write(ends[0], big, 1), EBADF);
    fails(ktap, "lseek: ESPIPE", lseek(ends[0], 0, SEEK_SET), ESPIPE);
    fails(ktap, "pread: ESPIPE", pread(ends[0], big, 1, 0), ESPIPE);
    fails(ktap, "pwrite: ESPIPE", pwrite(ends[1], big, 1, 0), ESPIPE);
    fails(ktap, "ftruncate: EINVAL", ftruncate(ends[1], 0), EINVAL);
    close(ends[0]);
    close(ends[1]);
    gives(ktap, "pipe2 with both flags", pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    ktap.check(fcntl(ends[0], F_GETFD) == FD_CLOEXEC && fcntl(ends[1], F_GETFD) == FD_CLOEXEC, "close-on-exec");
    ktap.check((fcntl(ends[0], F_GETFL) & O_NONBLOCK) && (fcntl(ends[1], F_GETFL) & O_NONBLOCK), "non-blocking");
    ktap.test("pipe2's flags hold for both ends");
    close(ends[0]);
    close(ends[1]);
    fails(ktap, "pipe2 with a flag that is none: EINVAL", pipe2(ends, 0x1), EINVAL);
    for (const auto address : kBadPointers) {
        const long result = syscall(SYS_pipe, address);
        ktap.check(result == -1 && errno == EFAULT, "at %#lx: %ld, errno %d", address, result, errno);
    }
    const int probe = dup(0);
    close(probe);
    ktap.check(probe == ends[0], "descriptor %d is next, not %d", probe, ends[0]);
    ktap.test("pipe at bad addresses: EFAULT, and nothing stays open");
}

void transfer(Ktap& ktap) {
    Pipe pipe;
    gives(ktap, "write", write(pipe.writer, "abcdef", 6), 6);
    int waiting = 0;
    ktap.test("FIONREAD counts the bytes", ioctl(pipe.reader, FIONREAD, &waiting) == 0 && waiting == 6);
    fails(ktap, "an ioctl that is none: ENOTTY", ioctl(pipe.reader, 0x5490, &waiting), ENOTTY);
    gives(ktap, "a short read", read(pipe.reader, back, 4), 4);
    gives(ktap, "a read of what is left", read(pipe.reader, back + 4, 100), 2);
    ktap.test("the bytes are the same", std::memcmp(back, "abcdef", 6) == 0);
    gives(ktap, "a write of nothing", write(pipe.writer, big, 0), 0);
    gives(ktap, "a read of nothing does not wait", read(pipe.reader, back, 0), 0);
    iovec parts[3] = {{big, 3}, {nullptr, 0}, {big + 3, 5}};
    gives(ktap, "writev", writev(pipe.writer, parts, 3), 8);
    iovec into[2] = {{back, 2}, {back + 2, 20}};
    gives(ktap, "readv takes what there is", readv(pipe.reader, into, 2), 8);
    for (const auto address : kBadPointers) {
        const long result = write(pipe.writer, bad(address), 4);
        ktap.check(result == -1 && errno == EFAULT, "write from %#lx: %ld, errno %d", address, result, errno);
    }
    ktap.check(ioctl(pipe.reader, FIONREAD, &waiting) == 0 && waiting == 0, "%d bytes", waiting);
    ktap.test("writes from bad addresses: EFAULT, and nothing is in the pipe");
    ktap.check(write(pipe.writer, "xyz", 3) == 3, "write");
    for (const auto address : kBadPointers) {
        const long result = read(pipe.reader, bad(address), 3);
        ktap.check(result == -1 && errno == EFAULT, "read to %#lx: %ld, errno %d", address, result, errno);
    }
    ktap.check(read(pipe.reader, back, 3) == 3 && std::memcmp(back, "xyz", 3) == 0, "bytes are lost");
    ktap.test("reads to bad addresses: EFAULT, and no byte is lost");
    char* const edge = end_of_page(2);
    fails(ktap, "a write that begins well and ends badly: EFAULT", write(pipe.writer, edge, 4), EFAULT);
    pipe.close_writer();
    gives(ktap, "end of file when all writers are gone", read(pipe.reader, back, 1), 0);
}

void broken(Ktap& ktap) {
    std::signal(SIGPIPE, SIG_IGN);
    Pipe pipe;
    pipe.close_reader();
    fails(ktap, "writing without a reader: EPIPE", write(pipe.writer, big, 1), EPIPE);
    gives(ktap, "writing nothing without a reader", write(pipe.writer, big, 0), 0);
    signals_seen = 0;
    count_signal(SIGPIPE);
    const long result = write(pipe.writer, big, 1);
    ktap.test("and SIGPIPE", result == -1 && errno == EPIPE && signals_seen == 1);
    std::signal(SIGPIPE, SIG_DFL);
    const pid_t victim = child([&] {
        (void)!write(pipe.writer, big, 1);
        return true;
    });
    int status = 0;
    waitpid(victim, &status, 0);
    ktap.test("which ends a process by default", WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
    std::signal(SIGPIPE, SIG_IGN);
}

void non_blocking(Ktap& ktap) {
    Pipe pipe(O_NONBLOCK);
    fails(ktap, "reading an empty pipe: EAGAIN", read(pipe.reader, back, 1), EAGAIN);
    gives(ktap, "a pipe takes 65536 bytes", write(pipe.writer, big, sizeof big), 65536);
    fails(ktap, "and then no more: EAGAIN", write(pipe.writer, big, 1), EAGAIN);
    ktap.test("a full pipe is not writable", state(pipe.writer) == 0);
    ktap.test("but readable", state(pipe.reader) == POLLIN);
    ktap.check(read(pipe.reader, back, 4096) == 4096, "read");
    ktap.check(state(pipe.writer) == POLLOUT, "%#x", state(pipe.writer));
    ktap.test("room for PIPE_BUF makes it writable");
    ktap.check(read(pipe.reader, back, 100) == 100, "read");
    ktap.check(write(pipe.writer, big, 4096) == 4096, "4096 bytes");
    ktap.check(write(pipe.writer, big, 4096) == -1 && errno == EAGAIN, "another 4096 bytes");
    ktap.test("a write of PIPE_BUF bytes is all or nothing");
    fcntl(pipe.writer, F_SETFL, 0);
    ktap.test("F_SETFL makes it blocking", (fcntl(pipe.writer, F_GETFL) & O_NONBLOCK) == 0);
    fcntl(pipe.reader, F_SETFL, 0);
    const int flags = fcntl(pipe.reader, F_GETFL);
    ktap.test("the ends' flags are their own", (flags & O_NONBLOCK) == 0);
}

void polling(Ktap& ktap) {
    Pipe pipe;
    ktap.test("an empty pipe: writer ready, reader not", state(pipe.writer) == POLLOUT && state(pipe.reader) == 0);
    ktap.check(write(pipe.writer, big, 1) == 1 && state(pipe.reader) == POLLIN, "%#x", state(pipe.reader));
    ktap.test("a byte: POLLIN");
    pipe.close_writer();
    ktap.test("the writer is gone: POLLIN | POLLHUP", state(pipe.reader) == (POLLIN | POLLHUP));
    ktap.check(read(pipe.reader, back, 1) == 1, "read");
    ktap.test("and empty: POLLHUP", state(pipe.reader) == POLLHUP);
    ktap.test("POLLHUP comes unasked", state(pipe.reader, 0) == POLLHUP);
    Pipe other;
    other.close_reader();
    ktap.test("the reader is gone: POLLOUT | POLLERR", state(other.writer) == (POLLOUT | POLLERR));
    ktap.test("POLLERR comes unasked", state(other.writer, 0) == POLLERR);
}

void capacity(Ktap& ktap) {
    Pipe pipe(O_NONBLOCK);
    gives(ktap, "F_GETPIPE_SZ", fcntl(pipe.reader, F_GETPIPE_SZ), 65536);
    gives(ktap, "F_SETPIPE_SZ rounds up", fcntl(pipe.writer, F_SETPIPE_SZ, 4097), 8192);
    gives(ktap, "so much fits now", write(pipe.writer, big, sizeof big), 8192);
    fails(ktap, "less than it holds: EBUSY", fcntl(pipe.writer, F_SETPIPE_SZ, 4096), EBUSY);
    for (unsigned i = 0; i < sizeof big; ++i)
        big[i] = static_cast<char>(i * 7 + i / 256);
    ktap.check(read(pipe.reader, back, 8192) == 8192, "read");
    ktap.check(write(pipe.writer, big, 8192) == 8192 && read(pipe.reader, back, 5000) == 5000, "write, read");
    ktap.check(write(pipe.writer, big + 8192, 4096) == 4096, "write");
    ktap.check(fcntl(pipe.writer, F_SETPIPE_SZ, 1 << 17) == 1 << 17, "set");
    ktap.check(read(pipe.reader, back + 5000, sizeof back - 5000) == 8192 - 5000 + 4096, "read");
    ktap.check(std::memcmp(big, back, 8192 + 4096) == 0, "bytes");
    ktap.test("bytes survive a change of size");
    gives(ktap, "the least is a page", fcntl(pipe.writer, F_SETPIPE_SZ, 1), 4096);
    fails(ktap, "F_GETPIPE_SZ of another file: EBADF", fcntl(0, F_GETPIPE_SZ), EBADF);
}

void blocking(Ktap& ktap) {
    {
        Pipe pipe;
        const pid_t writer = child([&] {
            pause_ms(20);
            return write(pipe.writer, "!", 1) == 1;
        });
        ktap.check(read(pipe.reader, back, 10) == 1 && back[0] == '!', "read");
        ktap.check(ended_well(writer), "writer");
        ktap.test("a reader waits for a byte");
    }
    {
        Pipe pipe;
        const pid_t writer = child([&] {
            pipe.close_reader();
            pause_ms(20);
            pipe.close_writer();
            return true;
        });
        pipe.close_writer();
        ktap.check(read(pipe.reader, back, 10) == 0, "read");
        ktap.check(ended_well(writer), "writer");
        ktap.test("a waiting reader sees the last writer go");
    }
    {
        Pipe pipe;
        for (unsigned i = 0; i < sizeof big; ++i)
            big[i] = static_cast<char>(i ^ i >> 8);
        const pid_t writer = child([&] { return write(pipe.writer, big, sizeof big) == sizeof big; });
        pipe.close_writer();
        std::size_t have = 0;
        while (have < sizeof back) {
            const ssize_t part = read(pipe.reader, back + have, 3001);
            if (part <= 0)
                break;
            have += static_cast<std::size_t>(part);
        }
        ktap.check(have == sizeof big && std::memcmp(big, back, sizeof big) == 0, "%zu bytes", have);
        ktap.check(ended_well(writer), "writer");
        ktap.test("a large write waits for room until all is through");
    }
    {
        Pipe pipe;
        fcntl(pipe.writer, F_SETPIPE_SZ, 4096);
        const pid_t reader = child([&] {
            pipe.close_writer();
            pause_ms(20);
            return true; // goes without reading
        });
        pipe.close_reader();
        std::signal(SIGPIPE, SIG_IGN);
        const long result = write(pipe.writer, big, 8192);
        const int error = errno;
        // What fitted before the reader went counts; the next write says EPIPE.
        ktap.check(result == 4096 || (result == -1 && error == EPIPE), "write: %ld, errno %d", result, error);
        ktap.check(write(pipe.writer, big, 1) == -1 && errno == EPIPE, "second write");
        ktap.check(ended_well(reader), "reader");
        ktap.test("a waiting writer sees the last reader go");
    }
    {
        // Messages of PIPE_BUF bytes from several writers do not mix, whoever reads them.
        Pipe pipe;
        constexpr int kWriters = 3, kMessages = 40, kSize = 4096;
        pid_t writers[kWriters];
        for (int w = 0; w < kWriters; ++w)
            writers[w] = child([&] {
                static char message[kSize];
                std::memset(message, 'a' + w, sizeof message);
                for (int i = 0; i < kMessages; ++i)
                    if (write(pipe.writer, message, kSize) != kSize)
                        return false;
                return true;
            });
        pipe.close_writer();
        int count[kWriters] = {};
        bool whole = true;
        for (;;) {
            std::size_t have = 0;
            while (have < kSize) {
                const ssize_t part = read(pipe.reader, back + have, kSize - have);
                if (part <= 0)
                    break;
                have += static_cast<std::size_t>(part);
            }
            if (have == 0)
                break;
            for (std::size_t i = 1; i < have; ++i)
                whole = whole && back[i] == back[0];
            if (have == kSize && back[0] >= 'a' && back[0] < 'a' + kWriters)
                ++count[back[0] - 'a'];
        }
        ktap.check(whole, "messages are mixed");
        for (int w = 0; w < kWriters; ++w) {
            ktap.check(count[w] == kMessages, "writer %d: %d", w, count[w]);
            ktap.check(ended_well(writers[w]), "writer %d", w);
        }
        ktap.test("messages of PIPE_BUF bytes from several writers stay whole");
    }
    {
        // Several readers: each byte comes once.
        Pipe pipe, results;
        constexpr int kReaders = 3, kBytes = 3000;
        pid_t readers[kReaders];
        for (pid_t& reader : readers)
            reader = child([&] {
                pipe.close_writer();
                int mine = 0;
                char byte;
                while (read(pipe.reader, &byte, 1) == 1)
                    ++mine;
                return write(results.writer, &mine, sizeof mine) == sizeof mine;
            });
        for (int i = 0; i < kBytes; ++i)
            ktap.check(write(pipe.writer, big, 1) == 1, "write %d", i);
        pipe.close_writer();
        int sum = 0;
        for (const pid_t reader : readers) {
            int part = 0;
            ktap.check(read(results.reader, &part, sizeof part) == sizeof part, "result");
            ktap.check(ended_well(reader), "reader");
            sum += part;
        }
        ktap.check(sum == kBytes, "%d bytes", sum);
        ktap.test("each byte goes to one of several readers");
    }
}

void interrupted(Ktap& ktap) {
    Pipe pipe;
    signals_seen = 0;
    count_signal(SIGUSR1);
    const pid_t parent = getpid();
    pid_t sender = child([&] {
        pause_ms(30);
        return kill(parent, SIGUSR1) == 0;
    });
    const long result = read(pipe.reader, back, 1);
    const int error = errno;
    ktap.check(result == -1 && error == EINTR && signals_seen == 1, "%ld, errno %d, %d signals", result, error,
               static_cast<int>(signals_seen));
    ktap.check(ended_well(sender), "sender");
    ktap.test("a signal ends a read: EINTR");
    signals_seen = 0;
    count_signal(SIGUSR1, SA_RESTART);
    sender = child([&] {
        pause_ms(30);
        kill(parent, SIGUSR1);
        pause_ms(30);
        return write(pipe.writer, "r", 1) == 1;
    });
    const long again = read(pipe.reader, back, 1);
    ktap.check(again == 1 && signals_seen == 1, "%ld, errno %d", again, errno);
    ktap.check(ended_well(sender), "sender");
    ktap.test("with SA_RESTART it is made again");
    const pid_t victim = child([&] {
        char byte;
        return read(pipe.reader, &byte, 1) == 1;
    });
    pause_ms(20);
    kill(victim, SIGKILL);
    int status = 0;
    waitpid(victim, &status, 0);
    ktap.test("SIGKILL ends a waiting reader", WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

void fifos(Ktap& ktap) {
    char path[64];
    std::snprintf(path, sizeof path, "/tmp/conform-fifo-%d", getpid());
    unlink(path);
    gives(ktap, "mkfifo", mkfifo(path, 0600), 0);
    struct stat status {};
    ktap.test("stat says FIFO", stat(path, &status) == 0 && S_ISFIFO(status.st_mode));
    fails(ktap, "a second one: EEXIST", mkfifo(path, 0600), EEXIST);
    fails(ktap, "O_WRONLY | O_NONBLOCK without a reader: ENXIO", open(path, O_WRONLY | O_NONBLOCK), ENXIO);
    const int reader = open(path, O_RDONLY | O_NONBLOCK);
    ktap.test("O_RDONLY | O_NONBLOCK does not wait", reader >= 0);
    ktap.test("no writer yet: not POLLHUP", state(reader) == 0);
    gives(ktap, "and reads as at its end", read(reader, back, 1), 0);
    const int writer = open(path, O_WRONLY | O_NONBLOCK);
    ktap.test("with a reader the writer opens", writer >= 0);
    fails(ktap, "with a writer and no byte: EAGAIN", read(reader, back, 1), EAGAIN);
    gives(ktap, "bytes go through", write(writer, "fifo", 4), 4);
    gives(ktap, "and arrive", read(reader, back, 10), 4);
    close(writer);
    ktap.test("the writer has gone: POLLHUP", state(reader) == POLLHUP);
    close(reader);
    const int both = open(path, O_RDWR);
    ktap.test("O_RDWR does not wait", both >= 0);
    ktap.check(write(both, "x", 1) == 1 && state(both) == (POLLIN | POLLOUT), "%#x", state(both));
    ktap.test("O_RDWR reads and writes");
    close(both);
    const int again = open(path, O_RDONLY | O_NONBLOCK);
    gives(ktap, "bytes are gone when all ends are closed", read(again, back, 1), 0);
    close(again);
    const pid_t opener = child([&] {
        const int end = open(path, O_WRONLY);
        return end >= 0 && write(end, "w", 1) == 1;
    });
    const int waiting = open(path, O_RDONLY);
    ktap.check(waiting >= 0 && read(waiting, back, 1) == 1, "read");
    ktap.check(ended_well(opener), "writer");
    ktap.test("opening waits for the other side");
    close(waiting);
    unlink(path);
}

void sharing(Ktap& ktap) {
    Pipe pipe;
    const int copy = dup(pipe.writer);
    pipe.close_writer();
    fcntl(pipe.reader, F_SETFL, O_NONBLOCK);
    ktap.check(read(pipe.reader, back, 1) == -1 && errno == EAGAIN, "errno %d", errno);
    ktap.test("a duplicate keeps the writing end open");
    const pid_t holder = child([&] {
        pause_ms(30);
        return write(copy, "c", 1) == 1;
    });
    close(copy);
    fcntl(pipe.reader, F_SETFL, 0);
    ktap.check(read(pipe.reader, back, 1) == 1, "a byte of the child");
    ktap.check(read(pipe.reader, back, 1) == 0, "the end, when the child is gone");
    ktap.check(ended_well(holder), "child");
    ktap.test("a forked child keeps it open, too");
}

} // namespace

int main() {
    alarm(60);
    Ktap ktap(83);
    making(ktap);
    transfer(ktap);
    broken(ktap);
    non_blocking(ktap);
    polling(ktap);
    capacity(ktap);
    blocking(ktap);
    interrupted(ktap);
    fifos(ktap);
    sharing(ktap);
    return ktap.finish();
}
