// What epoll(7) shows to user programs.
#pragma once

#include "lib/types.h"

namespace tollgate::fs {

/// [linux/eventpoll.h] beside kPoll*
inline constexpr u32 kEpollExclusive = 1u << 28, kEpollWakeUp = 1u << 29, kEpollOneShot = 1u << 30,
                     kEpollEdge = 1u << 31;

struct [[gnu::packed]] EpollEvent {
    u32 events;
    u64 data;
};
static_assert(sizeof(EpollEvent) == 12);

} // namespace tollgate::fs
