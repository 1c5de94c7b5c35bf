// nontemporal.S for C++.
#pragma once

namespace tollgate {

/// Copies 64 bytes past the cache, and waits until they are there. Both addresses are multiples of 32, the target's
/// line is its own. Keeps all vector registers, so that the user's may be in them. Needs cpu_features.avx2.
extern "C" void nontemporal_copy64(void* to, const void* from);

} // namespace tollgate
