// Words and numbers of /proc/tollgate/flexsc (docs/proc.md). Used by tests and by programs that measure workers.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace tollgate {

inline std::string text_of(const char* path) {
    std::string text;
    if (std::FILE* const file = std::fopen(path, "r")) {
        char part[4096];
        while (const std::size_t got = std::fread(part, 1, sizeof part, file))
            text.append(part, got);
        std::fclose(file);
    }
    return text;
}

/// The word or number after `key` in the first line that begins with `line`.
inline std::string flexsc_reported(const std::string& line, const char* key) {
    const std::string text = "\n" + text_of("/proc/tollgate/flexsc");
    const std::size_t begin = text.find("\n" + line + " ");
    if (begin == std::string::npos)
        return "no such line";
    const std::string found = text.substr(begin + 1, text.find('\n', begin + 1) - begin - 1);
    const std::size_t at = found.find(std::string(" ") + key + " ");
    if (at == std::string::npos)
        return "no such key";
    const std::size_t value = at + std::strlen(key) + 2;
    return found.substr(value, found.find(' ', value) - value);
}

inline std::uint64_t flexsc_reported_number(const std::string& line, const char* key) {
    return std::strtoull(flexsc_reported(line, key).c_str(), nullptr, 10);
}

} // namespace tollgate
