// Command-line parsing, read-only over the text: nothing is copied and nothing can fail but a number.
#include "lib/cmdline.h"

namespace tollgate {

std::optional<StringView> Words::next() {
    size_t start = 0;
    while (start < rest_.size() && StringView::is_blank(rest_[start]))
        ++start;
    size_t end = start;
    for (bool quoted = false; end < rest_.size() && (quoted || !StringView::is_blank(rest_[end])); ++end)
        if (rest_[end] == '"')
            quoted = !quoted;
    const StringView word = rest_.substr(start, end - start);
    rest_ = rest_.substr(end);
    if (word.empty())
        return std::nullopt;
    return word;
}

StringView unquoted(StringView word) {
    if (!word.starts_with("\""))
        return word;
    word = word.substr(1);
    return word.ends_with("\"") ? word.substr(0, word.size() - 1) : word;
}

Cmdline::Cmdline(StringView text) : options_(text) {
    Words words(text);
    while (const auto word = words.next()) {
        if (*word != "--")
            continue;
        options_ = text.substr(0, text.size() - words.rest().size() - word->size());
        init_arguments_ = words.rest().trimmed();
        break;
    }
}

CmdlineOption Cmdline::split_option(StringView word) {
    word = unquoted(word);
    const auto equals = word.find('=');
    if (!equals)
        return {word, {}, false};
    return {word.substr(0, *equals), unquoted(word.substr(*equals + 1)), true};
}

std::optional<StringView> Cmdline::get(StringView key) const {
    std::optional<StringView> found;
    for_each([&](const CmdlineOption& option) {
        if (option.key == key)
            found = option.value;
    });
    return found;
}

Result<u64> Cmdline::get_u64(StringView key) const {
    const auto value = get(key);
    if (!value)
        return fail(Errno::NoEnt);
    return parse_number(*value);
}

} // namespace tollgate
