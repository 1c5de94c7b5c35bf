// Reading "#!".
#include "task/script.h"

namespace tollgate::task {

namespace {

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

StringView trimmed(StringView text) {
    size_t first = 0, end = text.size();
    while (first < end && is_blank(text.data()[first]))
        ++first;
    while (end > first && is_blank(text.data()[end - 1]))
        --end;
    return text.substr(first, end - first);
}

} // namespace

std::optional<ScriptLine> parse_script(StringView head) {
    if (!head.starts_with("#!"))
        return {};
    head = head.substr(0, head.size() < kScriptHead ? head.size() : kScriptHead);
    size_t end = 2;
    while (end < head.size() && head.data()[end] != '\n' && head.data()[end] != '\0')
        ++end;
    const bool whole = end < head.size() || head.size() < kScriptHead;
    const StringView line = trimmed(head.substr(2, end - 2));
    size_t length = 0;
    while (length < line.size() && !is_blank(line.data()[length]))
        ++length;
    if (length == 0 || (length == line.size() && !whole))
        return {};
    return ScriptLine{line.substr(0, length), trimmed(line.substr(length))};
}

} // namespace tollgate::task
