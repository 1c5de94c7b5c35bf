// Tests of Result, TRY and the error names.
#include "lib/result.h"

#include "lib/string_view.h"
#include "tests/harness/test.h"

namespace tollgate {
namespace {

struct MoveOnly {
    explicit MoveOnly(int value) : number(value) {}
    MoveOnly(MoveOnly&& other) : number(other.number) { other.number = 0; }
    MoveOnly& operator=(MoveOnly&&) = delete;
    int number;
};

Result<int> positive(int value) {
    if (value <= 0)
        return fail(Errno::Range);
    return value;
}

Result<void> check(int value) {
    TRY(positive(value));
    return {};
}

Result<MoveOnly> wrap(int value) {
    TRY(check(value));
    return MoveOnly(TRY(positive(value)));
}

Result<long> twice(int value) {
    MoveOnly wrapped = TRY(wrap(TRY(positive(value))));
    return wrapped.number * 2L;
}

TEST(Result, TryYieldsTheValueOrReturnsTheError) {
    EXPECT_EQ(*twice(21), 42);
    ASSERT_FALSE(twice(-1).has_value());
    EXPECT_EQ(twice(-1).error(), Errno::Range);
    EXPECT_TRUE(check(1).has_value());
    EXPECT_EQ(check(0).error(), Errno::Range);
}

TEST(Result, TryTakesAnExistingResult) {
    const auto outer = []() -> Result<int> {
        Result<int> inner = positive(3);
        return TRY(inner)
        +1;
    };
    EXPECT_EQ(*outer(), 4);
}

TEST(Errno, NamesAreThoseOfC) {
    EXPECT_EQ(StringView(errno_name(Errno::Inval)), "EINVAL");
    EXPECT_EQ(StringView(errno_name(Errno::NotSup)), "EOPNOTSUPP");
    EXPECT_EQ(StringView(errno_name(static_cast<Errno>(4000))), "E?");
}

#ifndef __clang__
static_assert(std::is_trivially_copy_constructible_v<Result<u64>> && std::is_trivially_destructible_v<Result<u64>>,
              "or it could not be returned in registers");
#endif

} // namespace
} // namespace tollgate

#ifndef TOLLGATE_KERNEL
#include <cerrno>

namespace tollgate {

TEST(Errno, ValuesAreThoseOfLinux) {
    const auto same = [](Errno ours, int theirs) { return static_cast<int>(ours) == theirs; };
    EXPECT_TRUE(same(Errno::Perm, EPERM) && same(Errno::NoEnt, ENOENT) && same(Errno::Srch, ESRCH));
    EXPECT_TRUE(same(Errno::Intr, EINTR) && same(Errno::Io, EIO) && same(Errno::Nxio, ENXIO));
    EXPECT_TRUE(same(Errno::TooBig, E2BIG) && same(Errno::NoExec, ENOEXEC) && same(Errno::BadF, EBADF));
    EXPECT_TRUE(same(Errno::Child, ECHILD) && same(Errno::Again, EAGAIN) && same(Errno::NoMem, ENOMEM));
    EXPECT_TRUE(same(Errno::Access, EACCES) && same(Errno::Fault, EFAULT) && same(Errno::NotBlk, ENOTBLK));
    EXPECT_TRUE(same(Errno::Busy, EBUSY) && same(Errno::Exist, EEXIST) && same(Errno::XDev, EXDEV));
    EXPECT_TRUE(same(Errno::NoDev, ENODEV) && same(Errno::NotDir, ENOTDIR) && same(Errno::IsDir, EISDIR));
    EXPECT_TRUE(same(Errno::Inval, EINVAL) && same(Errno::NFile, ENFILE) && same(Errno::MFile, EMFILE));
    EXPECT_TRUE(same(Errno::NoTty, ENOTTY) && same(Errno::TxtBsy, ETXTBSY) && same(Errno::FBig, EFBIG));
    EXPECT_TRUE(same(Errno::NoSpc, ENOSPC) && same(Errno::SPipe, ESPIPE) && same(Errno::RoFs, EROFS));
    EXPECT_TRUE(same(Errno::MLink, EMLINK) && same(Errno::Pipe, EPIPE) && same(Errno::Dom, EDOM));
    EXPECT_TRUE(same(Errno::Range, ERANGE) && same(Errno::DeadLk, EDEADLK) && same(Errno::NoLck, ENOLCK));
    EXPECT_TRUE(same(Errno::NameTooLong, ENAMETOOLONG) && same(Errno::NoSys, ENOSYS));
    EXPECT_TRUE(same(Errno::NotEmpty, ENOTEMPTY) && same(Errno::Loop, ELOOP) && same(Errno::NoMsg, ENOMSG));
    EXPECT_TRUE(same(Errno::NoData, ENODATA) && same(Errno::Time, ETIME) && same(Errno::Proto, EPROTO));
    EXPECT_TRUE(same(Errno::BadMsg, EBADMSG) && same(Errno::Overflow, EOVERFLOW) && same(Errno::BadFd, EBADFD));
    EXPECT_TRUE(same(Errno::LibBad, ELIBBAD) && same(Errno::Ilseq, EILSEQ) && same(Errno::NotSock, ENOTSOCK));
    EXPECT_TRUE(same(Errno::DestAddrReq, EDESTADDRREQ) && same(Errno::MsgSize, EMSGSIZE));
    EXPECT_TRUE(same(Errno::Prototype, EPROTOTYPE) && same(Errno::NoProtoOpt, ENOPROTOOPT));
    EXPECT_TRUE(same(Errno::ProtoNoSupport, EPROTONOSUPPORT) && same(Errno::SocktNoSupport, ESOCKTNOSUPPORT));
    EXPECT_TRUE(same(Errno::NotSup, EOPNOTSUPP) && same(Errno::PfNoSupport, EPFNOSUPPORT));
    EXPECT_TRUE(same(Errno::AfNoSupport, EAFNOSUPPORT) && same(Errno::AddrInUse, EADDRINUSE));
    EXPECT_TRUE(same(Errno::AddrNotAvail, EADDRNOTAVAIL) && same(Errno::NetDown, ENETDOWN));
    EXPECT_TRUE(same(Errno::NetUnreach, ENETUNREACH) && same(Errno::NetReset, ENETRESET));
    EXPECT_TRUE(same(Errno::ConnAborted, ECONNABORTED) && same(Errno::ConnReset, ECONNRESET));
    EXPECT_TRUE(same(Errno::NoBufs, ENOBUFS) && same(Errno::IsConn, EISCONN) && same(Errno::NotConn, ENOTCONN));
    EXPECT_TRUE(same(Errno::ShutDown, ESHUTDOWN) && same(Errno::TimedOut, ETIMEDOUT));
    EXPECT_TRUE(same(Errno::ConnRefused, ECONNREFUSED) && same(Errno::HostDown, EHOSTDOWN));
    EXPECT_TRUE(same(Errno::HostUnreach, EHOSTUNREACH) && same(Errno::Already, EALREADY));
    EXPECT_TRUE(same(Errno::InProgress, EINPROGRESS) && same(Errno::Stale, ESTALE));
    EXPECT_TRUE(same(Errno::Canceled, ECANCELED) && same(Errno::OwnerDead, EOWNERDEAD));
    EXPECT_TRUE(same(Errno::NotRecoverable, ENOTRECOVERABLE));
}

} // namespace tollgate
#endif
