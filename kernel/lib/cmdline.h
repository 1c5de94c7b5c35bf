// The kernel command line: `pti=on trace "name=two words" -- --list`. Options are key=value or a bare key, separated by
// blanks; double quotes protect blanks, around the value or the whole word. What follows a lone `--` belongs to the
// init program. Views point into the text, which must live on.
#pragma once

#include "lib/result.h"
#include "lib/string_view.h"

#include <optional>

namespace tollgate {

/// Cuts text into words at blanks outside of double quotes. Used for kernel options and for init's arguments alike.
class Words {
public:
    constexpr explicit Words(StringView text) : rest_(text) {}

    /// The next word as written, quotes included, or nothing at the end.
    std::optional<StringView> next();
    /// What next() has not handed out yet.
    StringView rest() const { return rest_; }

private:
    StringView rest_;
};

/// A word without its outer pair of double quotes; a missing closing quote is forgiven.
StringView unquoted(StringView word);

struct CmdlineOption {
    StringView key;
    StringView value;       ///< Without quotes; empty for a bare key.
    bool has_value = false; ///< Whether there was a `=`.
};

class Cmdline {
public:
    constexpr Cmdline() = default;
    explicit Cmdline(StringView text);

    /// The value of the last option named `key` ("" for a bare one), or nothing if there is none.
    std::optional<StringView> get(StringView key) const;
    bool has(StringView key) const { return get(key).has_value(); }

    /// The value as a number, decimal or 0x. NoEnt: not given. Inval, Range: not a number of 64 bits.
    Result<u64> get_u64(StringView key) const;

    /// Everything after ` -- `, to be cut by Words and unquoted().
    StringView init_arguments() const { return init_arguments_; }

    /// Calls visit(const CmdlineOption&) for each option in order, to report the ones that nobody knows.
    template <class Visit>
    void for_each(Visit visit) const {
        Words words(options_);
        while (const auto word = words.next())
            visit(split_option(*word));
    }

private:
    static CmdlineOption split_option(StringView word);

    StringView options_;
    StringView init_arguments_;
};

} // namespace tollgate
