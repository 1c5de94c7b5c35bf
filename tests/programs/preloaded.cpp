// For LD_PRELOAD: answers in libc's place, so that a program shows whether it was loaded.
extern "C" int getuid() { return 4711; }
extern "C" int geteuid() { return 4711; }
