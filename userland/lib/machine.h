// What the kernel says about the machine and its own switches: the "key=value" lines of /proc/tollgate/machine. Every
// key is kept, also those that this file does not know; on another kernel the file is absent and the object is empty.
// No streams, so that small test programs can use it.
#pragma once

#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <unistd.h>

namespace tollgate {

class Machine {
public:
    static constexpr const char* kPath = "/proc/tollgate/machine";

    static Machine read(const char* path = kPath) {
        Machine machine;
        const int file = ::open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0)
            return machine;
        while (machine.size_ < sizeof machine.text_) {
            const ssize_t got = ::read(file, machine.text_ + machine.size_, sizeof machine.text_ - machine.size_);
            if (got <= 0)
                break;
            machine.size_ += static_cast<std::size_t>(got);
        }
        ::close(file);
        return machine;
    }

    /// Are we on Tollgate at all?
    [[nodiscard]] bool is_tollgate() const { return size_ != 0; }

    /// Calls visit(key, value) for every line, in the order of the file; valid as long as this object.
    template <class Visit>
    void for_each(Visit&& visit) const {
        for (std::string_view rest(text_, size_); !rest.empty();) {
            const std::string_view line = rest.substr(0, rest.find('\n'));
            rest.remove_prefix(line.size() < rest.size() ? line.size() + 1 : rest.size());
            if (const auto equals = line.find('='); equals != std::string_view::npos && equals != 0)
                visit(line.substr(0, equals), line.substr(equals + 1));
        }
    }

    [[nodiscard]] std::string get(std::string_view key, std::string_view otherwise = "") const {
        std::string_view found = otherwise;
        for_each([&](std::string_view name, std::string_view value) { found = name == key ? value : found; });
        return std::string(found);
    }

    /// The value as a number; 0 if there is none.
    [[nodiscard]] double number(std::string_view key) const { return std::strtod(get(key).c_str(), nullptr); }

private:
    char text_[8192];
    std::size_t size_ = 0;
};

} // namespace tollgate
