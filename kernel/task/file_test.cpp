#ifdef TOLLGATE_KERNEL
#include "task/file.h"

#include "tests/harness/test.h"

namespace tollgate {
namespace {

struct Counters {
    unsigned descriptors = 0, descriptions = 0, files = 0;
};

class CountedFile final : public File {
public:
    explicit CountedFile(Counters& counters) : counters_(counters) {}
    ~CountedFile() override { ++counters_.files; }
    Result<FileStatus> status() const override { return FileStatus{}; }
    void descriptor_closed(const void*) override { ++counters_.descriptors; }
    void description_closed(const void*) override { ++counters_.descriptions; }

private:
    Counters& counters_;
};

Ref<OpenFile> open_counted(Counters& counters) {
    return *make_ref<OpenFile>(Ref<File>(*make_ref<CountedFile>(counters)), 0u);
}

TEST(FileTable, LowestFreeDescriptorFirst) {
    Counters counters;
    const Ref<FileTable> table = *make_ref<FileTable>();
    EXPECT_TRUE(table->get(0).error() == Errno::BadF);
    EXPECT_TRUE(table->borrow(0).error() == Errno::BadF);
    const Ref<OpenFile> open = open_counted(counters);
    for (int n = 0; n < 130; ++n)
        EXPECT_EQ(*table->add(open, false), n);
    EXPECT_TRUE(table->close(64).has_value() && table->close(3).has_value());
    EXPECT_EQ(*table->add(open, false, 10), 64);
    EXPECT_EQ(*table->add(open, false), 3);
    EXPECT_EQ(*table->add(open, false), 130);
    for (const int bad : {-1, 131, 1000, 0x7fffffff, -0x7fffffff}) {
        EXPECT_TRUE(table->close(bad).error() == Errno::BadF);
        EXPECT_TRUE(table->get(bad).error() == Errno::BadF);
        EXPECT_TRUE(table->borrow(bad).error() == Errno::BadF);
    }
    EXPECT_EQ(open->ref_count(), 132u);
}

TEST(FileTable, TheLimitHolds) {
    Counters counters;
    const Ref<FileTable> table = *make_ref<FileTable>();
    const Ref<OpenFile> open = open_counted(counters);
    table->set_limit(70);
    for (int n = 0; n < 70; ++n)
        EXPECT_EQ(*table->add(open, false), n);
    EXPECT_TRUE(table->add(open, false).error() == Errno::MFile);
    EXPECT_TRUE(table->add(open, false, 70).error() == Errno::Inval);
    EXPECT_TRUE(table->duplicate_to(0, 70, false).error() == Errno::BadF);
    EXPECT_EQ(*table->duplicate_to(0, 69, false), 69);
}

TEST(FileTable, EverythingIsClosedOnce) {
    Counters counters;
    {
        Ref<FileTable> table = *make_ref<FileTable>();
        EXPECT_EQ(*table->add(open_counted(counters), true), 0);
        EXPECT_EQ(*table->add(open_counted(counters), false), 1);
        EXPECT_EQ(*table->duplicate_to(1, 500, true), 500);
        const Ref<FileTable> copy = *table->clone();
        EXPECT_TRUE(*copy->closes_on_exec(0) && !*copy->closes_on_exec(1) && *copy->closes_on_exec(500));
        EXPECT_EQ(copy->next_open(2), 500);
        EXPECT_EQ(copy->next_open(501), -1);
        copy->close_on_exec();
        EXPECT_EQ(copy->next_open(0), 1);
        EXPECT_EQ(counters.descriptors, 2u);
        EXPECT_EQ(counters.descriptions, 0u);
        table->close_range(0, 1, false);
        EXPECT_EQ(counters.descriptions, 1u);
        table.reset();
        EXPECT_EQ(counters.descriptions, 1u); // the copy still has its 1
    }
    EXPECT_EQ(counters.descriptors, 6u);
    EXPECT_EQ(counters.descriptions, 2u);
    EXPECT_EQ(counters.files, 2u);
}

TEST(FileTable, BorrowingCountsFromTheSecondUserOn) {
    Counters counters;
    const Ref<FileTable> table = *make_ref<FileTable>();
    EXPECT_EQ(*table->add(open_counted(counters), false), 0);
    table->add_user();
    {
        const BorrowedFile borrowed = std::move(*table->borrow(0));
        EXPECT_EQ(borrowed->ref_count(), 1u);
    }
    table->add_user();
    {
        const BorrowedFile borrowed = std::move(*table->borrow(0));
        EXPECT_EQ(borrowed->ref_count(), 2u);
        EXPECT_TRUE(table->close(0).has_value());
        EXPECT_EQ(counters.descriptions, 0u);
    }
    EXPECT_EQ(counters.descriptions, 1u);
}

} // namespace
} // namespace tollgate
#endif
