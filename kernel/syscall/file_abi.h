// Layouts of Linux' x86-64 ABI for the calls on files. Source: Linux' uapi headers, named at each.
#pragma once

#include "fs/node.h"
#include "mem/frames.h"
#include "task/file.h"

namespace tollgate {

inline constexpr u32 kAtRemoveDirectory = 0x200, kAtEffective = 0x200, kAtFollowLink = 0x400; // [linux/fcntl.h]

struct OpenHow {
    u64 flags, mode, resolve;
}; // [linux/openat2.h]
static_assert(sizeof(OpenHow) == 24);

struct ExtendedTime {
    i64 seconds;
    u32 nanoseconds;
    i32 reserved;
};
struct ExtendedStatus { // [linux/stat.h, struct statx]
    u32 mask = 0x7ff;   // STATX_BASIC_STATS: all but the birth time
    u32 block_size = 4096;
    u64 attributes = 0;
    u32 links, user, group;
    u16 mode, pad = 0;
    u64 inode, size, blocks, attributes_mask = 0;
    ExtendedTime access, birth{}, change, modify;
    u32 special_major, special_minor, device_major, device_minor;
    u64 mount = 0;
    u32 direct_memory_alignment = 0, direct_offset_alignment = 0;
    u64 spare[12] = {};

    explicit ExtendedStatus(const FileStatus& status)
        : links(static_cast<u32>(status.links)), user(status.user), group(status.group),
          mode(static_cast<u16>(status.mode)), inode(status.inode), size(static_cast<u64>(status.size)),
          blocks(static_cast<u64>(status.blocks)), access(time(status.access_time, status.access_nanoseconds)),
          change(time(status.change_time, status.change_nanoseconds)),
          modify(time(status.modify_time, status.modify_nanoseconds)), special_major(major(status.special_device)),
          special_minor(minor(status.special_device)), device_major(major(status.device)),
          device_minor(minor(status.device)) {
        mask = 0x7ff;
    }

private:
    static ExtendedTime time(u64 seconds, u64 nanoseconds) {
        return {static_cast<i64>(seconds), static_cast<u32>(nanoseconds), 0};
    }
    static u32 major(u64 device) { return static_cast<u32>(device >> 8 & 0xfff); }
    static u32 minor(u64 device) { return static_cast<u32>((device & 0xff) | (device >> 12 & 0xfff00)); }
};
static_assert(sizeof(ExtendedStatus) == 256);

struct FileSystemStatus { // [asm-generic/statfs.h, struct statfs]
    u64 type, block_size = 4096, blocks, free_blocks, available_blocks, nodes = 0, free_nodes = 0;
    u64 id;
    u64 longest_name = 255, fragment_size = 4096, flags = 0x1020; // ST_RELATIME, and that they are valid
    u64 spare[4] = {};

    explicit FileSystemStatus(const fs::FileSystem& of)
        : type(of.magic), blocks(of.keeps_data ? frames::total_count() : 0),
          free_blocks(of.keeps_data ? frames::free_count() : 0), available_blocks(free_blocks), id(of.device) {}
};
static_assert(sizeof(FileSystemStatus) == 120);

} // namespace tollgate
