// Cutting a path into names, without looking anything up: used by the vfs for every lookup. Runs on the host too.
#pragma once

#include "lib/result.h"
#include "lib/string_view.h"

#include <optional>

namespace tollgate::fs {

inline constexpr size_t kMaxName = 255;  // NAME_MAX
inline constexpr size_t kMaxPath = 4096; // PATH_MAX, the NUL included

/// The names of a path from left to right; empty ones and "." are left out, ".." is handed out.
class PathNames {
public:
    constexpr explicit PathNames(StringView path) : rest_(path) {}

    /// The next name, or nothing at the end. Errno::NameTooLong for a name over kMaxName.
    constexpr Result<std::optional<StringView>> next() {
        while (!rest_.empty()) {
            const auto slash = rest_.find('/');
            const StringView name = slash ? rest_.substr(0, *slash) : rest_;
            rest_ = slash ? rest_.substr(*slash + 1) : StringView();
            if (name.size() > kMaxName)
                return fail(Errno::NameTooLong);
            if (!name.empty() && name != ".")
                return std::optional<StringView>(name);
        }
        return std::optional<StringView>();
    }

    /// What next() has not looked at yet.
    constexpr StringView rest() const { return rest_; }

private:
    StringView rest_;
};

constexpr bool is_absolute(StringView path) { return path.starts_with("/"); }

/// A path as a place to create something at: where, and under which name.
struct SplitPath {
    StringView parent;      ///< "" for the starting directory, "/" kept for the root
    StringView name;        ///< "" if the path names no entry of its parent: "/", ".", "a/.."
    bool directory = false; ///< ends in a slash: only a directory will do
};

constexpr SplitPath split_path(StringView path) {
    SplitPath split;
    while (path.size() > 1 && path.ends_with("/")) {
        split.directory = true;
        path = path.substr(0, path.size() - 1);
    }
    const auto slash = path.rfind('/');
    split.parent = slash ? path.substr(0, *slash + 1) : StringView();
    const StringView name = slash ? path.substr(*slash + 1) : path;
    if (name == "." || name == "..")
        split.parent = path;
    else
        split.name = name;
    return split;
}

} // namespace tollgate::fs
