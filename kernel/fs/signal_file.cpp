// All signalfds wait on one queue, which every signal wakes while there is one: it says only that something has come.
#include "fs/signal_file.h"

#include "task/process.h"
#include "task/signal_read.h"

namespace tollgate::fs {

namespace {

SignalRecord to_record(const SignalInfo& info) {
    SignalRecord record{};
    record.signal = static_cast<u32>(info.signal);
    record.error = info.error;
    record.code = info.code;
    switch (info.code) {
    case kCodeTimer:
        record.timer = static_cast<u32>(info.timer.id);
        record.overrun = static_cast<u32>(info.timer.overrun);
        record.value = info.timer.value;
        record.int_value = static_cast<i32>(info.timer.value);
        return record;
    default:
        break;
    }
    if (info.signal == task::kSigChild && info.code > 0) {
        record.process = static_cast<u32>(info.child.process);
        record.user = info.child.user;
        record.status = info.child.status;
        record.user_time = info.child.user_time;
        record.system_time = info.child.system_time;
        return record;
    }
    record.process = static_cast<u32>(info.sender.process);
    record.user = info.sender.user;
    if (info.code < 0 && info.code != kCodeTgkill) {
        record.value = info.sender.value;
        record.int_value = static_cast<i32>(info.sender.value);
    }
    return record;
}

} // namespace

SignalFile::SignalFile(SignalSet set) : set_(set) { task::count_signal_file(1); }
SignalFile::~SignalFile() { task::count_signal_file(-1); }

void SignalFile::set_signals(SignalSet set) {
    set_.store(set, kRelaxed);
    task::signal_arrivals_queue().wake_everything();
}

Result<u64> SignalFile::read(IoBuffer& buffer, u64, u32 flags) {
    if (buffer.size() < sizeof(SignalRecord))
        return fail(Errno::Inval);
    UserThread* const self = task::current_user_thread();
    if (self == nullptr)
        return fail(Errno::Again); // a worker core: nobody's signals
    for (;;) {
        u64 done = 0;
        SignalInfo info;
        while (buffer.size() >= sizeof(SignalRecord) && task::take_signal(*self, set_.load(kRelaxed), info)) {
            const SignalRecord record = to_record(info);
            TRY(buffer.put(&record, sizeof record));
            done += sizeof record;
        }
        if (done != 0)
            return done;
        if (flags & kOpenNonBlock)
            return fail(Errno::Again);
        TRY(task::signal_arrivals_queue().wait_while([&] { return !task::has_signal(*self, set_.load(kRelaxed)); }));
    }
}

u32 SignalFile::ready() {
    UserThread* const self = task::current_user_thread();
    return self != nullptr && task::has_signal(*self, set_.load(kRelaxed)) ? kPollIn : 0;
}

WaitQueue* SignalFile::ready_queue() { return &task::signal_arrivals_queue(); }

Result<FileStatus> SignalFile::status() const {
    FileStatus status{};
    status.links = 1;
    status.mode = 0600;
    status.block_size = 4096;
    return status;
}

} // namespace tollgate::fs
