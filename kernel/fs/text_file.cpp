// Generated files: the snapshot and the open file that reads from it.
#include "fs/text_file.h"

#include "fs/vfs.h"
#include "lib/memory.h"

namespace tollgate::fs {
namespace {

class TextFile final : public File {
public:
    explicit TextFile(Node& node) : node_(node) {}
    HeapText text; ///< complete before anybody else sees the file

    bool seekable() const override { return true; }
    Result<FileStatus> status() const override { return node_->status(); }
    Node* node() const override { return node_.get(); }
    Result<u64> read(IoBuffer& buffer, u64 offset, u32) override {
        const StringView rest = text.view().substr(offset, buffer.size());
        TRY(buffer.put(rest.data(), rest.size()));
        return rest.size();
    }

private:
    const Ref<Node> node_;
};

} // namespace

void HeapText::write(StringView text) {
    if (failed_ || text.empty())
        return;
    if (text.size() > capacity_ - size_) {
        const u64 capacity = (size_ + text.size()) * 2;
        char* const bigger = new (std::nothrow_t{}) char[capacity];
        if (!bigger) {
            failed_ = true;
            return;
        }
        if (size_ > 0)
            memcpy(bigger, text_, size_);
        delete[] text_;
        text_ = bigger;
        capacity_ = capacity;
    }
    memcpy(text_ + size_, text.data(), text.size());
    size_ += text.size();
}

Result<Ref<File>> open_text_erased(Node& node, u32 flags, Result<void> (*fill)(void*, Sink&), void* context) {
    if ((flags & kOpenAccessMask) != kOpenReadOnly)
        return fail(Errno::Access);
    auto file = TRY(make_ref<TextFile>(node));
    TRY(fill(context, file->text));
    if (file->text.failed())
        return fail(Errno::NoMem);
    return Ref<File>(std::move(file));
}

Result<Ref<File>> TextNode::open(const Caller*, u32 flags) {
    return open_text(*this, flags, [&](Sink& to) -> Result<void> {
        generate_(to);
        return {};
    });
}

Result<void> add_text_file(StringView path, void (*generate)(Sink&)) {
    const SplitPath split = split_path(path);
    Ref<Directory> place = root_directory();
    PathNames names(split.parent);
    while (const auto name = TRY(names.next()))
        place = TRY(place->find_or_make(*name, Growth::Fixed));
    return place->add(split.name, TRY(make_ref<TextNode>(place->file_system(), generate)));
}

} // namespace tollgate::fs
