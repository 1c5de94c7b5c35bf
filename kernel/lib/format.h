// Type-safe text formatting into a Sink, without allocation: `format_to(log, "cpu {} at {:#018x}", id, address)`. The
// number and kind of the arguments are checked when the call is compiled. A format string that is only known at run
// time and wrong prints "{?}" in place of the field.
//
// A field is {} or {:[[fill]align][+][#][0][width][type]}, align one of < > ^, width at most 255, type one of
// d x X o b (integers), c (character), s (text), p (address). "{{" and "}}" are braces.
#pragma once

#include "lib/address.h"
#include "lib/errno.h"
#include "lib/string_view.h"
#include "lib/types.h"

#include <concepts>
#include <span>
#include <type_traits>

namespace tollgate {

/// Where text goes: a serial port, a buffer, a log. Never owned through this type, hence no public destructor.
class Sink {
public:
    virtual void write(StringView text) = 0;

protected:
    constexpr Sink() = default;
    constexpr ~Sink() = default;
    Sink(const Sink&) = default;
    Sink& operator=(const Sink&) = default;
};

/// One argument of a format call, with its type erased. Text and custom values are referred to, not copied.
struct FormatArg {
    enum class Kind : u8 { Unsigned, Signed, Bool, Char, Text, Address, Custom };
    using CustomWriter = void (*)(Sink&, const void*);

    Kind kind = Kind::Unsigned;
    u64 value = 0;                 ///< The number, its bits if negative; the length of a text.
    const void* object = nullptr;  ///< The characters of a text, or the custom object.
    CustomWriter writer = nullptr; ///< Custom only.

    StringView text() const { return {static_cast<const char*>(object), value}; }
};

/// To print a type of your own, give it `void format(Sink&) const`.
template <class T>
concept SelfFormatting = requires(const T& value, Sink& sink) {
    value.format(sink);
};

namespace detail {

template <class T>
inline constexpr bool kIsAddress = false;
template <class Tag>
inline constexpr bool kIsAddress<Address<Tag>> = true;
template <class T>
inline constexpr bool kIsUserPtr = false;
template <class T>
inline constexpr bool kIsUserPtr<UserPtr<T>> = true;

template <class T>
consteval FormatArg::Kind format_kind() {
    using Kind = FormatArg::Kind;
    if constexpr (std::is_same_v<T, bool>)
        return Kind::Bool;
    else if constexpr (std::is_same_v<T, char>)
        return Kind::Char;
    else if constexpr (std::is_null_pointer_v<T>)
        return Kind::Address;
    else if constexpr (std::is_convertible_v<const T&, StringView> || std::is_same_v<T, Errno>)
        return Kind::Text;
    else if constexpr (SelfFormatting<T>)
        return Kind::Custom;
    else if constexpr (kIsAddress<T> || kIsUserPtr<T> || std::is_pointer_v<T>)
        return Kind::Address;
    else if constexpr (std::is_enum_v<T>)
        return std::is_signed_v<std::underlying_type_t<T>> ? Kind::Signed : Kind::Unsigned;
    else {
        static_assert(std::is_integral_v<T>, "this type cannot be formatted: give it void format(Sink&) const");
        return std::is_signed_v<T> ? Kind::Signed : Kind::Unsigned;
    }
}

template <class T>
FormatArg make_format_arg(const T& value) {
    using Kind = FormatArg::Kind;
    constexpr Kind kind = format_kind<T>();
    FormatArg arg;
    arg.kind = kind;
    if constexpr (kind == Kind::Text) {
        StringView text;
        if constexpr (std::is_same_v<T, Errno>)
            text = StringView(errno_name(value));
        else if constexpr (std::is_array_v<T>)
            text = StringView(value, strnlen(value, std::extent_v<T>));
        else
            text = StringView(value);
        arg.object = text.data();
        arg.value = text.size();
    } else if constexpr (kind == Kind::Custom) {
        arg.object = &value;
        arg.writer = [](Sink& sink, const void* object) { static_cast<const T*>(object)->format(sink); };
    } else if constexpr (kIsAddress<T>)
        arg.value = value.value();
    else if constexpr (kIsUserPtr<T>)
        arg.value = value.address();
    else if constexpr (std::is_null_pointer_v<T>)
        arg.value = 0;
    else if constexpr (kind == Kind::Address)
        arg.value = reinterpret_cast<u64>(value);
    else
        arg.value = static_cast<u64>(value);
    return arg;
}

/// What a field asks for, after "{:".
struct FormatSpec {
    char fill = ' ';
    char align = 0; ///< '<', '>', '^', or 0 for the type's own (text left, numbers right).
    char type = 0;
    bool plus = false;
    bool prefix = false;
    bool zeros = false;
    u8 width = 0;
};

/// One step through a format string.
struct FormatPiece {
    enum class Kind : u8 { End, Literal, Field, Broken };
    Kind kind = Kind::End;
    StringView literal;
    FormatSpec spec;
};

/// Cuts the next piece off the front of `rest`. Used both by the run-time formatter and by the compile-time check.
constexpr FormatPiece next_piece(StringView& rest);

constexpr bool type_suits(char type, FormatArg::Kind kind) {
    using Kind = FormatArg::Kind;
    switch (type) {
    case 0:
        return true;
    case 'd':
    case 'x':
    case 'X':
    case 'o':
    case 'b':
        return kind != Kind::Text && kind != Kind::Custom;
    case 'c':
        return kind == Kind::Char || kind == Kind::Unsigned || kind == Kind::Signed;
    case 's':
        return kind == Kind::Text || kind == Kind::Bool;
    case 'p':
        return kind == Kind::Address || kind == Kind::Unsigned;
    default:
        return false;
    }
}

constexpr bool parse_spec(StringView text, FormatSpec& spec) {
    const auto is_align = [](char c) { return c == '<' || c == '>' || c == '^'; };
    size_t at = 0;
    if (text.size() >= 2 && is_align(text[1])) {
        spec.fill = text[0];
        spec.align = text[1];
        at = 2;
    } else if (text.size() >= 1 && is_align(text[0])) {
        spec.align = text[0];
        at = 1;
    }
    const auto accept = [&](char wanted) {
        const bool there = at < text.size() && text[at] == wanted;
        at += there ? 1 : 0;
        return there;
    };
    spec.plus = accept('+');
    spec.prefix = accept('#');
    spec.zeros = accept('0');
    unsigned width = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
        width = width * 10 + digit_value(text[at]);
        if (width > 255)
            return false;
    }
    spec.width = static_cast<u8>(width);
    if (at < text.size())
        spec.type = text[at++];
    return at == text.size();
}

constexpr FormatPiece next_piece(StringView& rest) {
    FormatPiece piece;
    if (rest.empty())
        return piece;
    const char first = rest[0];
    if (first != '{' && first != '}') {
        size_t length = 1;
        while (length < rest.size() && rest[length] != '{' && rest[length] != '}')
            ++length;
        piece.kind = FormatPiece::Kind::Literal;
        piece.literal = rest.substr(0, length);
        rest = rest.substr(length);
        return piece;
    }
    if (rest.size() >= 2 && rest[1] == first) {
        piece.kind = FormatPiece::Kind::Literal;
        piece.literal = rest.substr(0, 1);
        rest = rest.substr(2);
        return piece;
    }
    const auto close = rest.find('}');
    const StringView inside = close && *close > 0 ? rest.substr(1, *close - 1) : StringView();
    const bool has_spec = !inside.empty() && inside[0] == ':';
    const bool good = first == '{' && close && (inside.empty() || has_spec) &&
                      parse_spec(has_spec ? inside.substr(1) : StringView(), piece.spec);
    piece.kind = good ? FormatPiece::Kind::Field : FormatPiece::Kind::Broken;
    rest = rest.substr(close ? *close + 1 : rest.size());
    return piece;
}

/// Not constexpr on purpose: a compile-time check that reaches it fails to compile, with the reason in the message.
void bad_format_string(const char* reason);

} // namespace detail

/// A format string that the compiler has checked against the types of its arguments.
template <class... Args>
class FormatString {
public:
    template <std::convertible_to<const char*> Text>
    consteval FormatString(const Text& text) : text_(text) {
        constexpr size_t count = sizeof...(Args);
        const FormatArg::Kind kinds[count + 1] = {detail::format_kind<Args>()..., FormatArg::Kind::Custom};
        size_t used = 0;
        StringView rest = text_;
        for (;;) {
            const detail::FormatPiece piece = detail::next_piece(rest);
            if (piece.kind == detail::FormatPiece::Kind::End)
                break;
            if (piece.kind == detail::FormatPiece::Kind::Broken)
                detail::bad_format_string("a field that cannot be parsed");
            if (piece.kind != detail::FormatPiece::Kind::Field)
                continue;
            if (used == count)
                detail::bad_format_string("more fields than arguments");
            if (!detail::type_suits(piece.spec.type, kinds[used]))
                detail::bad_format_string("a field's type letter does not suit its argument");
            ++used;
        }
        if (used != count)
            detail::bad_format_string("more arguments than fields");
    }

    constexpr StringView text() const { return text_; }

private:
    StringView text_;
};

/// The run-time core: prints `text` with its fields replaced by `args`. Wrong or surplus fields print "{?}".
void format_args(Sink& sink, StringView text, std::span<const FormatArg> args);

/// Prints `text` to `sink`, each {} replaced by the next argument: integers, enums (as numbers), bool, char, text,
/// pointers, PhysAddr, VirtAddr, UserPtr, Errno (as its name), and types with a format(Sink&) member.
template <class... Args>
void format_to(Sink& sink, FormatString<std::type_identity_t<Args>...> text, const Args&... args) {
    const FormatArg erased[sizeof...(Args) + 1] = {detail::make_format_arg(args)..., FormatArg{}};
    format_args(sink, text.text(), std::span<const FormatArg>(erased, sizeof...(Args)));
}

} // namespace tollgate
