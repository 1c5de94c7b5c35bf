// Read-only files whose text is generated: a snapshot is made at each open, and reads are served from it.
#pragma once

#include "fs/node.h"
#include "lib/format.h"

namespace tollgate::fs {

/// A Sink that grows on the heap. After an allocation has failed it drops what comes and says so.
class HeapText final : public Sink {
public:
    HeapText() = default;
    ~HeapText() { delete[] text_; }
    HeapText(const HeapText&) = delete;
    HeapText& operator=(const HeapText&) = delete;

    void write(StringView text) override;
    StringView view() const { return {text_, size_}; }
    bool failed() const { return failed_; }

private:
    char* text_ = nullptr;
    u64 size_ = 0, capacity_ = 0;
    bool failed_ = false;
};

/// An open file with the text that fill(Sink&), a Result<void>, writes now. Errno::Access for writing.
Result<Ref<File>> open_text_erased(Node& node, u32 flags, Result<void> (*fill)(void*, Sink&), void* context);
template <class Fill>
Result<Ref<File>> open_text(Node& node, u32 flags, Fill&& fill) {
    return open_text_erased(
        node, flags, [](void* c, Sink& to) { return (*static_cast<std::remove_reference_t<Fill>*>(c))(to); }, &fill);
}

class TextNode final : public Node {
public:
    using Generator = void (*)(Sink&);
    TextNode(const FileSystem& file_system, Generator generate)
        : Node(file_system, kModeRegular | 0444), generate_(generate) {}

    Result<Ref<File>> open(const Caller*, u32 flags) override;

private:
    Generator generate_;
};

} // namespace tollgate::fs
