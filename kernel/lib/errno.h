// Error numbers with the values of Linux x86-64, as user programs see them negated in RAX. The names drop the leading E
// because <errno.h> makes macros of the full ones on the host. Dispatch turns an Errno into -errno, once.
// Source of the values: Linux uapi, asm-generic/errno-base.h and asm-generic/errno.h.
#pragma once

#include "lib/types.h"

namespace tollgate {

enum class Errno : int {
    Perm = 1,
    NoEnt = 2,
    Srch = 3,
    Intr = 4,
    Io = 5,
    Nxio = 6,
    TooBig = 7,
    NoExec = 8,
    BadF = 9,
    Child = 10,
    Again = 11,
    NoMem = 12,
    Access = 13,
    Fault = 14,
    NotBlk = 15,
    Busy = 16,
    Exist = 17,
    XDev = 18,
    NoDev = 19,
    NotDir = 20,
    IsDir = 21,
    Inval = 22,
    NFile = 23,
    MFile = 24,
    NoTty = 25,
    TxtBsy = 26,
    FBig = 27,
    NoSpc = 28,
    SPipe = 29,
    RoFs = 30,
    MLink = 31,
    Pipe = 32,
    Dom = 33,
    Range = 34,
    DeadLk = 35,
    NameTooLong = 36,
    NoLck = 37,
    NoSys = 38,
    NotEmpty = 39,
    Loop = 40,
    NoMsg = 42,
    NoData = 61,
    Time = 62,
    Proto = 71,
    BadMsg = 74,
    Overflow = 75,
    BadFd = 77,
    LibBad = 80,
    Ilseq = 84,
    NotSock = 88,
    DestAddrReq = 89,
    MsgSize = 90,
    Prototype = 91,
    NoProtoOpt = 92,
    ProtoNoSupport = 93,
    SocktNoSupport = 94,
    NotSup = 95,
    PfNoSupport = 96,
    AfNoSupport = 97,
    AddrInUse = 98,
    AddrNotAvail = 99,
    NetDown = 100,
    NetUnreach = 101,
    NetReset = 102,
    ConnAborted = 103,
    ConnReset = 104,
    NoBufs = 105,
    IsConn = 106,
    NotConn = 107,
    ShutDown = 108,
    TooManyRefs = 109,
    TimedOut = 110,
    ConnRefused = 111,
    HostDown = 112,
    HostUnreach = 113,
    Already = 114,
    InProgress = 115,
    Stale = 116,
    Canceled = 125,
    OwnerDead = 130,
    NotRecoverable = 131,
    // Never seen by user code: task/signal makes EINTR of them, or the call is made again [Linux,
    // include/linux/errno.h].
    RestartSys = 512,       ///< interrupted before it did anything: again after SA_RESTART handlers, or none
    RestartNoHandler = 514, ///< again only if no handler ran
    RestartBlock = 516,     ///< likewise, but by restart_syscall: see CallToRestart
};

/// The C name ("EINVAL") of an error, for logs; "E?" for a value that is not in the table.
const char* errno_name(Errno error);

} // namespace tollgate
