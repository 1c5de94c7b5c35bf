// How a thread ends: create.cpp for what is left once its frames are gone, exit.cpp for unwinding them.
#pragma once

namespace tollgate::threads {

/// Destroys what the calling thread has in TLS and under keys, hands its value to whoever joins, and never returns.
[[noreturn]] void end_thread(void* value);

} // namespace tollgate::threads
