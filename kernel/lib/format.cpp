// The run-time half of formatting: turns erased arguments into characters. Called by format_to() for every log line,
// from any context, so it takes no lock, allocates nothing and uses about 100 bytes of stack.
#include "lib/format.h"

namespace tollgate {

namespace {

using detail::FormatPiece;
using detail::FormatSpec;
using Kind = FormatArg::Kind;

constexpr StringView kBadField = "{?}";

void write_fill(Sink& sink, char fill, size_t count) {
    char run[16];
    for (char& c : run)
        c = fill;
    for (; count > sizeof run; count -= sizeof run)
        sink.write(StringView(run, sizeof run));
    sink.write(StringView(run, count));
}

void write_padded(Sink& sink, const FormatSpec& spec, char default_align, StringView text) {
    const size_t padding = spec.width > text.size() ? spec.width - text.size() : 0;
    const char align = spec.align ? spec.align : default_align;
    const size_t before = align == '>' ? padding : align == '^' ? padding / 2 : 0;
    if (before > 0)
        write_fill(sink, spec.fill, before);
    sink.write(text);
    if (padding > before)
        write_fill(sink, spec.fill, padding - before);
}

void write_number(Sink& sink, const FormatSpec& spec, bool negative, u64 magnitude) {
    unsigned base = 10;
    StringView prefix;
    switch (spec.type) {
    case 'x':
    case 'X':
        base = 16;
        prefix = spec.type == 'x' ? "0x" : "0X";
        break;
    case 'o':
        base = 8;
        prefix = "0";
        break;
    case 'b':
        base = 2;
        prefix = "0b";
        break;
    default:
        break;
    }
    const char* const digits = spec.type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    char buffer[64 + 3]; // 64 binary digits, a sign, a prefix
    size_t start = sizeof buffer;
    do {
        buffer[--start] = digits[magnitude % base];
        magnitude /= base;
    } while (magnitude != 0);

    char lead[3];
    size_t lead_size = 0;
    if (negative || spec.plus)
        lead[lead_size++] = negative ? '-' : '+';
    if (spec.prefix)
        for (const char c : prefix)
            lead[lead_size++] = c;

    // Zeros go between the sign or prefix and the digits, so they cannot be plain padding.
    if (spec.zeros && spec.align == 0) {
        sink.write(StringView(lead, lead_size));
        const size_t shown = lead_size + (sizeof buffer - start);
        if (spec.width > shown)
            write_fill(sink, '0', spec.width - shown);
        sink.write(StringView(buffer + start, sizeof buffer - start));
        return;
    }
    while (lead_size > 0)
        buffer[--start] = lead[--lead_size];
    write_padded(sink, spec, '>', StringView(buffer + start, sizeof buffer - start));
}

void write_char(Sink& sink, const FormatSpec& spec, u64 value) {
    const char c = static_cast<char>(value);
    write_padded(sink, spec, '<', StringView(&c, 1));
}

void write_address(Sink& sink, FormatSpec spec, u64 value) {
    if (spec.type == 0 || spec.type == 'p') {
        spec.type = 'x';
        spec.prefix = true;
    }
    write_number(sink, spec, false, value);
}

void write_field(Sink& sink, const FormatSpec& spec, const FormatArg& arg) {
    if (!detail::type_suits(spec.type, arg.kind))
        return sink.write(kBadField);
    switch (arg.kind) {
    case Kind::Text:
        return write_padded(sink, spec, '<', arg.text());
    case Kind::Custom:
        return arg.writer(sink, arg.object);
    case Kind::Address:
        return write_address(sink, spec, arg.value);
    case Kind::Bool:
        if (spec.type == 0 || spec.type == 's')
            return write_padded(sink, spec, '<', arg.value ? "true" : "false");
        return write_number(sink, spec, false, arg.value);
    case Kind::Char:
        if (spec.type == 0 || spec.type == 'c')
            return write_char(sink, spec, arg.value);
        return write_number(sink, spec, false, arg.value & 0xff);
    case Kind::Signed:
        if (spec.type == 'c')
            return write_char(sink, spec, arg.value);
        if (static_cast<i64>(arg.value) < 0)
            return write_number(sink, spec, true, u64{0} - arg.value);
        return write_number(sink, spec, false, arg.value);
    case Kind::Unsigned:
        if (spec.type == 'c')
            return write_char(sink, spec, arg.value);
        if (spec.type == 'p')
            return write_address(sink, spec, arg.value);
        return write_number(sink, spec, false, arg.value);
    }
    sink.write(kBadField);
}

} // namespace

void format_args(Sink& sink, StringView text, std::span<const FormatArg> args) {
    size_t used = 0;
    for (;;) {
        const FormatPiece piece = detail::next_piece(text);
        switch (piece.kind) {
        case FormatPiece::Kind::End:
            return;
        case FormatPiece::Kind::Literal:
            sink.write(piece.literal);
            break;
        case FormatPiece::Kind::Broken:
            sink.write(kBadField);
            break;
        case FormatPiece::Kind::Field:
            if (used < args.size())
                write_field(sink, piece.spec, args[used++]);
            else
                sink.write(kBadField);
            break;
        }
    }
}

} // namespace tollgate
