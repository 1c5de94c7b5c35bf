// PhysReader: how the parsers of boot data reach physical memory. The kernel implements it over the direct map (or the
// early identity map), the tests over an array, so that a hostile address is an error in both and never a wild read.
#pragma once

#include "lib/address.h"
#include "lib/byte_reader.h"
#include "lib/parse_error.h"
#include "lib/string_view.h"

#include <optional>

namespace tollgate {

class PhysReader {
public:
    /// The bytes [base, base + length), or nothing if any of them cannot be read. Must cope with lengths that wrap.
    virtual std::optional<Bytes> view(PhysAddr base, u64 length) = 0;

    /// view() with a reason.
    Parsed<Bytes> bytes(PhysAddr base, u64 length, const char* what) {
        const auto seen = view(base, length);
        if (!seen || seen->size() != length)
            return parse_error(what, base.value());
        return *seen;
    }

    template <class T>
    Parsed<T> object(PhysAddr base, const char* what) {
        return read_object<T>(TRY(bytes(base, sizeof(T), what)), 0, what);
    }

    /// The NUL-terminated string at `base`, handed out page by page to `sink`; an error when there is no NUL within
    /// `limit` bytes.
    Parsed<void> copy_string(PhysAddr base, u64 limit, Sink& sink, const char* what) {
        while (limit > 0) {
            const u64 to_page_end = kPageSize - base.page_offset();
            const u64 length = to_page_end < limit ? to_page_end : limit;
            const StringView text = StringView::from_bytes(TRY(some_bytes(base, length, what)));
            const auto end = text.find('\0');
            sink.write(text.substr(0, end ? *end : text.size()));
            if (end)
                return {};
            base += text.size();
            limit -= text.size();
        }
        return parse_error(what, base.value());
    }

protected:
    constexpr PhysReader() = default;
    constexpr ~PhysReader() = default;

private:
    /// At least one byte: memory may end before the page or the limit does.
    Parsed<Bytes> some_bytes(PhysAddr base, u64 length, const char* what) {
        const auto all = view(base, length);
        return all && all->size() == length ? Parsed<Bytes>(*all) : bytes(base, 1, what);
    }
};

} // namespace tollgate
