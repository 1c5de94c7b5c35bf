// Each rule of clone(2) and clone3(2), one by one.
#include "task/clone_flags.h"

#include "lib/address.h"
#include "tests/harness/test.h"

namespace tollgate::task {
namespace {

constexpr u64 kThread = kCloneVm | kCloneFs | kCloneFiles | kCloneSigHand | kCloneThread;

Errno error_of(u64 flags) {
    const auto checked = check_clone({.flags = flags});
    return checked ? Errno{} : checked.error();
}

TEST(CloneFlags, UsualSetsPass) {
    EXPECT_EQ(error_of(0), Errno{});
    EXPECT_EQ(error_of(kThread | kCloneSysVSem | kCloneSetTls | kCloneParentSetTid | kCloneChildClearTid), Errno{});
    EXPECT_EQ(error_of(kCloneVm | kCloneVfork), Errno{});
    EXPECT_EQ(error_of(kCloneVm | kCloneVfork | kCloneClearSigHand), Errno{});
    EXPECT_EQ(error_of(kCloneChildSetTid | kCloneChildClearTid), Errno{});
    EXPECT_EQ(error_of(kCloneFs | kCloneFiles | kCloneParent | kCloneIo | kCloneUntraced), Errno{});
}

TEST(CloneFlags, SetsWithoutMeaningAreRefused) {
    EXPECT_EQ(error_of(kCloneThread), Errno::Inval);
    EXPECT_EQ(error_of(kCloneThread | kCloneSigHand), Errno::Inval);
    EXPECT_EQ(error_of(kCloneThread | kCloneVm), Errno::Inval);
    EXPECT_EQ(error_of(kCloneSigHand), Errno::Inval);
    EXPECT_EQ(error_of(kThread | kCloneClearSigHand), Errno::Inval);
    EXPECT_EQ(error_of(kThread & ~kCloneFiles), Errno::Inval);
    for (const u64 space : {u64{kCloneNewMounts}, u64{0x200'0000}, u64{0x400'0000}, u64{0x800'0000}, u64{0x1000'0000},
                            u64{0x2000'0000}, u64{0x4000'0000}, u64{kClonePidFd}, u64{1} << 33, u64{1} << 40})
        EXPECT_EQ(error_of(space), Errno::Inval);
}

TEST(CloneFlags, AddressesAreUserAddresses) {
    EXPECT_FALSE(check_clone({.flags = kThread, .stack = kUserTop + 1}).has_value());
    EXPECT_TRUE(check_clone({.flags = kThread, .stack = kUserTop - 16}).has_value());
    EXPECT_FALSE(check_clone({.flags = kThread | kCloneSetTls, .tls = kUserTop}).has_value());
    EXPECT_TRUE(check_clone({.flags = kThread, .tls = kUserTop}).has_value());
}

TEST(CloneFlags, CloneTakesTheSignalOutOfItsFlags) {
    const CloneArguments plain = clone_arguments(0xffff'ffff'0000'0000 | kCloneVm | kCloneDetached | 17, 1, 2, 3, 4);
    EXPECT_EQ(plain.flags, kCloneVm);
    EXPECT_EQ(plain.exit_signal, 17);
    EXPECT_TRUE(plain.stack == 1 && plain.parent_tid == 2 && plain.child_tid == 3 && plain.tls == 4);
    EXPECT_EQ(clone_arguments(65, 0, 0, 0, 0).exit_signal, 0);
}

TEST(CloneFlags, Clone3ChecksItsFields) {
    const auto error = [](const Clone3Arguments& given) {
        const auto made = clone_arguments(given);
        return made ? Errno{} : made.error();
    };
    EXPECT_EQ(error({.exit_signal = 17}), Errno{});
    EXPECT_EQ(error({.exit_signal = 65}), Errno::Inval);
    EXPECT_EQ(error({.flags = 17}), Errno::Inval);
    EXPECT_EQ(error({.flags = kCloneDetached}), Errno::Inval);
    EXPECT_EQ(error({.flags = kThread, .exit_signal = 17}), Errno::Inval);
    EXPECT_EQ(error({.flags = kCloneParent, .exit_signal = 17}), Errno::Inval);
    EXPECT_EQ(error({.stack = 4096}), Errno::Inval);
    EXPECT_EQ(error({.stack_size = 4096}), Errno::Inval);
    EXPECT_EQ(error({.stack = ~u64{0}, .stack_size = 4096}), Errno::Inval);
    EXPECT_EQ(error({.stack = kUserTop, .stack_size = 4096}), Errno::Inval);
    EXPECT_EQ(error({.set_tid = 4096, .set_tid_size = 1}), Errno::Perm);
    EXPECT_EQ(error({.set_tid_size = 1}), Errno::Inval);
    EXPECT_EQ(error({.set_tid = 4096, .set_tid_size = 33}), Errno::Inval);
    const auto made = clone_arguments({.stack = 0x10000, .stack_size = 0x1000});
    EXPECT_TRUE(made && made->stack == 0x11000);
}

} // namespace
} // namespace tollgate::task
