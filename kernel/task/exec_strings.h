// The arguments and environment of a program on their way from the old address space to the new one: NUL-terminated
// strings, one after the other, as they will lie on the new stack. Pages are taken as they fill.
#pragma once

#include "lib/address.h"
#include "lib/unique_ptr.h"
#include "mem/frames.h"

#include <array>

namespace tollgate {

class ExecStrings {
public:
    /// Strings and their pointers together, at most; a smaller limit may be set. More is Errno::TooBig.
    static constexpr u64 kMost = 1 << 20;
    /// One string with its NUL [Linux' MAX_ARG_STRLEN].
    static constexpr u64 kMostOfOne = 128 << 10;

    ExecStrings() = default;
    explicit ExecStrings(u64 limit) : limit_(limit < kMost ? limit : kMost) {}

    /// Arguments come first. Errors: TooBig, NoMem.
    Result<void> add_argument(StringView text);
    Result<void> add_environment(StringView text);
    /// The same from a user's array of pointers that ends with a null pointer; a null array is empty. An empty argument
    /// list becomes one empty string, so that no program finds its environment in argv[0]. Errors: TooBig, NoMem,
    /// Fault.
    Result<void> read_arguments(UserPtr<const u64> list);
    Result<void> read_environment(UserPtr<const u64> list);

    /// For a script: its interpreter, the interpreter's argument unless that is empty, and the script's name take the
    /// first argument's place. Errors: TooBig, NoMem.
    Result<void> replace_first(StringView interpreter, StringView argument, StringView script);

    u64 argument_count() const { return arguments_; }
    u64 environment_count() const { return environment_; }
    /// Bytes, all NULs included.
    u64 size() const { return size_; }
    /// The bytes from `offset` (below size()) to the end of their page.
    std::span<const char> piece(u64 offset) const;
    /// Where the string after the one at `offset` begins.
    u64 next(u64 offset) const;

private:
    /// Room at the end: the rest of the last page, or a new one.
    Result<std::span<char>> room();
    Result<void> append(StringView text);
    Result<void> append_from_user(u64 address);
    Result<u64> read_list(u64 list);
    Result<void> count_pointer();
    Result<void> append_bytes(std::span<const char> bytes);

    /// Pages come in bundles, so that the usual few strings cost neither memory nor the time to look at empty places.
    static constexpr u64 kBundle = 16;
    struct Bundle {
        std::array<Frame, kBundle> pages;
    };
    std::array<Owned<Bundle>, kMost / kPageSize / kBundle> bundles_;
    u64 limit_ = kMost;
    u64 size_ = 0, pointers_ = 0;
    u64 arguments_ = 0, environment_ = 0;
};

} // namespace tollgate
