// What the kernel says about the machine and its own switches: the "key=value" lines of /proc/tollgate/machine. Every
// key is kept, also those that this file does not know; on another kernel the file is absent and the object is empty.
#pragma once

#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tollgate {

class Machine {
public:
    static constexpr const char* kPath = "/proc/tollgate/machine";

    static Machine read(const char* path = kPath) {
        Machine machine;
        std::ifstream file(path);
        for (std::string line; std::getline(file, line);)
            if (const auto equals = line.find('='); equals != std::string::npos && equals != 0)
                machine.facts_.emplace_back(line.substr(0, equals), line.substr(equals + 1));
        return machine;
    }

    /// Are we on Tollgate at all?
    [[nodiscard]] bool is_tollgate() const { return !facts_.empty(); }

    [[nodiscard]] std::string get(std::string_view key, std::string_view otherwise = "") const {
        for (const auto& [name, value] : facts_)
            if (name == key)
                return value;
        return std::string(otherwise);
    }

    /// The value as a number; 0 if there is none.
    [[nodiscard]] double number(std::string_view key) const { return std::strtod(get(key).c_str(), nullptr); }

    [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& facts() const { return facts_; }

private:
    std::vector<std::pair<std::string, std::string>> facts_;
};

} // namespace tollgate
