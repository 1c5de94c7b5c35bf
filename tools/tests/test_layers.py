"""The layer check: includes go down, gates do not know each other, programs see api/ only."""

import pathlib
import tempfile
import unittest

import support  # noqa: F401
import layers


class Tree(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for name in ("api/numbers.h", "lib/list.h", "cpu/msr.h", "mem/frames.h", "sched/thread.h", "syscall/dispatch.h",
                     "gate/common.h", "gate/native/entry.h", "gate/flexsc/page.h", "net/socket.h"):
            self.write("kernel/" + name)
        self.write("drivers/serial.h")
        self.write("userland/lib/stub.h")

    def write(self, name: str, *includes: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"#include {i}\n" for i in includes))

    def found(self, name: str, *includes: str) -> list[str]:
        self.write(name, *includes)
        return layers.check(self.root)

    def good(self, name: str, *includes: str):
        self.assertEqual(self.found(name, *includes), [])

    def bad(self, part: str, name: str, *includes: str):
        found = self.found(name, *includes)
        self.assertEqual(len(found), 1, found)
        self.assertIn(part, found[0])

    def test_down_and_same(self):
        self.good("kernel/mem/a.cpp", '"kernel/lib/list.h"', '"mem/frames.h"', '"frames.h"', "<cstdint>", '"cpu/msr.h"')

    def test_up(self):
        self.bad("mem is below sched", "kernel/mem/a.cpp", '"kernel/sched/thread.h"')

    def test_up_by_every_spelling(self):
        for spelling in ('"sched/thread.h"', '"../sched/thread.h"', "<sched/thread.h>", "<kernel/sched/thread.h>"):
            with self.subTest(spelling):
                self.bad("goes down only", "kernel/lib/a.cpp", spelling)

    def test_generated_header_of_an_upper_layer(self):
        self.bad("goes down only", "kernel/cpu/a.S", '"kernel/task/generated.h"')

    def test_drivers(self):
        self.good("drivers/pci.cpp", '"kernel/mem/frames.h"', '"drivers/serial.h"')
        self.bad("drivers is below net", "drivers/pci.cpp", '"kernel/net/socket.h"')

    def test_drivers_are_above_mem(self):
        self.bad("mem is below drivers", "kernel/mem/a.cpp", '"drivers/serial.h"')

    def test_gates(self):
        self.good("kernel/gate/flexsc/a.cpp", '"kernel/gate/flexsc/page.h"', '"kernel/gate/common.h"', '"syscall/dispatch.h"')
        self.bad("never include each other", "kernel/gate/flexsc/a.cpp", '"kernel/gate/native/entry.h"')

    def test_main_may(self):
        self.good("kernel/main.cpp", '"kernel/gate/native/entry.h"', '"kernel/gate/flexsc/page.h"', '"drivers/serial.h"')

    def test_users(self):
        self.good("userland/bench/a.cpp", '"kernel/api/numbers.h"', '"userland/lib/stub.h"', "<unistd.h>")
        self.bad("kernel/api only", "userland/bench/a.cpp", '"kernel/lib/list.h"')

    def test_kernel_does_not_see_users(self):
        self.bad("user programs", "kernel/syscall/a.cpp", '"userland/lib/stub.h"')

    def test_lwip(self):
        self.good("kernel/net/lwip_port.cpp", '"lwip/tcp.h"')
        self.bad("kernel/net only", "kernel/syscall/socket.cpp", '"lwip/tcp.h"')

    def test_unknown_layer(self):
        self.bad("is not a layer", "kernel/misc/a.cpp", '"kernel/lib/list.h"')

    def test_comments_do_not_count(self):
        (self.root / "kernel/lib/a.h").write_text('/*\n#include "sched/thread.h"\n*/\n// #include "sched/thread.h"\n')
        self.assertEqual(layers.check(self.root), [])

    def test_line_number(self):
        (self.root / "kernel/lib/a.h").write_text('/* one\ntwo */\n\n#  include "sched/thread.h"\n')
        self.assertTrue(layers.check(self.root)[0].startswith("kernel/lib/a.h:4:"))

    def test_long(self):
        (self.root / "kernel/lib/long.h").write_text("\n" * 401)
        self.assertIn("401 lines", layers.long_files(self.root)[0])


if __name__ == "__main__":
    unittest.main()
