// Finds functions in the vDSO as the dynamic linker and programs with a parser of their own do: by the program headers
// of the image that AT_SYSINFO_EHDR names, its dynamic section, and either of its hash tables [man 7 vdso].
#pragma once

#include <cstdint>
#include <cstring>
#include <elf.h>

namespace tollgate {

/// The shared object as it lies in memory: everything found by its program headers alone.
struct VdsoImage {
    const unsigned char* base = nullptr;
    const Elf64_Sym* symbols = nullptr;
    const char* strings = nullptr;
    const Elf64_Half* versions = nullptr;
    const Elf64_Verdef* definitions = nullptr;
    const uint32_t* hash = nullptr;
    const uint32_t* gnu_hash = nullptr;
    const char* name = nullptr;
    bool has_frames = false;

    bool read(unsigned long address) {
        base = reinterpret_cast<const unsigned char*>(address);
        const auto* header = reinterpret_cast<const Elf64_Ehdr*>(base);
        if (std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_type != ET_DYN)
            return false;
        const auto* segments = reinterpret_cast<const Elf64_Phdr*>(base + header->e_phoff);
        const Elf64_Dyn* dynamic = nullptr;
        uint64_t bias = address;
        bool loaded = false;
        for (unsigned i = 0; i < header->e_phnum; ++i) {
            if (segments[i].p_type == PT_LOAD && !loaded) {
                bias = address + segments[i].p_offset - segments[i].p_vaddr;
                loaded = true;
            }
            has_frames |= segments[i].p_type == PT_GNU_EH_FRAME;
        }
        for (unsigned i = 0; i < header->e_phnum; ++i)
            if (segments[i].p_type == PT_DYNAMIC)
                dynamic = reinterpret_cast<const Elf64_Dyn*>(bias + segments[i].p_vaddr);
        if (!loaded || dynamic == nullptr)
            return false;
        uint64_t name_offset = 0;
        for (; dynamic->d_tag != DT_NULL; ++dynamic) {
            const uint64_t at = bias + dynamic->d_un.d_ptr;
            switch (dynamic->d_tag) {
            case DT_SYMTAB:
                symbols = reinterpret_cast<const Elf64_Sym*>(at);
                break;
            case DT_STRTAB:
                strings = reinterpret_cast<const char*>(at);
                break;
            case DT_HASH:
                hash = reinterpret_cast<const uint32_t*>(at);
                break;
            case DT_GNU_HASH:
                gnu_hash = reinterpret_cast<const uint32_t*>(at);
                break;
            case DT_VERSYM:
                versions = reinterpret_cast<const Elf64_Half*>(at);
                break;
            case DT_VERDEF:
                definitions = reinterpret_cast<const Elf64_Verdef*>(at);
                break;
            case DT_SONAME:
                name_offset = dynamic->d_un.d_val;
                break;
            }
        }
        name = strings ? strings + name_offset : nullptr;
        return symbols != nullptr && strings != nullptr;
    }

    bool has_version(uint32_t symbol, const char* version) const {
        if (versions == nullptr || definitions == nullptr)
            return false;
        const unsigned wanted = versions[symbol] & 0x7fff;
        for (const Elf64_Verdef* d = definitions;;
             d = reinterpret_cast<const Elf64_Verdef*>(reinterpret_cast<const char*>(d) + d->vd_next)) {
            const auto* aux = reinterpret_cast<const Elf64_Verdaux*>(reinterpret_cast<const char*>(d) + d->vd_aux);
            if (!(d->vd_flags & VER_FLG_BASE) && (d->vd_ndx & 0x7fff) == wanted)
                return std::strcmp(strings + aux->vda_name, version) == 0;
            if (d->vd_next == 0)
                return false;
        }
    }

    bool is(uint32_t symbol, const char* wanted) const {
        const Elf64_Sym& s = symbols[symbol];
        return s.st_shndx != SHN_UNDEF && ELF64_ST_TYPE(s.st_info) == STT_FUNC &&
               std::strcmp(strings + s.st_name, wanted) == 0 && has_version(symbol, "LINUX_2.6");
    }
    void* address_of(uint32_t symbol) const { return const_cast<unsigned char*>(base + symbols[symbol].st_value); }

    /// [System V gABI, hash table]
    void* by_hash(const char* wanted) const {
        if (hash == nullptr)
            return nullptr;
        uint32_t h = 0;
        for (const char* c = wanted; *c; ++c) {
            h = (h << 4) + static_cast<unsigned char>(*c);
            const uint32_t high = h & 0xf0000000;
            h = (h ^ high >> 24) & ~high;
        }
        const uint32_t buckets = hash[0];
        const uint32_t* chains = hash + 2 + buckets;
        for (uint32_t i = hash[2 + h % buckets]; i != STN_UNDEF; i = chains[i])
            if (is(i, wanted))
                return address_of(i);
        return nullptr;
    }

    void* by_gnu_hash(const char* wanted) const {
        if (gnu_hash == nullptr)
            return nullptr;
        uint32_t h = 5381;
        for (const char* c = wanted; *c; ++c)
            h = h * 33 + static_cast<unsigned char>(*c);
        const uint32_t buckets = gnu_hash[0], first = gnu_hash[1], words = gnu_hash[2], shift = gnu_hash[3];
        const auto* bloom = reinterpret_cast<const uint64_t*>(gnu_hash + 4);
        const uint32_t* bucket = reinterpret_cast<const uint32_t*>(bloom + words);
        const uint32_t* chains = bucket + buckets;
        const uint64_t mask = uint64_t{1} << h % 64 | uint64_t{1} << (h >> shift) % 64;
        if ((bloom[h / 64 % words] & mask) != mask)
            return nullptr;
        for (uint32_t i = bucket[h % buckets]; i != 0; ++i) {
            if ((chains[i - first] | 1) == (h | 1) && is(i, wanted))
                return address_of(i);
            if (chains[i - first] & 1)
                break;
        }
        return nullptr;
    }
};

} // namespace tollgate
