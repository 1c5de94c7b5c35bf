// What a terminal's settings look like to user programs [asm-generic/termbits.h, asm-generic/ioctls.h; man 3 termios].
#pragma once

#include "lib/types.h"

namespace tollgate::fs {

/// Indices into Termios::characters.
enum ControlCharacter : u8 {
    kVIntr,
    kVQuit,
    kVErase,
    kVKill,
    kVEof,
    kVTime,
    kVMin,
    kVSwtc,
    kVStart,
    kVStop,
    kVSusp,
    kVEol,
    kVReprint,
    kVDiscard,
    kVWerase,
    kVLnext,
    kVEol2,
    kControlCharacters = 19,
};

// input: c_iflag
inline constexpr u32 kIgnBrk = 01, kBrkInt = 02, kParMrk = 010, kIStrip = 040, kInlCr = 0100, kIgnCr = 0200,
                     kIcrNl = 0400, kIuclc = 01000, kIxOn = 02000, kIxAny = 04000, kIMaxBel = 020000, kIUtf8 = 040000;
// output: c_oflag
inline constexpr u32 kOPost = 01, kOlcuc = 02, kOnlCr = 04, kOcrNl = 010, kOnoCr = 020, kOnlRet = 040,
                     kTabDelay = 014000;
// control: c_cflag
inline constexpr u32 kBaudMask = 010017, kBaud38400 = 017, kBaudOther = 010000, kSize8 = 060, kCRead = 0200,
                     kHupClose = 02000;
// local: c_lflag
inline constexpr u32 kISig = 01, kICanon = 02, kEcho = 010, kEchoE = 020, kEchoK = 040, kEchoNl = 0100, kNoFlsh = 0200,
                     kToStop = 0400, kEchoCtl = 01000, kEchoPrt = 02000, kEchoKe = 04000, kIExten = 0100000;

/// The kernel's struct termios2, whose first 36 bytes are its struct termios.
struct Termios {
    u32 input = kIcrNl | kIxOn | kIUtf8;
    u32 output = kOPost | kOnlCr;
    u32 control = kBaud38400 | kSize8 | kCRead;
    u32 local = kISig | kICanon | kEcho | kEchoE | kEchoK | kEchoCtl | kEchoKe | kIExten;
    u8 line = 0; ///< N_TTY
    /// ^C ^\ ^? ^U ^D, TIME 0, MIN 1, -, ^Q ^S ^Z, -, ^R ^O ^W ^V [man 3 termios]
    u8 characters[kControlCharacters] = {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0};
    u32 input_speed = 38400, output_speed = 38400;

    bool in(u32 flag) const { return (input & flag) != 0; }
    bool out(u32 flag) const { return (output & flag) != 0; }
    bool has(u32 flag) const { return (local & flag) != 0; }
};
inline constexpr u64 kTermiosSize = 36;
static_assert(sizeof(Termios) == 44 && __builtin_offsetof(Termios, input_speed) == kTermiosSize);

/// [asm-generic/termios.h, struct winsize]
struct WindowSize {
    u16 rows = 0, columns = 0, width = 0, height = 0;
    bool operator==(const WindowSize&) const = default;
};
static_assert(sizeof(WindowSize) == 8);

// ioctl(2) requests [asm-generic/ioctls.h]
inline constexpr u32 kTcGets = 0x5401, kTcSets = 0x5402, kTcSetsW = 0x5403, kTcSetsF = 0x5404, kTcSendBreak = 0x5409,
                     kTcXonc = 0x540a, kTcFlush = 0x540b, kTiocExcl = 0x540c, kTiocNxcl = 0x540d,
                     kTiocSetTerminal = 0x540e, kTiocGetGroup = 0x540f, kTiocSetGroup = 0x5410, kTiocOutQ = 0x5411,
                     kTiocInject = 0x5412, kTiocGetWindow = 0x5413, kTiocSetWindow = 0x5414, kTiocModemGet = 0x5415,
                     kFionRead = 0x541b, kTiocPacket = 0x5420, kFionBio = 0x5421, kTiocNoTerminal = 0x5422,
                     kTcSendBreakTime = 0x5425, kTiocGetSession = 0x5429, kTiocSetLine = 0x5423, kTiocGetLine = 0x5424;
inline constexpr u32 kTcGets2 = 0x802c542a, kTcSets2 = 0x402c542b, kTcSetsW2 = 0x402c542c, kTcSetsF2 = 0x402c542d,
                     kTiocGetPtyNumber = 0x80045430, kTiocSetPtyLock = 0x40045431, kTiocGetPtyLock = 0x80045439,
                     kTiocGetPtyPeer = 0x5441;

// Device numbers [Linux: Documentation/admin-guide/devices.txt]
inline constexpr u32 kSerialMajor = 4, kTtyMajor = 5, kPtyMajor = 136;
inline constexpr u32 kTtyMinor = 0, kConsoleMinor = 1, kPtmxMinor = 2, kSerialMinor = 64;

} // namespace tollgate::fs
