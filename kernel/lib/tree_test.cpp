#include "lib/tree.h"

#include "tests/harness/test.h"

namespace tollgate {
namespace {

struct Item {
    u64 key = 0, weight = 0;
    u64 heaviest = 0; // of everything below
    TreeLink<Item> tree{};
    bool summarise(const Item* left, const Item* right) {
        const u64 before = heaviest;
        heaviest = weight;
        if (left && left->heaviest > heaviest)
            heaviest = left->heaviest;
        if (right && right->heaviest > heaviest)
            heaviest = right->heaviest;
        return heaviest != before;
    }
};
using Items = Tree<Item, &Item::tree>;

constexpr unsigned kMany = 100;

void insert(Items& items, Item& item) {
    items.insert_before(items.find_first([&](const Item& other) { return other.key < item.key; }), item);
}

/// The tree's height, or 0 if its order, its balance or a summary is wrong.
unsigned height_if_right(const Item* at, u64 low, u64 high) {
    const Item *left = Items::left(*at), *right = Items::right(*at);
    if (at->key < low || at->key > high)
        return 0;
    const unsigned left_height = left ? height_if_right(left, low, at->key) : 1;
    const unsigned right_height = right ? height_if_right(right, at->key, high) : 1;
    if (left_height == 0 || right_height == 0 || left_height > right_height + 1 || right_height > left_height + 1)
        return 0;
    u64 heaviest = at->weight;
    if (left && left->heaviest > heaviest)
        heaviest = left->heaviest;
    if (right && right->heaviest > heaviest)
        heaviest = right->heaviest;
    if (heaviest != at->heaviest)
        return 0;
    return 1 + (left_height > right_height ? left_height : right_height);
}
bool is_right(const Items& items) { return items.empty() || height_if_right(items.root(), 0, ~u64{0}) != 0; }

TEST(Tree, Empty) {
    Items items;
    EXPECT_TRUE(items.empty() && items.first() == nullptr && items.last() == nullptr);
    EXPECT_TRUE(items.find_first([](const Item&) { return false; }) == nullptr);
}

/// Fills the tree in the order that `key_of` gives and empties it in another.
template <class Order>
void fill_and_empty(Order key_of) {
    Item pool[kMany];
    Items items;
    for (unsigned i = 0; i < kMany; ++i) {
        pool[i].key = key_of(i);
        pool[i].weight = key_of(i) * 7919 % 1000;
        insert(items, pool[i]);
    }
    EXPECT_EQ(items.size(), kMany);
    ASSERT_TRUE(is_right(items));
    EXPECT_LE(height_if_right(items.root(), 0, ~u64{0}), 11u); // 1.44 log2 100, and one
    u64 expected = 0;
    for (Item* item = items.first(); item; item = items.next(*item))
        EXPECT_EQ(item->key, expected++);
    EXPECT_EQ(expected, u64{kMany});
    for (Item* item = items.last(); item; item = items.previous(*item))
        EXPECT_EQ(item->key, --expected);
    unsigned wrong = 0;
    for (unsigned i = 0; i < kMany; ++i) {
        items.remove(pool[i * 7 % kMany]); // 7 does not divide 100
        wrong += !is_right(items);
    }
    EXPECT_EQ(wrong, 0u);
    EXPECT_TRUE(items.empty());
}

TEST(Tree, Rising) {
    fill_and_empty([](unsigned i) { return u64{i}; });
}
TEST(Tree, Falling) {
    fill_and_empty([](unsigned i) { return u64{kMany - 1 - i}; });
}
TEST(Tree, Mixed) {
    fill_and_empty([](unsigned i) { return u64{i * 77 % kMany}; });
}

TEST(Tree, Search) {
    Item pool[10];
    Items items;
    for (unsigned i = 0; i < 10; ++i) {
        pool[i].key = 10 * i;
        insert(items, pool[i]);
    }
    for (u64 key = 0; key <= 90; ++key) {
        const Item* found = items.find_first([&](const Item& item) { return item.key < key; });
        ASSERT_TRUE(found != nullptr);
        EXPECT_EQ(found->key, (key + 9) / 10 * 10);
    }
    EXPECT_TRUE(items.find_first([](const Item& item) { return item.key < 91; }) == nullptr);
    while (Item* item = items.first())
        items.remove(*item);
}

TEST(Tree, SummariesFollowChanges) {
    Item pool[50];
    Items items;
    for (unsigned i = 0; i < 50; ++i) {
        pool[i].key = i;
        pool[i].weight = 1;
        insert(items, pool[i]);
    }
    pool[33].weight = 9;
    items.changed(pool[33]);
    EXPECT_EQ(items.root()->heaviest, 9u);
    EXPECT_TRUE(is_right(items));
    items.remove(pool[33]);
    EXPECT_EQ(items.root()->heaviest, 1u);
    while (Item* item = items.first())
        items.remove(*item);
}

} // namespace
} // namespace tollgate
