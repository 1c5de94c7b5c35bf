// Filling and walking ExecStrings. User strings are copied in small pieces, since most are short, that end at page
// boundaries on both sides, so that nothing behind a string's own page is ever touched.
#include "task/exec_strings.h"

#include "lib/memory.h"
#include "mem/user_copy.h"

namespace tollgate {

Result<std::span<char>> ExecStrings::room() {
    if (size_ + 8 * pointers_ >= limit_)
        return fail(Errno::TooBig);
    Owned<Bundle>& bundle = bundles_[size_ / kPageSize / kBundle];
    if (!bundle)
        bundle = TRY(make_owned<Bundle>());
    Frame& page = bundle->pages[size_ / kPageSize % kBundle];
    if (!page)
        page = TRY(Frame::allocate());
    const u64 used = size_ % kPageSize;
    return std::span<char>{page.data<char>() + used, kPageSize - used};
}

Result<void> ExecStrings::count_pointer() {
    ++pointers_;
    if (size_ + 8 * pointers_ > limit_)
        return fail(Errno::TooBig);
    return {};
}

Result<void> ExecStrings::append(StringView text) {
    TRY(count_pointer());
    for (u64 at = 0; at <= text.size();) {
        const std::span<char> space = TRY(room());
        const u64 left = text.size() - at;
        const u64 part = left < space.size() ? left : space.size();
        memcpy(space.data(), text.data() + at, part);
        size_ += part;
        at += part;
        if (part == space.size())
            continue;
        space[part] = '\0';
        ++size_;
        return {};
    }
    return {};
}

Result<void> ExecStrings::append_from_user(u64 address) {
    TRY(count_pointer());
    const u64 start = size_;
    for (;;) {
        if (size_ - start >= kMostOfOne)
            return fail(Errno::TooBig);
        const std::span<char> space = TRY(room());
        const u64 to_page_end = kPageSize - address % kPageSize;
        constexpr u64 kPiece = 64;
        const u64 most = space.size() < kPiece ? space.size() : kPiece;
        const u64 part = to_page_end < most ? to_page_end : most;
        TRY(copy_from_user_bytes(space.data(), address, part));
        const u64 length = strnlen(space.data(), part);
        if (length < part) {
            size_ += length + 1;
            return {};
        }
        size_ += part;
        address += part;
    }
}

Result<u64> ExecStrings::read_list(u64 list) {
    u64 count = 0;
    if (list == 0)
        return count;
    for (;; ++count, list += 8) {
        const u64 text = TRY(copy_from_user(UserPtr<const u64>{list}));
        if (text == 0)
            return count;
        TRY(append_from_user(text));
    }
}

Result<void> ExecStrings::add_argument(StringView text) {
    ASSERT(environment_ == 0);
    TRY(append(text));
    ++arguments_;
    return {};
}

Result<void> ExecStrings::add_environment(StringView text) {
    TRY(append(text));
    ++environment_;
    return {};
}

Result<void> ExecStrings::append_bytes(std::span<const char> bytes) {
    while (!bytes.empty()) {
        const std::span<char> space = TRY(room());
        const u64 part = bytes.size() < space.size() ? bytes.size() : space.size();
        memcpy(space.data(), bytes.data(), part);
        size_ += part;
        bytes = bytes.subspan(part);
    }
    return {};
}

Result<void> ExecStrings::replace_first(StringView interpreter, StringView argument, StringView script) {
    const Owned<ExecStrings> fresh = TRY(make_owned<ExecStrings>(limit_));
    TRY(fresh->add_argument(interpreter));
    if (!argument.empty())
        TRY(fresh->add_argument(argument));
    TRY(fresh->add_argument(script));
    for (u64 offset = next(0); offset < size_;) {
        const auto rest = piece(offset);
        TRY(fresh->append_bytes(rest));
        offset += rest.size();
    }
    fresh->pointers_ += pointers_ - 1;
    fresh->arguments_ += arguments_ - 1;
    fresh->environment_ = environment_;
    if (fresh->size_ + 8 * fresh->pointers_ > limit_)
        return fail(Errno::TooBig);
    std::swap(*this, *fresh);
    return {};
}

Result<void> ExecStrings::read_arguments(UserPtr<const u64> list) {
    ASSERT(environment_ == 0);
    arguments_ += TRY(read_list(list.address()));
    if (arguments_ == 0)
        return add_argument("");
    return {};
}

Result<void> ExecStrings::read_environment(UserPtr<const u64> list) {
    environment_ += TRY(read_list(list.address()));
    return {};
}

std::span<const char> ExecStrings::piece(u64 offset) const {
    ASSERT(offset < size_);
    const u64 start = offset % kPageSize;
    const u64 left = size_ - offset;
    const u64 page = offset / kPageSize;
    return {bundles_[page / kBundle]->pages[page % kBundle].data<char>() + start,
            left < kPageSize - start ? left : kPageSize - start};
}

u64 ExecStrings::next(u64 offset) const {
    for (;;) {
        const auto bytes = piece(offset);
        const u64 length = strnlen(bytes.data(), bytes.size());
        if (length < bytes.size())
            return offset + length + 1;
        offset += length;
    }
}

} // namespace tollgate
