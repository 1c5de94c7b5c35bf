// Pipes against a model: whatever is written, in pieces of any size and over
// changes of capacity, is read in order; and what the watches of a queue hear.
#ifdef TOLLGATE_KERNEL
#include "fs/epoll.h"
#include "fs/eventfd.h"
#include "fs/pipe.h"
#include "tests/harness/test.h"

namespace tollgate {
namespace {

using fs::Pipe;

u64 next_random(u64& state) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 33;
}

constexpr u64 kMost = 20000;

TEST(Pipe, BytesStayInOrder) {
    auto made = Pipe::create();
    ASSERT_TRUE(made.has_value());
    Pipe& pipe = **made;
    pipe.add_end(true, true);
    u8* const bytes = new (std::nothrow_t{}) u8[kMost];
    ASSERT_TRUE(bytes != nullptr);
    u64 state = 1, written = 0, read = 0;
    bool good = true;
    for (unsigned step = 0; step < 2000; ++step) {
        const u64 size = next_random(state) % kMost;
        const u64 choice = next_random(state) % 16;
        if (choice == 0) {
            const u64 capacity = u64{4096} << next_random(state) % 6;
            const auto changed = pipe.set_capacity(capacity);
            good = good && (changed ? *changed == capacity : changed.error() == Errno::Busy);
        } else if (choice < 8) {
            for (u64 i = 0; i < size; ++i)
                bytes[i] = static_cast<u8>((written + i) * 31 >> 3);
            IoBuffer buffer = IoBuffer::of_kernel(bytes, size);
            if (const auto done = pipe.write(buffer, kOpenNonBlock))
                written += *done;
            else
                good = good && done.error() == Errno::Again;
        } else {
            IoBuffer buffer = IoBuffer::of_kernel(bytes, size);
            if (const auto done = pipe.read(buffer, kOpenNonBlock)) {
                for (u64 i = 0; i < *done; ++i)
                    good = good && bytes[i] == static_cast<u8>((read + i) * 31 >> 3);
                read += *done;
            } else {
                good = good && done.error() == Errno::Again && read == written;
            }
        }
        good = good && pipe.bytes() == written - read && pipe.bytes() <= pipe.capacity();
    }
    EXPECT_TRUE(good);
    EXPECT_GT(read, u64{1} << 20);
    pipe.remove_end(true, true);
    EXPECT_EQ(pipe.bytes(), 0u); // nobody has it open
    delete[] bytes;
}

struct Listener : Watch {
    Listener() {
        notify = [](Watch& watch, u64 key) { static_cast<Listener&>(watch).hear(key); };
    }
    void hear(u64 key) {
        ++count;
        last = key;
    }
    unsigned count = 0;
    u64 last = ~u64{0};
};

TEST(WaitQueue, WatchesHearOfWakesWithTheirKeys) {
    WaitQueue queue;
    EXPECT_FALSE(queue.anybody());
    Listener listener;
    queue.watch(listener);
    EXPECT_TRUE(queue.anybody());
    queue.wake_all(kPollIn);
    EXPECT_EQ(listener.count, 1u);
    EXPECT_EQ(listener.last, u64{kPollIn});
    queue.wake_everything();
    EXPECT_EQ(listener.count, 2u);
    EXPECT_EQ(listener.last, 0u);
    queue.unwatch(listener);
    EXPECT_FALSE(queue.anybody());
    queue.wake_all(kPollIn);
    EXPECT_EQ(listener.count, 2u);
}

TEST(Epoll, AnItemGoesWithItsOpenFile) {
    auto instance = fs::Epoll::create();
    ASSERT_TRUE(instance.has_value());
    {
        auto event = make_ref<fs::EventFile>(u64{1}, fs::EventKind::Counter);
        ASSERT_TRUE(event.has_value());
        auto open = make_ref<OpenFile>(Ref<File>(*event), kOpenReadWrite);
        ASSERT_TRUE(open.has_value());
        EXPECT_TRUE((*instance)->add(**open, 3, {kPollIn, 77}).has_value());
        EXPECT_FALSE((*instance)->add(**open, 3, {kPollIn, 77}).has_value());
        fs::EpollEvent found{};
        const auto count = (*instance)->wait(IoBuffer::of_kernel(&found, sizeof found), 1, 0);
        ASSERT_TRUE(count.has_value());
        EXPECT_EQ(*count, 1u);
        EXPECT_EQ(u64{found.data}, 77u);
        EXPECT_EQ((*instance)->ready(), kPollIn);
    } // the open file goes
    EXPECT_EQ((*instance)->ready(), 0u);
    fs::EpollEvent found{};
    const auto count = (*instance)->wait(IoBuffer::of_kernel(&found, sizeof found), 1, 0);
    ASSERT_TRUE(count.has_value());
    EXPECT_EQ(*count, 0u);
}

} // namespace
} // namespace tollgate
#endif
