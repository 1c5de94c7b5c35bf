// The C++ library at work: exceptions across frames and threads, streams, files, containers, regular expressions,
// futures, condition variables, thread-local objects. Prints the same on every system.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <future>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <map>
#include <mutex>
#include <numeric>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

struct Guard {
    std::string name;
    ~Guard() { std::cout << "left " << name << '\n'; }
};

int descend(int depth) {
    const Guard guard{"depth " + std::to_string(depth)};
    if (depth == 3)
        throw std::out_of_range("the bottom");
    return descend(depth + 1) + 1;
}

void exceptions() {
    try {
        std::cout << descend(0) << '\n';
    } catch (const std::logic_error& error) {
        std::cout << "caught " << error.what() << '\n';
    }
    auto failing = std::async(std::launch::async, []() -> int { throw std::runtime_error("from a thread"); });
    try {
        std::cout << failing.get() << '\n';
    } catch (const std::exception& error) {
        std::cout << "caught " << error.what() << '\n';
    }
}

void files() {
    {
        std::ofstream out("numbers.txt");
        for (int i = 0; i < 10000; ++i)
            out << std::setw(6) << i * i << (i % 10 == 9 ? '\n' : ' ');
    }
    std::ifstream in("numbers.txt");
    const auto sum = std::accumulate(std::istream_iterator<long>(in), std::istream_iterator<long>(), 0L);
    std::cout << "sum " << sum << ", " << std::hex << std::showbase << sum << std::dec << '\n';
    std::string line;
    unsigned lines = 0;
    std::size_t characters = 0;
    while (std::getline(std::cin, line)) {
        ++lines;
        characters += line.size();
    }
    std::cout << "input: " << lines << " lines, " << characters << " characters\n";
}

void threads() {
    std::mutex mutex;
    std::condition_variable changed;
    std::atomic<long> total{0};
    unsigned turn = 0;
    std::vector<std::thread> workers;
    std::string order;
    for (unsigned id = 0; id < 8; ++id)
        workers.emplace_back([&, id] {
            thread_local unsigned mine = 0;
            for (unsigned i = 0; i < 1000; ++i)
                total += ++mine;
            std::unique_lock lock(mutex);
            changed.wait(lock, [&] { return turn == id; });
            order += static_cast<char>('a' + id);
            ++turn;
            changed.notify_all();
        });
    for (auto& worker : workers)
        worker.join();
    std::cout << "threads: " << order << ' ' << total << '\n';
    std::timed_mutex held;
    std::lock_guard lock(held);
    std::thread([&] {
        std::cout << "try_lock_for: " << held.try_lock_for(std::chrono::milliseconds(10)) << '\n';
    }).join();
}

void text() {
    const std::string source = "the quick brown fox jumps over the lazy dog, the end";
    std::map<std::string, int> count;
    const std::regex word("[a-z]+");
    for (std::sregex_iterator at(source.begin(), source.end(), word), end; at != end; ++at)
        ++count[at->str()];
    for (const auto& [name, times] : count)
        std::cout << name << '=' << times << ' ';
    std::ostringstream table;
    table << std::fixed << std::setprecision(3) << 2.0 / 3 << ' ' << std::scientific << 12345.678;
    std::cout << '\n' << table.str() << '\n';
}

} // namespace

int main(int argc, char** argv) {
    std::cout << "arguments:";
    for (int i = 1; i < argc; ++i)
        std::cout << " [" << argv[i] << ']';
    std::cout << '\n';
    exceptions();
    files();
    threads();
    text();
    std::cerr << "done\n";
    return 42;
}
