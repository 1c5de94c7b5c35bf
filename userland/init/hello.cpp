// Shows what a program was given at its start: arguments, environment, auxiliary vector, thread-local storage, and that
// the C++ library works (streams, the heap, exceptions). Tests read its lines; it ends with "hello: ok" and status 0,
// or says what is wrong.
#include <cstdint>
#include <elf.h>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/auxv.h>
#include <vector>

namespace {

thread_local int tls_initialised = 0x7011;
thread_local std::uint64_t tls_zero;
int failures = 0;

void check(bool good, std::string_view what) {
    if (good)
        return;
    std::cout << "hello: wrong: " << what << '\n';
    ++failures;
}

struct AuxName {
    unsigned long type;
    std::string_view name;
};

constexpr AuxName kAuxNames[] = {
    {AT_PHDR, "AT_PHDR"},     {AT_PHENT, "AT_PHENT"},   {AT_PHNUM, "AT_PHNUM"},   {AT_PAGESZ, "AT_PAGESZ"},
    {AT_ENTRY, "AT_ENTRY"},   {AT_UID, "AT_UID"},       {AT_EUID, "AT_EUID"},     {AT_GID, "AT_GID"},
    {AT_EGID, "AT_EGID"},     {AT_HWCAP, "AT_HWCAP"},   {AT_CLKTCK, "AT_CLKTCK"}, {AT_SECURE, "AT_SECURE"},
    {AT_RANDOM, "AT_RANDOM"}, {AT_EXECFN, "AT_EXECFN"},
};

void show_auxv(char** environment) {
    while (*environment != nullptr)
        ++environment;
    bool random = false, page_size = false;
    for (auto* entry = reinterpret_cast<const Elf64_auxv_t*>(environment + 1); entry->a_type != AT_NULL; ++entry) {
        std::string name = "AT_" + std::to_string(entry->a_type);
        for (const auto& known : kAuxNames)
            if (known.type == entry->a_type)
                name = known.name;
        std::cout << "auxv " << name << " = 0x" << std::hex << entry->a_un.a_val << std::dec << '\n';
        random |= entry->a_type == AT_RANDOM && entry->a_un.a_val != 0;
        page_size |= entry->a_type == AT_PAGESZ && entry->a_un.a_val == 4096;
    }
    check(random, "AT_RANDOM is missing");
    check(page_size, "AT_PAGESZ is not 4096");
}

bool exceptions_work() {
    try {
        throw std::runtime_error("thrown");
    } catch (const std::exception& error) {
        return std::string_view(error.what()) == "thrown";
    }
}

} // namespace

int main(int argc, char** argv, char** environment) {
    std::cout << "hello: " << argc << " argument(s)\n";
    for (int i = 0; i < argc; ++i)
        std::cout << "argv[" << i << "] = " << argv[i] << '\n';
    check(argv[argc] == nullptr, "argv does not end with a null pointer");
    for (char** variable = environment; *variable != nullptr; ++variable)
        std::cout << "environ " << *variable << '\n';
    show_auxv(environment);

    std::cout << "tls " << std::hex << tls_initialised << ' ' << tls_zero << std::dec << '\n';
    check(tls_initialised == 0x7011 && tls_zero == 0, "thread-local variables do not start as they should");
    tls_zero = 7;
    check(tls_zero == 7, "a thread-local variable cannot be written");

    alignas(16) volatile double third = 1.0;
    third = third / 3.0;
    check(third * 3.0 == 1.0, "floating point");
    std::vector<std::string> many;
    for (int i = 0; i < 1000; ++i)
        many.push_back(std::string(100, static_cast<char>('a' + i % 26)));
    check(many[999] == std::string(100, static_cast<char>('a' + 999 % 26)), "the heap");
    check(exceptions_work(), "exceptions");
    std::cout << (failures == 0 ? "hello: ok\n" : "hello: failed\n") << std::flush;
    return failures == 0 && std::cout ? 0 : 1;
}
