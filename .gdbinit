# Read by "gdb -nx -q -x .gdbinit", the line that ./run-qemu.sh --gdb prints.
source tools/gdb/tollgate.gdb
