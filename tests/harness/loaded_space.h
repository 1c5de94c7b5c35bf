// For tests: an address space of its own, loaded on the running kernel thread, with a few writable pages at kBase.
#pragma once

#include "mem/address_space.h"
#include "mem/user_copy.h"
#include "sched/scheduler.h"

namespace tollgate::testing {

inline constexpr u64 kBase = 0x400000;

class LoadedSpace {
public:
    explicit LoadedSpace(u64 pages) {
        Result<Ref<AddressSpace>> made = AddressSpace::create();
        if (!made.has_value())
            return;
        space_ = std::move(*made);
        sched::current().set_space(space_);
        good_ = pages == 0 || space_
                                  ->map_anonymous(kBase, pages * kPageSize, Access::ReadWrite, AreaKind::Anonymous,
                                                  AddressSpace::Placement::Fixed)
                                  .has_value();
    }
    ~LoadedSpace() { sched::current().set_space({}); }
    LoadedSpace(const LoadedSpace&) = delete;
    LoadedSpace& operator=(const LoadedSpace&) = delete;

    bool good() const { return good_; }
    AddressSpace* operator->() const { return space_.get(); }

private:
    Ref<AddressSpace> space_;
    bool good_ = false;
};

} // namespace tollgate::testing
