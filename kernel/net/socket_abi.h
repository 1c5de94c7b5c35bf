// Layouts and constants of Linux' socket calls [linux/socket.h, asm-generic/socket.h, linux/un.h].
#pragma once

#include "lib/types.h"

namespace tollgate::net {

inline constexpr u16 kFamilyUnspecified = 0, kFamilyUnix = 1;
inline constexpr u32 kTypeStream = 1, kTypeDatagram = 2, kTypeRaw = 3, kTypePacket = 5; // SOCK_*; 5 is SOCK_SEQPACKET
inline constexpr u32 kTypeMask = 0xf;

// MSG_*
inline constexpr u32 kMessageOutOfBand = 1, kMessagePeek = 2, kMessageControlTruncated = 8, kMessageTruncated = 0x20,
                     kMessageDoNotWait = 0x40, kMessageEndOfRecord = 0x80, kMessageWaitAll = 0x100,
                     kMessageNoSignal = 0x4000, kMessageWaitForOne = 0x10000, kMessageCloseOnExec = 0x40000000;

/// struct msghdr
struct MessageHeader {
    u64 name;
    u32 name_size, pad;
    u64 vectors, vector_count;
    u64 control, control_size;
    u32 flags, pad2;
};
static_assert(sizeof(MessageHeader) == 56);
/// struct mmsghdr
struct MessageOfMany {
    MessageHeader header;
    u32 length, pad;
};
static_assert(sizeof(MessageOfMany) == 64);
/// struct cmsghdr
struct ControlHeader {
    u64 size;
    i32 level, type;
};
static_assert(sizeof(ControlHeader) == 16);
inline constexpr i32 kControlRights = 1, kControlCredentials = 2; // SCM_*

/// struct ucred
struct PeerCredentials {
    i32 process = 0;
    u32 user = ~0u, group = ~0u;
};
static_assert(sizeof(PeerCredentials) == 12);

// Options of SOL_SOCKET
inline constexpr int kLevelSocket = 1;
inline constexpr int kOptionDebug = 1, kOptionReuseAddress = 2, kOptionType = 3, kOptionError = 4, kOptionDontRoute = 5,
                     kOptionBroadcast = 6, kOptionSendBuffer = 7, kOptionReceiveBuffer = 8, kOptionKeepAlive = 9,
                     kOptionLinger = 13, kOptionReusePort = 15, kOptionPassCredentials = 16,
                     kOptionPeerCredentials = 17, kOptionReceiveLow = 18, kOptionSendLow = 19, kOptionReceiveTime = 20,
                     kOptionSendTime = 21, kOptionAccepts = 30, kOptionSendBufferForce = 32,
                     kOptionReceiveBufferForce = 33, kOptionProtocol = 38, kOptionDomain = 39;

/// shutdown(2)
inline constexpr int kShutRead = 0, kShutWrite = 1, kShutBoth = 2;

/// The largest address of any family [struct sockaddr_storage].
inline constexpr u32 kMostAddress = 128;

} // namespace tollgate::net
