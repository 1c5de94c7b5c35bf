// /proc/sys/vm/drop_caches [man 5 proc]: whoever writes 1, 2 or 3 there has the kernel give back what it keeps ready
// for the next one who asks. Nothing is lost by it; measurements of free memory are exact after it.
#include "fs/directory.h"
#include "fs/proc_text.h"
#include "mem/reclaim.h"
#include "sched/errand.h"

namespace tollgate::fs {
namespace {

class DropCaches final : public File {
public:
    explicit DropCaches(Node& node) : node_(node) {}
    Result<u64> write(IoBuffer& buffer, u64, u32) override {
        const u64 size = buffer.size();
        char what = 0;
        if (size > 0)
            TRY(buffer.take(&what, 1));
        if (what < '1' || what > '3')
            return fail(Errno::Inval);
        buffer.skip(buffer.size());
        reclaim::kernel_stacks();
        sched::run_everywhere(reclaim::heap_blocks);
        return size;
    }
    Result<FileStatus> status() const override { return node_->status(); }
    Node* node() const override { return node_.get(); }

private:
    const Ref<Node> node_;
};

class DropCachesNode final : public Node {
public:
    DropCachesNode() : Node(kProcfs, kModeRegular | 0200) {}
    Result<Ref<File>> open(const Caller*, u32) override { return Ref<File>(TRY(make_ref<DropCaches>(*this))); }
};

} // namespace

Result<void> add_reclaim_file(Directory& proc) {
    const Ref<Directory> settings = TRY(proc.find_or_make("sys", Growth::Fixed));
    const Ref<Directory> memory = TRY(settings->find_or_make("vm", Growth::Fixed));
    return memory->add("drop_caches", TRY(make_ref<DropCachesNode>()));
}

} // namespace tollgate::fs
