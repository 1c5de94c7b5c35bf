// A GoogleTest program like any other, death test included: that one forks.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <numeric>
#include <vector>

TEST(Vector, Sums) {
    std::vector<int> numbers(1000);
    std::iota(numbers.begin(), numbers.end(), 1);
    EXPECT_EQ(std::accumulate(numbers.begin(), numbers.end(), 0), 500500);
}

TEST(Files, AreWrittenAndListed) {
    namespace fs = std::filesystem;
    fs::create_directories("made/deep");
    std::ofstream("made/deep/file") << "content";
    EXPECT_EQ(fs::file_size("made/deep/file"), 7u);
    fs::rename("made/deep/file", "made/moved");
    unsigned seen = 0;
    for (const auto& entry : fs::recursive_directory_iterator("made"))
        seen += entry.exists() ? 1 : 0;
    EXPECT_EQ(seen, 2u);
    EXPECT_EQ(fs::remove_all("made"), 3u);
}

TEST(Death, OfAChild) {
    EXPECT_EXIT(std::_Exit(3), testing::ExitedWithCode(3), "");
    EXPECT_DEATH(std::abort(), "");
}

class Squares : public testing::TestWithParam<int> {};
TEST_P(Squares, ArePositive) { EXPECT_GT(GetParam() * GetParam(), 0); }
INSTANTIATE_TEST_SUITE_P(Some, Squares, testing::Values(-2, 1, 7));
