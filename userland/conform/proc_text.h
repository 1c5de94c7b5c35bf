// Helpers of the tests of /proc: files as text, and texts as fields.
#pragma once

#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <vector>

#include "userland/lib/ktap.h"

namespace tollgate::proc {

inline std::string text_of(const std::string& path) {
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return "(errno " + std::to_string(errno) + ")";
    std::string text;
    char piece[4096];
    for (ssize_t got; (got = read(file, piece, sizeof piece)) > 0;)
        text.append(piece, static_cast<std::size_t>(got));
    close(file);
    return text;
}

inline std::string link_of(const std::string& path) {
    char target[512] = {};
    return readlink(path.c_str(), target, sizeof target - 1) < 0 ? "(errno " + std::to_string(errno) + ")" : target;
}

inline std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::size_t start = 0;
    for (std::size_t end; (end = text.find(separator, start)) != std::string::npos; start = end + 1)
        parts.push_back(text.substr(start, end - start));
    if (start < text.size())
        parts.push_back(text.substr(start));
    return parts;
}

/// What stands behind "Name:" at the start of a line, without the blanks around it; "(none)" if there is no such line.
inline std::string field(const std::string& text, const std::string& name) {
    for (const std::string& line : split(text, '\n')) {
        if (line.compare(0, name.size() + 1, name + ":") != 0)
            continue;
        const std::size_t start = line.find_first_not_of(" \t", name.size() + 1);
        return start == std::string::npos ? "" : line.substr(start);
    }
    return "(none)";
}

inline bool is_number(const std::string& text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

inline std::vector<std::string> names_in(const char* path) {
    std::vector<std::string> names;
    DIR* folder = opendir(path);
    if (folder == nullptr)
        return names;
    while (const dirent* entry = readdir(folder))
        names.push_back(entry->d_name);
    closedir(folder);
    return names;
}
inline bool has(const std::vector<std::string>& names, const std::string& name) {
    for (const std::string& each : names)
        if (each == name)
            return true;
    return false;
}

} // namespace tollgate::proc
