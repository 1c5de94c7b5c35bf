// Tests of the intrusive list.
#include "lib/list.h"

#include "tests/harness/test.h"

#include <type_traits>

namespace tollgate {
namespace {

struct Item {
    explicit Item(int value) : number(value) {}
    int number;
    ListLink<Item> link;
    ListLink<Item> other_link;
};
using Items = List<Item, &Item::link>;
static_assert(std::is_trivially_destructible_v<Items>, "a global list must not need a destructor");

/// The numbers on the list as one decimal number, front first; -1 if the way back disagrees.
int digits(const Items& list) {
    int forward = 0;
    for (const Item& item : list)
        forward = forward * 10 + item.number;
    int backward = 0;
    int place = 1;
    for (const Item* item = list.back(); item; item = list.previous(*item), place *= 10)
        backward += item->number * place;
    return forward == backward ? forward : -1;
}

TEST(List, PushPopRemove) {
    Items list;
    Item one(1), two(2), three(3), four(4);
    EXPECT_TRUE(list.empty());
    EXPECT_EQ(list.pop_front(), nullptr);
    EXPECT_EQ(list.pop_back(), nullptr);
    list.push_back(two);
    list.push_back(three);
    list.push_front(one);
    EXPECT_EQ(digits(list), 123);
    list.insert_before(three, four);
    EXPECT_EQ(digits(list), 1243);
    EXPECT_EQ(list.size(), 4u);
    list.remove(two);
    EXPECT_EQ(digits(list), 143);
    EXPECT_FALSE(two.link.linked());
    EXPECT_TRUE(list.contains(one) && !list.contains(two));
    EXPECT_EQ(list.pop_back(), &three);
    EXPECT_EQ(list.pop_front(), &one);
    EXPECT_EQ(list.front(), &four);
    EXPECT_EQ(list.back(), &four);
    list.insert_before(four, one);
    EXPECT_EQ(digits(list), 14);
    list.remove(one);
    list.remove(four);
    EXPECT_TRUE(list.empty());
    EXPECT_EQ(list.size(), 0u);
}

TEST(List, IterationSurvivesRemovalOfTheCurrent) {
    Items list;
    Item one(1), two(2), three(3);
    list.push_back(one);
    list.push_back(two);
    list.push_back(three);
    for (Item& item : list)
        if (item.number != 2)
            list.remove(item);
    EXPECT_EQ(digits(list), 2);
    list.remove(two);
}

TEST(List, AnElementOnTwoKindsOfList) {
    Items list;
    List<Item, &Item::other_link> other;
    Item one(1);
    list.push_back(one);
    other.push_back(one);
    list.remove(one);
    EXPECT_TRUE(other.contains(one));
    other.remove(one);
}

#ifndef TOLLGATE_KERNEL
TEST(ListDeathTest, MisuseIsAnAssertion) {
    Items list;
    Items second;
    Item one(1);
    list.push_back(one);
    EXPECT_DEATH(second.push_back(one), "list_ == nullptr");
    EXPECT_DEATH(second.remove(one), "list_ == this");
    EXPECT_DEATH(
        {
            Item dying(2);
            list.push_back(dying);
        },
        "list_ == nullptr");
    list.remove(one);
    EXPECT_DEATH(list.remove(one), "list_ == this");
}
#endif

} // namespace
} // namespace tollgate
