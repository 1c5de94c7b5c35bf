// Tests of the pairing heap.
#include "lib/pairing_heap.h"

#include "tests/harness/test.h"

namespace tollgate {
namespace {

struct Item {
    u32 value = 0;
    HeapLink<Item> link;
};
constexpr bool before(const Item& a, const Item& b) { return a.value < b.value; }
using Items = PairingHeap<Item, &Item::link, before>;

TEST(PairingHeap, GivesTheLeastFirst) {
    Items heap;
    EXPECT_TRUE(heap.first() == nullptr);
    Item items[5];
    const u32 values[5] = {3, 1, 4, 1, 5};
    for (int i = 0; i < 5; ++i) {
        items[i].value = values[i];
        heap.insert(items[i]);
    }
    const u32 sorted[5] = {1, 1, 3, 4, 5};
    for (const u32 value : sorted) {
        Item* least = heap.first();
        ASSERT_TRUE(least != nullptr);
        EXPECT_EQ(least->value, value);
        heap.remove(*least);
        EXPECT_FALSE(least->link.linked());
    }
    EXPECT_TRUE(heap.first() == nullptr);
}

// Against the plainest model: an array and a search for its least.
TEST(PairingHeap, AgreesWithASearch) {
    constexpr u32 kItems = 200;
    static Item items[kItems];
    Items heap;
    u32 seed = 1;
    const auto random = [&seed] { return (seed = seed * 1664525 + 1013904223) >> 8; };
    for (int step = 0; step < 20'000; ++step) {
        Item& item = items[random() % kItems];
        if (item.link.linked()) {
            EXPECT_TRUE(heap.contains(item));
            heap.remove(item);
        } else {
            item.value = random() % 1000;
            heap.insert(item);
        }
        u32 least = ~0u;
        for (const Item& other : items)
            if (other.link.linked() && other.value < least)
                least = other.value;
        ASSERT_EQ(heap.first() ? heap.first()->value : ~0u, least);
    }
    while (Item* item = heap.first())
        heap.remove(*item);
}

} // namespace
} // namespace tollgate
