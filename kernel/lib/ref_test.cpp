// Tests of the two owners, Owned and Ref, and of NoDestroy.
#include "lib/ref.h"

#include "lib/no_destroy.h"
#include "lib/unique_ptr.h"
#include "tests/harness/test.h"

namespace tollgate {
namespace {

int alive = 0;

struct Base : RefCounted {
    Base() { ++alive; }
    virtual ~Base() { --alive; }
};
struct Derived : Base {
    explicit Derived(int value) : number(value) {}
    int number;
};

TEST(Ref, LastOneDeletes) {
    {
        Result<Ref<Derived>> made = make_ref<Derived>(5);
        ASSERT_TRUE(made.has_value());
        Ref<Derived> first = std::move(*made);
        EXPECT_EQ(first->number, 5);
        EXPECT_EQ(first->ref_count(), 1u);
        Ref<Base> base = first;
        EXPECT_EQ(first->ref_count(), 2u);
        Ref<Base> moved = std::move(base);
        EXPECT_FALSE(static_cast<bool>(base));
        EXPECT_EQ(first->ref_count(), 2u);
        Ref<Derived>& same = first;
        first = same;
        EXPECT_EQ(first->ref_count(), 2u);
        first.reset();
        EXPECT_EQ(alive, 1);
        moved = nullptr;
        EXPECT_EQ(alive, 0);
    }
    EXPECT_EQ(alive, 0);
}

TEST(Ref, LeakAndAdopt) {
    Ref<Base> reference = *make_ref<Base>();
    Base* const raw = reference.leak();
    EXPECT_FALSE(static_cast<bool>(reference));
    EXPECT_EQ(alive, 1);
    Ref<Base> again = Ref<Base>::adopt(raw);
    Ref<Base> shared(*raw);
    EXPECT_TRUE(again == shared);
    EXPECT_EQ(raw->ref_count(), 2u);
    EXPECT_TRUE(static_cast<bool>(Ref<Base>::try_from(*raw)));
}

TEST(Ref, AnObjectOnItsWayOutCannotBeRetained) {
    Base dying;
    EXPECT_TRUE(dying.release());
    EXPECT_FALSE(dying.try_retain());
    EXPECT_FALSE(static_cast<bool>(Ref<Base>::try_from(dying)));
}

TEST(Owned, OneOwner) {
    {
        Owned<Derived> one = std::move(*make_owned<Derived>(7));
        EXPECT_EQ(one->number, 7);
        Owned<Derived> two = std::move(one);
        EXPECT_FALSE(static_cast<bool>(one));
        Owned<Base> base = std::move(two);
        EXPECT_EQ(alive, 1);
        base.reset(new Derived(8));
        EXPECT_EQ(alive, 1);
        Base* const raw = base.release();
        EXPECT_EQ(alive, 1);
        base = Owned<Base>(raw);
    }
    EXPECT_EQ(alive, 0);
}

TEST(NoDestroy, ConstructsByHand) {
    static constinit NoDestroy<Derived> object;
    static_assert(std::is_trivially_destructible_v<NoDestroy<Derived>>);
    EXPECT_FALSE(object.constructed());
    object.construct(4);
    EXPECT_TRUE(object.constructed());
    EXPECT_EQ(object->number, 4);
    --alive; // it is never destroyed, so take it out of the count by hand
}

} // namespace
} // namespace tollgate
