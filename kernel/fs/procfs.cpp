// The directories of /proc that processes make: /proc/PID, its fd/ and task/, /proc/self. Nodes are made at each lookup
// and hold only ids, so that a look at /proc keeps no process alive; the text of their files is in proc_*.cpp.
#include "fs/context.h"
#include "fs/proc_text.h"
#include "fs/text_file.h"
#include "fs/vfs.h"

namespace tollgate::fs {
namespace {

/// Who is meant, by id.
struct Key {
    i32 process = 0, thread = 0; ///< thread 0: the process as a whole

    Result<Subject> subject() const {
        Ref<Process> found = task::find(process);
        if (!found || found->id() != process)
            return fail(Errno::Srch);
        return Subject{std::move(found), thread};
    }
    /// Distinct for every file of every process: ids have 22 bits.
    u64 inode(u32 file, u32 descriptor = 0) const {
        return u64{1} << 63 | u64(u32(thread != 0 ? thread : process)) << 32 | u64{thread != 0} << 56 |
               u64{file} << 24 | descriptor;
    }
};

/// Decimal without leading zeros, as names of processes and descriptors are; nothing if it is none.
std::optional<i32> number_of(StringView name) {
    if (name.empty() || name.size() > 9 || (name[0] == '0' && name.size() > 1))
        return std::nullopt;
    i32 value = 0;
    for (const char c : name) {
        if (c < '0' || c > '9')
            return std::nullopt;
        value = value * 10 + (c - '0');
    }
    return value;
}

void write_number(Directory::Listing& to, i32 number, u64 inode, u32 type) {
    format_to(to.name, "{}", number);
    to.inode = inode;
    to.type = type;
}

// ---- files and links ----

/// What takes settings that mean nothing here (oom_score_adj): programs insist on writing them.
class IgnoredWrites final : public File {
public:
    explicit IgnoredWrites(Node& node) : node_(node) {}
    Result<u64> write(IoBuffer& buffer, u64, u32) override { return buffer.size(); }
    Result<FileStatus> status() const override { return node_->status(); }
    Node* node() const override { return node_.get(); }

private:
    const Ref<Node> node_;
};

class SubjectFile final : public Node {
public:
    SubjectFile(Key key, u32 permissions, u32 number, SubjectWriter write)
        : Node(kProcfs, kModeRegular | permissions, key.inode(number)), key_(key), write_(write) {}
    Result<Ref<File>> open(const Caller*, u32 flags) override {
        if ((flags & kOpenAccessMask) != kOpenReadOnly)
            return Ref<File>(TRY(make_ref<IgnoredWrites>(*this))); // the mode says whether that is possible
        const Subject subject = TRY(key_.subject());
        return open_text(*this, flags, [&](Sink& to) { return write_(subject, to); });
    }

private:
    const Key key_;
    const SubjectWriter write_;
};

/// A file without a name, reached by /proc/PID/fd: opening it gives the very same one.
class UnnamedFile final : public Node {
public:
    explicit UnnamedFile(Ref<File> file) : Node(kUnnamed, 0600), file_(std::move(file)) {}
    Result<Ref<File>> open(const Caller*, u32) override { return file_; }
    void fill(FileStatus& status) const override {
        if (const auto own = file_->status())
            status = *own;
        else
            Node::fill(status);
    }

private:
    const Ref<File> file_;
};

Result<Ref<LinkText>> describe(const Caller* caller, File& file) {
    char path[1024];
    if (Node* node = file.node()) {
        const auto found = path_of(caller, *node, path);
        if (found)
            return LinkText::make(*found);
        if (node->links() == 0 && node->type() == kModeRegular)
            return LinkText::make("/ (deleted)");
    }
    const FileStatus status = TRY(file.status());
    FixedString<40> text;
    const u32 type = status.mode & kModeTypeMask;
    if (type == kModeFifo)
        format_to(text, "pipe:[{}]", status.inode);
    else if (type == kModeSocket)
        format_to(text, "socket:[{}]", status.inode);
    else
        text.write("anon_inode:[file]");
    return LinkText::make(text.view());
}

class DescriptorLink final : public Link {
public:
    DescriptorLink(Key key, i32 descriptor, u32 permissions)
        : Link(kProcfs, permissions, key.inode(1, static_cast<u32>(descriptor))), key_(key), descriptor_(descriptor) {}
    bool is_magic() const override { return true; }
    u64 size() const override { return 64; }
    Result<Ref<LinkText>> text(const Caller* caller) override { return describe(caller, *TRY(file())->file); }
    Result<Ref<Node>> target(const Caller*) override {
        const Ref<OpenFile> open = TRY(file());
        if (Node* node = open->file->node())
            return Ref<Node>(*node);
        return Ref<Node>(TRY(make_ref<UnnamedFile>(open->file)));
    }

private:
    Result<Ref<OpenFile>> file() {
        const Subject subject = TRY(key_.subject());
        const Ref<FileTable> files = subject.process->files();
        if (!files)
            return fail(Errno::NoEnt);
        auto open = files->get(descriptor_);
        return open ? std::move(open) : fail(Errno::NoEnt);
    }
    const Key key_;
    const i32 descriptor_;
};

enum class Place : u8 { Current, Root, Program };

class PlaceLink final : public Link {
public:
    PlaceLink(Key key, u32 number, Place place) : Link(kProcfs, 0777, key.inode(number)), key_(key), place_(place) {}
    bool is_magic() const override { return true; }
    Result<Ref<LinkText>> text(const Caller* caller) override {
        if (place_ == Place::Program)
            return LinkText::make(TRY(key_.subject()).process->executable_.view());
        char path[1024];
        return LinkText::make(TRY(path_of(caller, *TRY(target(caller)), path)));
    }
    Result<Ref<Node>> target(const Caller*) override {
        const Subject subject = TRY(key_.subject());
        if (place_ == Place::Program) {
            if (subject.process->executable_.empty())
                return fail(Errno::NoEnt);
            return lookup(nullptr, nullptr, subject.process->executable_.view());
        }
        const Ref<FsContext> context = subject.process->fs();
        if (!context)
            return fail(Errno::NoEnt); // a zombie
        Context& places = static_cast<Context&>(*context);
        return Ref<Node>(place_ == Place::Current ? places.current() : places.root());
    }

private:
    const Key key_;
    const Place place_;
};

// ---- directories ----

class DescriptorDirectory final : public Directory {
public:
    explicit DescriptorDirectory(Key key, u32 number)
        : Directory(kProcfs, 0500, Growth::Fixed, key.inode(number)), key_(key) {}
    bool generates() const override { return true; }
    Result<Ref<Node>> make_entry(const Caller*, StringView name) override {
        const auto descriptor = number_of(name);
        if (!descriptor)
            return fail(Errno::NoEnt);
        const Ref<FileTable> files = TRY(table());
        const auto open = files->get(*descriptor);
        if (!open)
            return fail(Errno::NoEnt);
        const u32 permissions = ((*open)->readable() ? 0500 : 0) | ((*open)->writable() ? 0300 : 0);
        return Ref<Node>(TRY(make_ref<DescriptorLink>(key_, *descriptor, permissions)));
    }
    Result<u64> list_entry(const Caller*, u64 position, Listing& to) override {
        const Ref<FileTable> files = TRY(table());
        for (; position < kMostDescriptors; ++position) {
            if (!files->get(static_cast<int>(position)))
                continue;
            const i32 descriptor = static_cast<i32>(position);
            write_number(to, descriptor, key_.inode(1, static_cast<u32>(descriptor)), kModeLink);
            return position + 1;
        }
        return fail(Errno::NoEnt);
    }

private:
    static constexpr u64 kMostDescriptors = 1024;
    Result<Ref<FileTable>> table() const {
        Ref<FileTable> files = TRY(key_.subject())
        .process->files();
        if (!files)
            return fail(Errno::NoEnt);
        return files;
    }
    const Key key_;
};

class SubjectDirectory;
Result<Ref<Node>> make_task_directory(Key key, u32 number);

/// What stands in /proc/PID and, but for task/, in /proc/PID/task/TID.
struct Member {
    const char* name;
    u32 type, permissions;
    SubjectWriter write = nullptr;
    Place place = Place::Current;
};
constexpr u32 kFile = kModeRegular, kFolder = kModeDirectory, kLink = kModeLink;
constexpr Member kMembers[] = {
    {"fd", kFolder, 0500},
    {"task", kFolder, 0555},
    {"cwd", kLink, 0777},
    {"root", kLink, 0777, nullptr, Place::Root},
    {"exe", kLink, 0777, nullptr, Place::Program},
    {"stat", kFile, 0444, write_process_stat},
    {"statm", kFile, 0444, write_process_statm},
    {"status", kFile, 0444, write_process_status},
    {"cmdline", kFile, 0444, write_process_arguments},
    {"environ", kFile, 0400, write_process_environment},
    {"auxv", kFile, 0400, write_process_auxv},
    {"maps", kFile, 0444, write_process_maps},
    {"smaps", kFile, 0444, write_process_smaps},
    {"comm", kFile, 0444, write_process_comm},
    {"limits", kFile, 0444, write_process_limits},
    {"io", kFile, 0400, write_process_io},
    {"mounts", kFile, 0444, write_mounts_of},
    {"mountinfo", kFile, 0444, write_mountinfo},
    {"cgroup", kFile, 0444, write_cgroup},
    {"oom_score", kFile, 0444, write_zero_line},
    {"oom_score_adj", kFile, 0644, write_zero_line},
    {"loginuid", kFile, 0644, write_zero_line},
    {"wchan", kFile, 0444, write_zero},
};
constexpr u32 kMemberCount = sizeof kMembers / sizeof kMembers[0];

class SubjectDirectory final : public Directory {
public:
    explicit SubjectDirectory(Key key) : Directory(kProcfs, 0555, Growth::Fixed, key.inode(0)), key_(key) {}
    bool generates() const override { return true; }
    Result<Ref<Node>> make_entry(const Caller*, StringView name) override {
        TRY(key_.subject());
        for (u32 n = 0; n < kMemberCount; ++n)
            if (name == kMembers[n].name && shown(kMembers[n]))
                return make(kMembers[n], number_of_member(n));
        return fail(Errno::NoEnt);
    }
    Result<u64> list_entry(const Caller*, u64 position, Listing& to) override {
        TRY(key_.subject());
        while (position < kMemberCount && !shown(kMembers[position]))
            ++position;
        if (position >= kMemberCount)
            return fail(Errno::NoEnt);
        const Member& member = kMembers[position];
        to.name.write(member.name);
        to.inode = key_.inode(number_of_member(static_cast<u32>(position)));
        to.type = member.type;
        return position + 1;
    }

private:
    static u32 number_of_member(u32 n) { return n + 2; }
    bool shown(const Member& member) const { return key_.thread == 0 || StringView(member.name) != StringView("task"); }
    Result<Ref<Node>> make(const Member& member, u32 number) {
        if (member.type == kFile)
            return Ref<Node>(TRY(make_ref<SubjectFile>(key_, member.permissions, number, member.write)));
        if (member.type == kLink)
            return Ref<Node>(TRY(make_ref<PlaceLink>(key_, number, member.place)));
        if (member.permissions == 0500)
            return Ref<Node>(TRY(make_ref<DescriptorDirectory>(key_, number)));
        return make_task_directory(key_, number);
    }
    const Key key_;
};

class TaskDirectory final : public Directory {
public:
    TaskDirectory(Key key, u32 number) : Directory(kProcfs, 0555, Growth::Fixed, key.inode(number)), key_(key) {}
    bool generates() const override { return true; }
    Result<Ref<Node>> make_entry(const Caller*, StringView name) override {
        const auto id = number_of(name);
        if (!id || TRY(next_thread(*id)) != *id)
            return fail(Errno::NoEnt);
        return Ref<Node>(TRY(make_ref<SubjectDirectory>(Key{key_.process, *id})));
    }
    Result<u64> list_entry(const Caller*, u64 position, Listing& to) override {
        const i32 id = TRY(next_thread(static_cast<i32>(position)));
        if (id == 0)
            return fail(Errno::NoEnt);
        write_number(to, id, Key{key_.process, id}.inode(0), kModeDirectory);
        return static_cast<u64>(id) + 1;
    }

private:
    /// The lowest thread id from `least` on; 0: none.
    Result<i32> next_thread(i32 least) const {
        const Subject subject = TRY(key_.subject());
        i32 best = 0;
        task::for_each_thread(*subject.process, [&](UserThread& thread) {
            const i32 id = thread.caller.thread_id;
            if (id >= least && id > 0 && (best == 0 || id < best))
                best = id;
        });
        return best;
    }
    const Key key_;
};

Result<Ref<Node>> make_task_directory(Key key, u32 number) {
    return Ref<Node>(TRY(make_ref<TaskDirectory>(key, number)));
}

/// /proc itself: its fixed files are in the table of names, the processes are made.
class ProcDirectory final : public Directory {
public:
    ProcDirectory() : Directory(kProcfs, 0555, Growth::Fixed) {}
    bool generates() const override { return true; }
    Result<Ref<Node>> make_entry(const Caller*, StringView name) override {
        const auto id = number_of(name);
        if (!id)
            return fail(Errno::NoEnt);
        if (!Key{*id}.subject())
            return fail(Errno::NoEnt);
        return Ref<Node>(TRY(make_ref<SubjectDirectory>(Key{*id})));
    }
    Result<u64> list_entry(const Caller*, u64 position, Listing& to) override {
        const Ref<Process> process = task::next_process(static_cast<i32>(position));
        if (!process)
            return fail(Errno::NoEnt);
        write_number(to, process->id(), Key{process->id()}.inode(0), kModeDirectory);
        return static_cast<u64>(process->id());
    }
};

/// /proc/self and /proc/thread-self.
class SelfLink final : public Link {
public:
    enum class Who : u8 { Process, Thread };
    explicit SelfLink(Who who) : Link(kProcfs, 0777, 0), who_(who) {}
    Result<Ref<LinkText>> text(const Caller* caller) override {
        if (caller == nullptr)
            return fail(Errno::NoEnt);
        FixedString<40> text;
        if (who_ == Who::Process)
            format_to(text, "{}", caller->process->id());
        else
            format_to(text, "{}/task/{}", caller->process->id(), caller->thread_id);
        return LinkText::make(text.view());
    }

private:
    const Who who_;
};

} // namespace

Result<Ref<Directory>> make_proc_directory() { return Ref<Directory>(TRY(make_ref<ProcDirectory>())); }

Result<void> add_proc_files(Directory& proc, StringView command_line) {
    TRY(proc.add("self", TRY(make_ref<SelfLink>(SelfLink::Who::Process))));
    TRY(proc.add("thread-self", TRY(make_ref<SelfLink>(SelfLink::Who::Thread))));
    TRY(proc.add("mounts", TRY(make_ref<Link>(TRY(LinkText::make("self/mounts")), kProcfs))));
    TRY(add_system_files(command_line));
    TRY(add_tollgate_files());
    TRY(add_reclaim_file(proc));
    return add_sysfs_files();
}

} // namespace tollgate::fs
