// kernel_main(): the boot order, one line a step, and every connection between layers that an include may not make.
#include "boot_info.h"
#include "bringup.h"
#include "cpu/apic.h"
#include "cpu/clock.h"
#include "cpu/features.h"
#include "cpu/interrupts.h"
#include "cpu/traps.h"
#include "cpu/user_return.h"
#include "debug/log.h"
#include "debug/panic.h"
#include "drivers/ioapic.h"
#include "drivers/machine.h"
#include "drivers/serial.h"
#include "fs/console.h"
#include "fs/random.h"
#include "fs/vfs.h"
#include "gate/fastcall/device.h"
#include "gate/fastcall/fault.h"
#include "gate/fastcall/report.h"
#include "gate/fastcall/space.h"
#include "gate/fastcall/watchdog.h"
#include "gate/flexsc/flexsc.h"
#include "gate/vdso/vdso.h"
#include "machine_file.h"
#include "mem/fail_alloc.h"
#include "mem/page_table.h"
#include "options.h"
#include "syscall/exec.h"
#include "syscall/futex.h"
#include "syscall/hooks.h"
#include "syscall/spma22.h"
#include "task/process.h"
#include "testing.h"
#include "version.h"

namespace tollgate {
namespace {

extern "C" const u8 __image_end[];

constinit const Options* options = nullptr;
constinit Bytes archive;

// ---- exceptions: what each means to the process that raised it ----

FaultOutcome handle_page_fault(u64 address, u64 error) {
    AddressSpace* space = sched::current().space();
    if (space == nullptr)
        return FaultOutcome::NoArea;
    using Access = AddressSpace::FaultAccess;
    return space->handle_fault(address, error & kPfFetch   ? Access::Execute
                                        : error & kPfWrite ? Access::Write
                                                           : Access::Read);
}

bool resolve_page_fault(u64 address, u64 error) { return handle_page_fault(address, error) == FaultOutcome::Resolved; }

void signal_exception(TrapFrame& frame, u64 address) {
    FaultOutcome outcome = FaultOutcome::NoArea;
    if (frame.vector == kVectorPf && address < kUserTop) {
        outcome = handle_page_fault(address, frame.error); // asked again, for the reason
        if (outcome == FaultOutcome::Resolved && (frame.error & kPfUser))
            return; // another thread has mapped it meanwhile
    }
    task::raise_exception(frame, address, outcome);
}

void signal_bad_frame(TrapFrame& frame) {
    frame.vector = kVectorNone;
    cpu_request_work(kWorkFullReturn); // whatever becomes of the frame is checked again
    task::force_signal(*task::current_user_thread(), task::kernel_signal(task::kSigSegv), frame,
                       "return to an address that is not user code's");
}

// ---- the end ----

void stop_others() {
    cpus_stopped.store(1, kSeqCst);
    for (unsigned n = 0; n < cpu_count(); ++n)
        if (n != this_cpu().number && cpu_by_number(n).online.load(kAcquire))
            apic::send_nmi(cpu_by_number(n).apic_id);
}

void describe_running(Sink& sink) {
    const Cpu& cpu = this_cpu();
    if (cpu.current == nullptr)
        return format_to(sink, "running: boot\n");
    format_to(sink, "running: thread {}", cpu.current->name());
    if (cpu.current->caller == nullptr)
        return format_to(sink, ", a kernel thread\n");
    const TrapFrame& frame = cpu.current->user_frame();
    format_to(sink, ", process {} [{}], entered by ", cpu.current->caller->process->name(),
              cpu.current->caller->process->id());
    if (frame.vector == kVectorSyscall)
        format_to(sink, "the native gate, call {}\n", frame.error);
    else if (frame.vector == kVectorInt80)
        format_to(sink, "the int 0x80 gate, call {}\n", frame.error);
    else
        format_to(sink, "{}\n", exception_name(frame.vector));
}

void connect_layers() {
    set_trap_handlers({.user_page_fault = resolve_page_fault,
                       .user_exception = signal_exception,
                       .fastcall_fault = fastcall::handle_fault,
                       .nmi = fastcall::watchdog_nmi,
                       .kernel_exception = [](TrapFrame& frame, u64 address) { panic_exception(frame, address); },
                       .timer = sched::on_timer,
                       .reschedule = sched::on_reschedule,
                       .is_stack = [](u64 address) { return !KernelStack::is_guard(VirtAddr{address}); }});
    set_return_hooks({.reschedule = sched::yield, .thread_work = task::thread_work, .bad_frame = signal_bad_frame});
    AddressSpace::set_destroyed_hook(fastcall::space_destroyed);
    task::set_hooks({.first_fs_context = fs::make_first_context,
                     .open_program = open_program,
                     .write_path = write_program_path,
                     .random = fs::fill_random,
                     .map_vdso = vdso::map_into,
                     .withdraw_pages = flexsc::withdraw_pages,
                     .wake_futex = futex_wake_one,
                     .release_robust_list = futex_release_robust_list});
    syscall_set_hooks({.flexsc_register = flexsc::register_pages,
                       .flexsc_wait = flexsc::wait,
                       .fastcall_unmap = [](Caller& caller, u64 address, u64 length) {
                           return fastcall::deregister(*caller.space, address, length);
                       }});
}

template <class R>
void require(const R& result, const char* what) {
    if (!result.has_value())
        panic("{}: {}", what, result.error());
}

void build_file_tree() {
    fs::set_debug_console(machine::debugcon_write);
    require(fs::initialise(archive, options->init), "the program archive");
    require(fs::add_text_file("/proc/tollgate/machine", write_machine_file), "/proc/tollgate/machine");
    fs::set_kernel_areas(fastcall::list_areas);
    require(fs::add_text_file("/proc/tollgate/fastcall", fastcall::write_report), "/proc/tollgate/fastcall");
    require(fs::add_device("fastcall-examples", fastcall::open_examples), "/dev/fastcall-examples");
    if (options->spma22) {
        spma22::enable();
        require(fs::add_device("fccmp", spma22::open_device), "/dev/fccmp");
    }
}

// ---- the console's keyboard ----

/// Without an I/O APIC, or a vector that is free, somebody has to ask the port.
void poll_console(void*) {
    constexpr u64 kIntervalNs = 10'000'000;
    x86::sti();
    for (;;) {
        (void)sched::sleep_until(clock_monotonic_ns() + kIntervalNs);
        InterruptGuard interrupts; // as the receiver expects
        serial::receive();
    }
}

void start_console_input() {
    if (!serial::present())
        return;
    serial::set_receiver({.bytes = fs::console_received, .on_break = fs::console_break});
    const u8 vector = claim_vector(serial::receive, "serial");
    if (vector != 0 && ioapic::route_isa(serial::kIsaInterrupt, vector, cpu_by_number(0).apic_id))
        return serial::enable_interrupt();
    log("no interrupt for the serial port: it is polled");
    const Result<Ref<Thread>> poller = Thread::create("serial", poll_console, nullptr);
    require(poller, "the serial port's thread");
    sched::start(**poller);
}

// ---- the first program ----

Result<Ref<FileTable>> console_files() {
    Ref<FileTable> files = TRY(make_ref<FileTable>());
    Ref<OpenFile> console = TRY(fs::open(nullptr, nullptr, "/dev/console", kOpenReadWrite));
    for (int descriptor = 0; descriptor < 3; ++descriptor)
        (void)TRY(files->add(console, false));
    return files;
}

Result<int> run_init() {
    constexpr size_t kMaxArguments = 32;
    StringView arguments[kMaxArguments] = {options->init};
    size_t count = 1;
    for (Words words(options->init_arguments); count < kMaxArguments;) {
        const auto word = words.next();
        if (!word)
            break;
        arguments[count++] = unquoted(*word);
    }
    static constexpr StringView kEnvironment[] = {"PATH=/bin", "HOME=/", "TERM=dumb"};
    const Ref<Process> init = TRY(task::spawn(options->init, {arguments, count}, kEnvironment, TRY(console_files())));
    fail_alloc::every(options->fail_alloc_every);
    return task::wait_for_init();
}

void main_thread(void*) {
    x86::sti();
    if (options->run_kernel_tests)
        machine::end(run_kernel_tests() ? machine::Verdict::Pass : machine::Verdict::Fail);
    const Result<int> status = run_init();
    if (!status.has_value())
        panic("init program {}: {}; {}", options->init, status.error(),
              status.error() == Errno::NoEnt    ? "is it in the archive (-initrd)?"
              : status.error() == Errno::NoExec ? "it must be a static x86-64 ELF program"
              : status.error() == Errno::NoMem  ? "give the machine more memory (-m)"
                                                : "it cannot be started");
    if (*status != 0)
        log("init program {} ended with wait status {:#x}", options->init, *status);
    machine::end(*status == 0 ? machine::Verdict::Pass : machine::Verdict::Fail);
}

} // namespace

extern "C" [[noreturn]] void kernel_main(BootProtocol protocol, u64 information) {
    serial::initialise();
    log_set_console(serial::write, serial::write_raw);
    set_panic_hooks(
        {.stop_others = nullptr, .end = [] { machine::end(machine::Verdict::Panic); }, .describe = nullptr});
    cpu_detect();
    const BootInfo& info = read_boot_info(protocol, PhysAddr{information});
    options = &read_options(info.command_line);
    log("Tollgate {} on {}, {}", kVersionCommit, info.protocol, cpu_features.vendor);
    const AcpiInfo& acpi = read_acpi(info);
    machine::disable_8259();
    patch_apply(options->patches);
    frames::initialise(info, image_to_phys(__image_end));
    paging::initialise(options->pti, frames::top());
    if (info.initial_archive)
        archive = Bytes(direct<const std::byte>(info.initial_archive->base), info.initial_archive->length);
    connect_layers();
    bring_up_boot_cpu(acpi);
    bring_up_others(acpi);
    ioapic::initialise(acpi);
    set_panic_hooks({.stop_others = stop_others,
                     .end = [] { machine::end(machine::Verdict::Panic); },
                     .describe = describe_running});
    sched::set_roles(static_cast<unsigned>(options->flexsc_workers),
                     options->flexsc_shared ? sched::Sharing::Shared : sched::Sharing::Dedicated,
                     options->flexsc_mwait ? sched::Rest::Monitor : sched::Rest::Halt);
    require(fastcall::initialise(options->fastcall_check ? fastcall::Check::On : fastcall::Check::Off), "fastcalls");
    fastcall::watchdog_initialise(options->fastcall_budget_ms);
    require(vdso::initialise(options->spma22 ? vdso::Functions::Spma22 : vdso::Functions::Plain), "the vDSO");
    task::set_address_randomisation(options->aslr);
    machine_file_use(*options);
    build_file_tree();
    start_console_input();
    require(flexsc::start({.policy = options->flexsc_policy, .spin_us = options->flexsc_spin_us}), "FlexSC workers");
    log("{} CPUs ({} workers), {} MiB free, pti={}, TSC {} MHz", cpu_count(), sched::worker_count(),
        frames::free_count() >> 8, options->pti ? "on" : "off", clock_tsc_hz() / 1'000'000);
    const Result<Ref<Thread>> main = Thread::create("main", main_thread, nullptr);
    require(main, "the main thread");
    sched::start(**main);
    sched::run_idle();
}

} // namespace tollgate
