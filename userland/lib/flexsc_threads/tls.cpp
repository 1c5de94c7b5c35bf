// TLS blocks and TCBs of user threads: made by the dynamic loader (_dl_allocate_tls(), which glibc gives to its own
// parts; the same in a static program), so that every library's thread_local variables are there, and filled in as
// pthread_create() of glibc 2.36 fills its own. Where struct pthread keeps what, its debugger interface tells.
#include <cstdlib>
#include <cstring>
#include <link.h>

#include "userland/lib/flexsc_threads/thread.h"

extern "C" {
void* _dl_allocate_tls(void* storage);
void* _dl_allocate_tls_init(void* tcb, bool first);
void __ctype_init();
void __call_tls_dtors();
extern const std::ptrdiff_t __rseq_offset;
// Size in bits, number, offset of pthread::tid: for nptl_db.
extern const std::uint32_t _thread_db_pthread_tid[3];
// In a static program alone: frees malloc's cache of the thread, among others.
[[gnu::weak]] void __libc_thread_freeres();
}

namespace tollgate::threads {
namespace {

/// The head of struct pthread on x86-64, an interface between glibc and GCC, which knows the offset of the stack guard.
struct TcbHead {
    void* tcb;
    struct Dtv {
        std::uintptr_t value; // dtv[-1]: how many there are
        void* to_free;
    } * dtv;
    void* self;
    int multiple_threads;
    int scope_flag;
    std::uintptr_t sysinfo, stack_guard, pointer_guard;
};
static_assert(offsetof(TcbHead, stack_guard) == 0x28 && offsetof(TcbHead, pointer_guard) == 0x30);

/// The C library's own TLS block, relative to the TCB. It holds malloc's cache of the thread, which only the C library
/// can free and does not for us: a thread that takes over the TCB takes over the cache.
constinit std::ptrdiff_t libc_block = 0;
constinit std::size_t libc_size = 0;
constexpr std::size_t kMaxLibcSize = 512;

TcbHead& head_of(std::uintptr_t tcb) { return *reinterpret_cast<TcbHead*>(tcb); }

TcbHead& own_head() {
    TcbHead* head;
    asm("mov %%fs:0x10, %0" : "=r"(head));
    return *head;
}

int note_libc(dl_phdr_info* info, std::size_t, void*) {
    if (std::strstr(info->dlpi_name, "/libc.so.6") == nullptr || info->dlpi_tls_data == nullptr)
        return 0;
    for (unsigned i = 0; i < info->dlpi_phnum; ++i)
        if (info->dlpi_phdr[i].p_type == PT_TLS && info->dlpi_phdr[i].p_memsz <= kMaxLibcSize) {
            libc_block = static_cast<char*>(info->dlpi_tls_data) - reinterpret_cast<char*>(&own_head());
            libc_size = info->dlpi_phdr[i].p_memsz;
        }
    return 1;
}

void fill_in(std::uintptr_t tcb) {
    TcbHead& head = head_of(tcb);
    const TcbHead& own = own_head();
    head.tcb = head.self = &head;
    head.multiple_threads = 1; // the C library's own locks are to be real ones
    head.stack_guard = own.stack_guard;
    head.pointer_guard = own.pointer_guard;
    // rseq::cpu_id: the kernel writes to the kernel thread's area, not to this one [RSEQ_CPU_ID_UNINITIALIZED].
    *reinterpret_cast<std::int32_t*>(tcb + static_cast<std::uintptr_t>(__rseq_offset) + 4) = -1;
}

} // namespace

void find_tls_layout() { dl_iterate_phdr(&note_libc, nullptr); }

std::uintptr_t make_tls() {
    const auto tcb = reinterpret_cast<std::uintptr_t>(_dl_allocate_tls(nullptr));
    if (tcb != 0)
        fill_in(tcb);
    return tcb;
}

void renew_tls(std::uintptr_t tcb) {
    TcbHead::Dtv* const dtv = head_of(tcb).dtv;
    for (std::uintptr_t module = 0; module < dtv[-1].value; ++module)
        std::free(dtv[1 + module].to_free); // blocks of libraries that were loaded later
    std::memset(static_cast<void*>(dtv), 0, (dtv[-1].value + 1) * sizeof *dtv);
    alignas(16) char kept[kMaxLibcSize];
    char* const block = reinterpret_cast<char*>(tcb) + libc_block;
    std::memcpy(kept, block, libc_size);
    _dl_allocate_tls_init(reinterpret_cast<void*>(tcb), false);
    std::memcpy(block, kept, libc_size);
    fill_in(tcb);
}

void set_kernel_thread(std::uintptr_t tcb, int tid) {
    *reinterpret_cast<std::int32_t*>(tcb + _thread_db_pthread_tid[2]) = tid;
}

void enter_tls() {
    uselocale(LC_GLOBAL_LOCALE);
    __ctype_init();
}

void leave_tls() {
    __call_tls_dtors();
    if (__libc_thread_freeres != nullptr)
        __libc_thread_freeres();
}

/// A variable in TLS has the same place in every TCB.
Thread* of(pthread_t thread) {
    const auto offset = reinterpret_cast<char*>(&self) - reinterpret_cast<char*>(&own_head());
    return *reinterpret_cast<Thread**>(reinterpret_cast<char*>(thread) + offset);
}

} // namespace tollgate::threads
