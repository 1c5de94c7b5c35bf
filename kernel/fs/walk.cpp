// The walk runs under the tree's lock, so that no node on the way is counted, and leaves it only where a directory or a
// link generates what it holds (procfs). Links do not nest calls: what is left of a path behind a link waits in a list
// that is made when the first one is met.
#include "fs/walk.h"

#include "fs/context.h"
#include "fs/permission.h"
#include "fs/vfs.h"
#include "lib/memory.h"
#include "lib/unique_ptr.h"
#include "task/process.h"

namespace tollgate::fs {
namespace {

constexpr unsigned kMaxLinks = 40; // of one walk [man 7 path_resolution]

/// Paths that wait until a link's text has been walked. None is empty or slashes only.
struct Detours {
    struct Waiting {
        StringView rest;
        Ref<LinkText> text; // what `rest` lies in; null for the caller's path
    };
    Waiting waiting[kMaxLinks];
};

bool only_slashes(const char* from, const char* end) {
    while (from != end && *from == '/')
        ++from;
    return from == end;
}

class Walk {
public:
    Walk(const WalkRequest& request, Walked& to)
        : request_(request), to_(to), rest_(request.path), privileged_(is_root(request.caller)) {}

    Result<void> run();

private:
    /// What has to be asked without the lock before the walk can go on.
    enum class Pause : u8 { None, Name, Link };

    Result<void> begin_locked() REQUIRES(tree_lock);
    Result<Pause> advance_locked() REQUIRES(tree_lock);
    Result<Pause> step_locked(Node& node) REQUIRES(tree_lock);
    Result<void> enter_link(Ref<LinkText> text);
    Result<void> go_up() REQUIRES(tree_lock);
    Result<void> missing();
    Result<void> finish(Node& node);
    void finish_without_name(Walked::Last last);
    Pause pause(Pause why) REQUIRES(tree_lock);
    Result<void> ask(Pause why);
    bool restricted(u32 how) const { return request_.resolve & how; }

    const WalkRequest& request_;
    Walked& to_;
    StringView rest_;    // what has not been walked of the running text
    Ref<LinkText> text_; // what rest_ lies in
    Directory* root_ = nullptr;
    Directory* at_ = nullptr;
    const bool privileged_;
    bool done_ = false;
    bool last_ = false; // name_ is the last of the whole path
    StringView name_;
    unsigned waiting_ = 0, links_ = 0;
    Owned<Detours> detours_;
    // While the lock is not held, and for generated nodes, which no directory holds:
    Ref<Directory> keep_at_, keep_root_;
    Ref<Node> asked_; // the link to ask, or the answer
};

Result<void> Walk::begin_locked() {
    Context* const context = request_.caller && request_.caller->fs ? &Context::of(*request_.caller) : nullptr;
    Directory& top = context ? context->root_locked() : base_root();
    Directory* const start = request_.start ? request_.start->as_directory()
                             : context      ? &context->current_locked()
                                            : &base_root();
    if (!start)
        return fail(Errno::NotDir);
    root_ = restricted(kResolveInRoot | kResolveBeneath) ? start : &top;
    at_ = start;
    if (is_absolute(rest_)) {
        if (restricted(kResolveBeneath))
            return fail(Errno::XDev);
        at_ = root_;
    }
    return {};
}

Result<void> Walk::go_up() {
    if (at_ != root_)
        at_ = &TreeAccess::parent(*at_);
    else if (restricted(kResolveBeneath))
        return fail(Errno::XDev);
    return {};
}

/// The walk under the lock, until it is done or has to pause.
Result<Walk::Pause> Walk::advance_locked() {
    while (!done_) {
        const char* at = rest_.begin();
        const char* const end = rest_.end();
        while (at != end && *at == '/')
            ++at;
        if (at == end) {
            if (waiting_ == 0) {
                finish_without_name(Walked::Last::Root);
                break;
            }
            Detours::Waiting& next = detours_->waiting[--waiting_];
            rest_ = next.rest;
            text_ = std::move(next.text);
            continue;
        }
        const char* const start = at;
        NameHash hash;
        do {
            hash.add(*at);
        } while (++at != end && *at != '/');
        name_ = StringView(start, static_cast<size_t>(at - start));
        rest_ = StringView(at, static_cast<size_t>(end - at));
        if (name_.size() > kMaxName)
            return fail(Errno::NameTooLong);
        last_ = waiting_ == 0 && only_slashes(at, end);
        if (last_ && at != end)
            to_.slash = true;
        if (!privileged_ && !may(request_.caller, *at_, kMayExecute))
            return fail(Errno::Access);

        if (*start == '.' && (name_.size() == 1 || (name_.size() == 2 && start[1] == '.'))) {
            if (name_.size() == 2)
                TRY(go_up());
            if (last_)
                finish_without_name(name_.size() == 2 ? Walked::Last::DotDot : Walked::Last::Dot);
            continue;
        }
        if (Entry* const entry = TreeAccess::find(*at_, name_, hash.value())) {
            if (const Pause why = TRY(step_locked(*entry->node)); why != Pause::None)
                return why;
        } else if (at_->generates()) {
            return pause(Pause::Name);
        } else {
            TRY(missing());
        }
    }
    return Pause::None;
}

/// The next name has led to this node.
Result<Walk::Pause> Walk::step_locked(Node& node) {
    const u32 type = node.type();
    if (type == kModeLink) {
        const bool slash_follows = to_.slash && request_.last_name == LastName::MustExist;
        if (!last_ || request_.last_link == LastLink::Follow || slash_follows) {
            if (restricted(kResolveNoSymlinks) || ++links_ > kMaxLinks)
                return fail(Errno::Loop);
            Link& link = *node.as_link();
            if (link.fixed_text()) {
                TRY(enter_link(link.fixed_text()));
                return Pause::None;
            }
            if (restricted(kResolveNoMagicLinks) && link.is_magic())
                return fail(Errno::Loop);
            asked_ = Ref<Node>(node);
            return pause(Pause::Link);
        }
    }
    if (last_) {
        TRY(finish(node));
        return Pause::None;
    }
    if (type != kModeDirectory)
        return fail(Errno::NotDir);
    at_ = node.as_directory();
    return Pause::None;
}

/// Goes on with a link's text; what is behind the link waits.
Result<void> Walk::enter_link(Ref<LinkText> text) {
    if (!last_) {
        if (!detours_)
            detours_ = TRY(make_owned<Detours>());
        if (!only_slashes(rest_.begin(), rest_.end()))
            detours_->waiting[waiting_++] = {rest_, std::move(text_)};
    }
    rest_ = text->view();
    text_ = std::move(text);
    if (rest_.empty())
        return fail(Errno::NoEnt);
    if (is_absolute(rest_)) {
        if (restricted(kResolveBeneath))
            return fail(Errno::XDev);
        at_ = root_;
    }
    return {};
}

Result<void> Walk::missing() {
    if (!last_ || request_.last_name == LastName::MustExist)
        return fail(Errno::NoEnt);
    to_.parent = Ref<Directory>(*at_);
    to_.name = name_;
    to_.text = std::move(text_);
    to_.last = Walked::Last::Name;
    done_ = true;
    return {};
}

Result<void> Walk::finish(Node& node) {
    done_ = true;
    to_.last = Walked::Last::Name;
    to_.node = Ref<Node>(node);
    if (request_.last_name == LastName::MustExist)
        return to_.slash && node.type() != kModeDirectory ? Result<void>(fail(Errno::NotDir)) : Result<void>();
    to_.parent = Ref<Directory>(*at_);
    to_.name = name_;
    to_.text = std::move(text_);
    return {};
}

void Walk::finish_without_name(Walked::Last last) {
    done_ = true;
    to_.last = last;
    to_.node = Ref<Node>(*at_);
}

/// Makes sure that where we are and where we began stay while nobody holds the lock.
Walk::Pause Walk::pause(Pause why) {
    // What these kept before is above or at what they keep now, or held by it: nothing is deleted under the lock.
    if (keep_at_.get() != at_)
        to_.parent = std::exchange(keep_at_, Ref<Directory>(*at_)); // dropped by ask(), without the lock
    if (!keep_root_)
        keep_root_ = Ref<Directory>(*root_);
    return why;
}

/// Without the lock: asks a directory for an entry, or a link for its target, and goes on with the answer.
Result<void> Walk::ask(Pause why) {
    to_.parent.reset();
    Ref<Node> node;
    if (why == Pause::Link) {
        const Ref<Node> holder = std::move(asked_);
        Link& link = *holder->as_link();
        if (!link.is_magic())
            return enter_link(TRY(link.text(request_.caller)));
        node = TRY(link.target(request_.caller));
        if (last_) {
            to_.node = node;
            to_.last = Walked::Last::Root;
            done_ = true;
            return to_.slash && node->type() != kModeDirectory ? Result<void>(fail(Errno::NotDir)) : Result<void>();
        }
        if (!node->as_directory())
            return fail(Errno::NotDir);
        keep_at_ = Ref<Directory>(*node->as_directory());
        at_ = keep_at_.get();
        return {};
    }
    auto made = at_->make_entry(request_.caller, name_);
    if (!made)
        return made.error() == Errno::NoEnt ? missing() : fail(made.error());
    node = std::move(*made);
    Directory* const directory = node->as_directory();
    if (directory)
        TRY(TreeAccess::attach(*directory, *at_, name_));
    asked_ = node;
    {
        Guard guard{tree_lock};
        const Pause again = TRY(step_locked(*node));
        if (again == Pause::Link)
            why = again;
        else
            why = Pause::None;
    }
    if (why == Pause::Link)
        return ask(why); // one level deeper at most: a link is asked, not a name
    if (!done_ && directory)
        keep_at_ = Ref<Directory>(*directory);
    asked_.reset();
    return {};
}

Result<void> Walk::run() {
    if (rest_.empty())
        return fail(Errno::NoEnt);
    bool begun = false;
    while (!done_) {
        Pause why;
        {
            Guard guard{tree_lock};
            if (!begun)
                TRY(begin_locked());
            begun = true;
            why = TRY(advance_locked());
        }
        if (why != Pause::None)
            TRY(ask(why));
    }
    return {};
}

} // namespace

Result<void> walk(const WalkRequest& request, Walked& to) { return Walk(request, to).run(); }

Result<Ref<Node>> lookup(const Caller* caller, Node* start, StringView path, LastLink last_link) {
    Walked walked;
    TRY(walk({caller, start, path, last_link}, walked));
    return std::move(walked.node);
}

Result<StringView> path_of(const Caller* caller, Node& node, std::span<char> buffer) {
    Guard guard{tree_lock};
    Directory* const root = caller && caller->fs ? &Context::of(*caller).root_locked() : &base_root();
    u64 start = buffer.size();
    const Node* at = &node;
    while (at != root && at != &base_root()) {
        const Entry* const entry = TreeAccess::own_entry(*at);
        if (!entry)
            return fail(Errno::NoEnt);
        if (entry->size + 1 > start)
            return fail(Errno::NameTooLong);
        start -= entry->size;
        memcpy(&buffer[start], entry->name().data(), entry->size);
        buffer[--start] = '/';
        at = entry->holder;
    }
    if (start == buffer.size()) {
        if (start == 0)
            return fail(Errno::NameTooLong);
        buffer[--start] = '/';
    }
    return StringView(&buffer[start], buffer.size() - start);
}

} // namespace tollgate::fs
