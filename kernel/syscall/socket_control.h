// Ancillary data of sendmsg(2) and recvmsg(2): open files and credentials [man 3 cmsg, man 7 unix].
#pragma once

#include "net/socket.h"

namespace tollgate {

/// Takes what the control buffer of a sendmsg(2) says into the message. Errors: Inval, BadF, Perm, TooManyRefs, NoBufs,
/// Fault, NoMem.
Result<void> read_control(Caller& caller, const net::MessageHeader& header, net::Sending& to);

/// Gives a receiver what has come, as far as its buffer goes. `header` gets the size of what was written, and
/// MSG_CTRUNC if something is lost. Descriptors are made here. Errors: Fault.
Result<void> write_control(Caller& caller, net::MessageHeader& header, net::Receiving& from, u32 flags);

} // namespace tollgate
