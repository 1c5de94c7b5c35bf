// /bin/calls: what ordinary Linux calls cost, one static binary for every kernel, so that they can stand side by side.
//
//     calls [--accel=icount|kvm|tcg] [--json=FILE] [--list] [NAME or PATTERN]...
//
// A pattern is a shell's: 'pipe_*'. What the kernel lacks is printed as '-' with the reason. Under icount the figures
// are instructions and stand beside the most that Tollgate allows itself.
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fnmatch.h>
#include <string_view>
#include <unistd.h>

#include "userland/bench/calls/report.h"
#include "userland/lib/machine.h"

namespace tollgate::calls {
namespace {

constexpr const char* kDebugConsole = "/dev/debugcon";

struct Options {
    Setting setting;
    std::string json;
    bool list = false;
    std::vector<const char*> patterns;

    [[nodiscard]] bool wants(const char* name) const {
        for (const char* pattern : patterns)
            if (fnmatch(pattern, name, 0) == 0)
                return true;
        return patterns.empty();
    }
};

bool parse(int argc, char** argv, Options& options) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word.starts_with("--accel="))
            options.setting.accel = word.substr(8);
        else if (word.starts_with("--json="))
            options.json = word.substr(7);
        else if (word == "--list")
            options.list = true;
        else if (word.starts_with("-"))
            return false;
        else
            options.patterns.push_back(argv[i]);
    }
    return true;
}

std::vector<const Operation*> chosen(const Options& options) {
    std::vector<const Operation*> found;
    for (const auto& group : {time_operations(), file_operations(), memory_operations(), event_operations(),
                              thread_operations(), process_operations()})
        for (const Operation& operation : group)
            if (options.wants(operation.name))
                found.push_back(&operation);
    return found;
}

bool write_whole(const std::string& path, std::string_view text) {
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    while (file >= 0 && !text.empty()) {
        const ssize_t written = write(file, text.data(), text.size());
        if (written <= 0)
            break;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return file >= 0 && close(file) == 0 && text.empty();
}

int run(int argc, char** argv) {
    Options options;
    if (!parse(argc, argv, options)) {
        std::fputs("usage: calls [--accel=icount|kvm|tcg] [--json=FILE] [--list] [NAME or PATTERN]...\n", stderr);
        return 64;
    }
    const auto operations = chosen(options);
    if (operations.empty()) {
        std::fputs("calls: no operation has such a name; --list names them\n", stderr);
        return 64;
    }
    if (options.list) {
        for (const Operation* operation : operations)
            std::puts(operation->name);
        return 0;
    }
    set_tiny(argv[0]);
    const Machine machine = Machine::read();
    if (options.setting.accel.empty())
        options.setting.accel = machine.get("accel");
    if (options.json.empty() && machine.is_tollgate())
        options.json = kDebugConsole;

    print_head(options.setting);
    std::vector<Measurement> measurements;
    for (const Operation* operation : operations) {
        measurements.push_back(measure(*operation));
        print_line(measurements.back(), options.setting);
    }
    if (!options.json.empty() && !write_whole(options.json, json(measurements, options.setting, argv[0]))) {
        std::perror("calls: writing the JSON");
        return 1;
    }
    return 0;
}

} // namespace
} // namespace tollgate::calls

int main(int argc, char** argv) { return tollgate::calls::run(argc, argv); }
