#ifdef TOLLGATE_KERNEL
#include "fs/directory.h"

#include "fs/tmpfs.h"
#include "fs/vfs.h"
#include "tests/harness/test.h"

namespace tollgate::fs {
namespace {

Ref<Node> file() { return *make_regular_file(0644); }

StringView numbered(u64 n, FixedString<32>& text) {
    text.clear();
    format_to(text, "name-{}", n);
    return text.view();
}

bool remove(Directory& directory, StringView name) {
    Entry* entry = nullptr;
    {
        Guard guard{tree_lock};
        entry = TreeAccess::find(directory, name, NameHash::of(name));
        if (entry)
            TreeAccess::remove(*entry);
    }
    if (entry)
        TreeAccess::destroy(entry);
    return entry != nullptr;
}

TEST(Directory, NamesAreFoundAndUnique) {
    const Ref<Directory> directory = *make_ref<Directory>();
    const Ref<Node> node = file();
    EXPECT_TRUE(directory->add("a", node).has_value());
    EXPECT_TRUE(directory->add("a", file()).error() == Errno::Exist);
    EXPECT_TRUE(directory->find("a").get() == node.get());
    EXPECT_FALSE(directory->find("b"));
    EXPECT_FALSE(directory->find(""));
    EXPECT_EQ(node->links(), 1u);
    EXPECT_TRUE(directory->add("b", node).has_value());
    EXPECT_EQ(node->links(), 2u);
    EXPECT_TRUE(remove(*directory, "a"));
    EXPECT_FALSE(remove(*directory, "a"));
    EXPECT_EQ(node->links(), 1u);
    EXPECT_EQ(node->ref_count(), 2u); // ours, and the name's
}

TEST(Directory, ManyNamesGrowTheTable) {
    const Ref<Directory> directory = *make_ref<Directory>();
    FixedString<32> text;
    for (u64 n = 0; n < 300; ++n)
        EXPECT_TRUE(directory->add(numbered(n, text), file()).has_value());
    for (u64 n = 0; n < 300; ++n)
        EXPECT_TRUE(static_cast<bool>(directory->find(numbered(n, text))));
    for (u64 n = 0; n < 300; n += 2)
        EXPECT_TRUE(remove(*directory, numbered(n, text)));
    for (u64 n = 0; n < 300; ++n)
        EXPECT_EQ(static_cast<bool>(directory->find(numbered(n, text))), n % 2 == 1);
    EXPECT_EQ(directory->size(), (150u + 2) * 20);
}

TEST(Directory, ChildrenCountTheirParent) {
    const Ref<Directory> above = *make_ref<Directory>();
    Ref<Directory> below = *above->find_or_make("below", Growth::Free);
    EXPECT_TRUE(below->parent().get() == above.get());
    EXPECT_EQ(above->links(), 1u); // the child's ".."
    EXPECT_EQ(below->links(), 2u);
    EXPECT_TRUE(remove(*above, "below"));
    EXPECT_TRUE(below->parent().get() == above.get());
    EXPECT_TRUE(below->add("x", file()).error() == Errno::NoEnt);
    EXPECT_EQ(above->ref_count(), 2u);
    below.reset();
    EXPECT_EQ(above->ref_count(), 1u);
}

// As deep as somebody likes: a recursive destructor would run out of kernel stack.
TEST(Directory, ALongChainOfRemovedDirectoriesGoesInALoop) {
    Ref<Directory> at = *make_ref<Directory>();
    Ref<Directory> next = *at->find_or_make("d", Growth::Free);
    for (unsigned depth = 0; depth < 3000; ++depth) {
        Ref<Directory> deeper = *next->find_or_make("d", Growth::Free);
        EXPECT_TRUE(remove(*at, "d"));
        at = std::move(next);
        next = std::move(deeper);
    }
    EXPECT_TRUE(remove(*at, "d"));
    at.reset();
    EXPECT_EQ(next->ref_count(), 1u);
    next.reset();
}

TEST(Walk, PathsLeadWhereTheySay) {
    Directory& root = base_root();
    const Ref<Directory> top = *root.find_or_make("walk-test", Growth::Free);
    const Ref<Directory> inner = *top->find_or_make("inner", Growth::Free);
    const Ref<Node> node = file();
    EXPECT_TRUE(inner->add("file", node).has_value());
    const auto link = [&](StringView name, StringView target) {
        EXPECT_TRUE(top->add(name, *make_ref<Link>(*LinkText::make(target))).has_value());
    };
    link("to-file", "inner/file");
    link("to-inner", "/walk-test/./inner//");
    link("loop", "loop");
    link("up", "inner/../to-inner");
    const auto at = [](StringView path) { return lookup(nullptr, nullptr, path); };
    for (const StringView path : {"/walk-test/inner/file", "walk-test//inner/./file", "/walk-test/to-file",
                                  "/walk-test/to-inner/file", "/walk-test/up/../inner/file", "/../walk-test/up/file"}) {
        const auto found = at(path);
        EXPECT_TRUE(found && found->get() == node.get());
    }
    EXPECT_TRUE(at("").error() == Errno::NoEnt);
    EXPECT_TRUE(at("/walk-test/none").error() == Errno::NoEnt);
    EXPECT_TRUE(at("/walk-test/to-file/").error() == Errno::NotDir);
    EXPECT_TRUE(at("/walk-test/to-file/x").error() == Errno::NotDir);
    EXPECT_TRUE(at("/walk-test/loop").error() == Errno::Loop);
    EXPECT_TRUE((*at("///"))->inode() == root.inode());
    char text[64];
    const auto path = path_of(nullptr, *node, text);
    EXPECT_TRUE(path && *path == "/walk-test/inner/file");
    EXPECT_TRUE(path_of(nullptr, *node, std::span(text).first(10)).error() == Errno::NameTooLong);
    EXPECT_TRUE(remove_directory(nullptr, nullptr, "/walk-test").error() == Errno::NotEmpty);
    for (const StringView gone : {"to-file", "to-inner", "loop", "up"})
        EXPECT_TRUE(remove(*top, gone));
    EXPECT_TRUE(unlink(nullptr, nullptr, "/walk-test/inner/file").has_value());
    EXPECT_TRUE(remove_directory(nullptr, nullptr, "/walk-test/inner").has_value());
    EXPECT_TRUE(remove_directory(nullptr, nullptr, "/walk-test").has_value());
    EXPECT_EQ(node->ref_count(), 1u);
    EXPECT_EQ(inner->ref_count(), 1u);
}

TEST(FilePages, HolesArchiveAndTruncation) {
    static constexpr char kArchive[] = "what the archive holds";
    const Ref<FilePages> pages = *make_ref<FilePages>(1u, 1u);
    pages->use_archive(Bytes(reinterpret_cast<const std::byte*>(kArchive), sizeof kArchive - 1));
    char text[64] = {};
    const auto read = [&](u64 offset, u64 size) {
        IoBuffer buffer = IoBuffer::of_kernel(text, size);
        return *pages->read(buffer, offset);
    };
    const auto write = [&](StringView what, u64 offset) {
        char copy[64];
        memcpy(copy, what.data(), what.size());
        IoBuffer buffer = IoBuffer::of_kernel(copy, what.size());
        return *pages->write(buffer, offset);
    };
    EXPECT_EQ(read(5, 64), sizeof kArchive - 1 - 5);
    EXPECT_TRUE(StringView(text, 3) == "the");
    EXPECT_FALSE(pages->whole_in_archive().empty());
    EXPECT_EQ(write("THE", 5), 3u);
    EXPECT_TRUE(pages->whole_in_archive().empty());
    EXPECT_EQ(read(0, 8), 8u);
    EXPECT_TRUE(StringView(text, 8) == "what THE");
    EXPECT_TRUE(kArchive[5] == 't');
    EXPECT_EQ(write("end", 3 * kPageSize - 1), 3u); // over a page's end
    EXPECT_EQ(pages->size(), 3 * kPageSize + 2);
    EXPECT_EQ(read(kPageSize, 64), 64u);
    EXPECT_EQ(text[0] | text[63], 0);
    EXPECT_FALSE(pages->has_page(1));
    EXPECT_EQ(pages->next_hole(0), kPageSize);
    EXPECT_EQ(pages->next_data(kPageSize), 2 * kPageSize);
    EXPECT_TRUE(pages->page(4).error() == Errno::Fault);
    pages->resize(6);
    pages->resize(100);
    EXPECT_EQ(read(0, 64), 64u);
    EXPECT_TRUE(StringView(text, 6) == "what T" && text[6] == 0 && text[21] == 0);
    EXPECT_EQ(pages->page_count(), 1u);
}

} // namespace
} // namespace tollgate::fs
#endif
