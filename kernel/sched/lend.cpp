// Lending a core: a thread runs another one, on that one's kernel stack, as if it called it. Neither vector registers
// nor address space change, and the ready queue is not looked at. If the borrower must wait, the loan ends: the
// lender goes on at once, and the borrower is from then on a thread like any other, until it parks. FlexSC executes
// system calls that way, which seldom wait and must not keep the next ones from being executed when they do.
//
// A parked thread is in state New and on no queue; whoever holds it may lend to it once is_parked() says that the core
// on which it ran last has left its stack. A lender is Running all the while, and hears afterwards of what has been
// asked of it: meanwhile `current` was the borrower.
#include "cpu/trap_frame.h"
#include "debug/panic.h"
#include "sched/scheduler_internal.h"

namespace tollgate {
extern "C" void switch_context(u64* save_rsp, u64 new_rsp);

bool Scheduler::lend(Thread& borrower) {
    InterruptGuard interrupts;
    Cpu& cpu = this_cpu();
    Thread& self = *cpu.current;
    ASSERT(is_parked(borrower) && !self.is_lent());
    borrower.cpu_.store(cpu.number, kRelaxed);
    borrower.affinity_.store(self.affinity_.load(kRelaxed), kRelaxed);
    borrower.lender_ = &self;
    borrower.on_core_.store(true, kRelaxed);
    borrower.state_.store(ThreadState::Running, kRelaxed);
    cpu.current = &borrower;
    switch_context(&self.saved_rsp_, borrower.saved_rsp_);
    cpu.current = &self;
    const bool given_back = self.given_back_;
    // Release: as in finish_switch(). If it waits, it is anybody's after this line.
    borrower.on_core_.store(false, kRelease);
    if (cpu.loaded_space != self.space_.get()) [[unlikely]] { // it looked at another one as it had to wait
        if (self.space_)
            self.space_->load();
        else
            AddressSpace::load_kernel_only();
    }
    if (self.killed_.load(kSeqCst) || self.interrupted_.load(kSeqCst)) [[unlikely]]
        cpu_request_work(kWorkThread);
    if (!(self.affinity_.load(kSeqCst) >> cpu.number & 1)) [[unlikely]] // must_move(), which asks for idle threads too
        cpu_request_work(kWorkReschedule);
    return given_back;
}

void Scheduler::give_back() {
    InterruptGuard interrupts;
    Thread& self = *this_cpu().current;
    Thread& lender = *self.lender_;
    self.lender_ = nullptr;
    self.state_.store(ThreadState::New, kRelaxed);
    lender.given_back_ = true;
    switch_context(&self.saved_rsp_, lender.saved_rsp_);
}

// In place of schedule(). The borrower is Blocked, or Ready and in this core's queue if it has been woken already, or
// Running if it yields.
void Scheduler::end_loan(Thread& borrower) {
    Thread& lender = *borrower.lender_;
    const unsigned here = this_cpu().number;
    borrower.lender_ = nullptr;
    borrower.urgent_ = lender.urgent_;
    lender.given_back_ = false;
    core(here).threads.fetch_add(1, kRelaxed);
    if (borrower.state_.load(kRelaxed) == ThreadState::Running) {
        borrower.state_.store(ThreadState::Ready, kRelaxed);
        move(borrower, here); // into the queue of the core on which it is
    }
    switch_context(&borrower.saved_rsp_, lender.saved_rsp_);
    finish_switch(); // it runs again, and a switch has brought it here
}

void Scheduler::park() {
    InterruptGuard interrupts;
    Thread& self = *this_cpu().current;
    ASSERT(!self.is_lent());
    core(self.cpu_.load(kRelaxed)).threads.fetch_sub(1, kRelaxed);
    self.state_.store(ThreadState::New, kRelaxed);
    schedule(); // returns by lend(), which leaves finish_switch() nothing to do
}

} // namespace tollgate
