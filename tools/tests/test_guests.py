"""Running guests: command lines, verdicts, GRUB's configuration, usage errors. No guest is started here."""

import pathlib
import sys
import tempfile
import unittest
import unittest.mock

import support
import bochs
import calibrate
import iso
import qemu
import symbols
import vm
from guest import Guest, Outcome, UsageError, exit_word

sys.path.insert(0, str(support.TOOLS.parent / "tests" / "system"))
import guest_test  # noqa: E402

HERE = pathlib.Path(__file__)


class CommandLine(unittest.TestCase):
    def line(self, **more) -> str:
        return " ".join(qemu.command_line(Guest(HERE, **more)))

    def test_always(self):
        for machine in ("q35", "pc", "microvm"):
            line = self.line(machine=machine)
            for part in ("-cpu max", "-no-reboot", "-nodefaults", "-display none", "isa-debug-exit,iobase=0xf4,iosize=0x04",
                         "-m 128M", f"-machine {machine}"):
                self.assertIn(part, line)

    def test_icount(self):
        self.assertIn("-accel tcg,thread=single -icount shift=0,sleep=off -rtc base=2024-01-01,clock=vm", self.line(accel="icount"))
        self.assertNotIn("icount", self.line())

    def test_results_gdb_and_extra(self):
        self.assertIn("isa-debugcon,iobase=0xe9", self.line(results=pathlib.Path("/x/r")))
        self.assertIn("tcp:127.0.0.1:1234 -S", self.line(gdb=1234))
        self.assertTrue(self.line(extra=["-device", "virtio-rng"]).endswith("-device virtio-rng"))

    def test_no_path_of_this_machine(self):
        self.assertIn("-kernel tools/tests/test_guests.py", self.line())


class Usage(unittest.TestCase):
    def test_values(self):
        for more, part in (({"machine": "isapc"}, "q35, pc, microvm"), ({"accel": "hvf"}, "tcg, icount, kvm, bochs"),
                           ({"boot": "net"}, "pvh, iso"), ({"smp": 0}, "1 to 255"), ({"smp": 256}, "1 to 255"),
                           ({"machine": "microvm", "boot": "iso"}, "CD-ROM"), ({"initrd": HERE / "no"}, "no such file")):
            with self.subTest(more), self.assertRaises(UsageError) as caught:
                Guest(HERE, **more).check()
            self.assertIn(part, str(caught.exception))

    def test_status(self):
        with unittest.mock.patch("sys.stderr"):
            for arguments in (["--bogus"], ["--smp", "two"], ["--accel", "hvf"]):
                with self.subTest(arguments), self.assertRaises(SystemExit) as caught:
                    vm.main(arguments)
                self.assertEqual(caught.exception.code, 64)
            self.assertEqual(vm.main(["--kernel", "/nonexistent"]), 64)


class Verdict(unittest.TestCase):
    def test_statuses(self):
        for status, outcome in ((33, Outcome.PASS), (35, Outcome.FAIL), (37, Outcome.PANIC), (0, Outcome.TRIPLE_FAULT),
                                (1, Outcome.ERROR), (-6, Outcome.ERROR), (39, Outcome.ERROR)):
            self.assertIs(qemu.classify(status, b"", "")[0], outcome)

    def test_line_and_status_must_agree(self):
        self.assertIs(qemu.classify(33, b"TOLLGATE EXIT pass\n", "")[0], Outcome.PASS)
        self.assertIs(qemu.classify(33, b"TOLLGATE EXIT fail\n", "")[0], Outcome.ERROR)

    def test_exit_line_is_the_last_line(self):
        self.assertIs(exit_word(b"x\r\nTOLLGATE EXIT panic\r\n\r\n"), Outcome.PANIC)
        for log in (b"", b"TOLLGATE EXIT pass\nmore", b"TOLLGATE EXIT good", b"say TOLLGATE EXIT pass", b"\xff\xfe"):
            self.assertIsNone(exit_word(log))

    def test_bochs(self):
        self.assertIs(bochs.classify(b"TOLLGATE EXIT fail\n", "")[0], Outcome.FAIL)
        self.assertIs(bochs.classify(b"", "p[CPU0 ] >>PANIC<< exception(): 3rd (13) exception with no resolution")[0],
                      Outcome.TRIPLE_FAULT)
        self.assertIs(bochs.classify(b"TOLLGATE EX", "")[0], Outcome.ERROR)


class Bochs(unittest.TestCase):
    def test_registers(self):
        screen = "CPU0:\nrax: 00000000_00000001\nrip: ffffffff_80001000\njunk\nrip: 00000000_00000048\n"
        with unittest.mock.patch.object(symbols, "name_of", lambda a, _: "f+0x0" if a > 1 << 32 else ""):
            text = bochs.where(screen, HERE)
        self.assertIn("CPU 0: rip 0xffffffff80001000 f+0x0", text)
        self.assertIn("CPU 1: rip 0x48 (not in the kernel image)", text)

    def test_results_among_screen_noise(self):
        self.assertEqual(bochs._results('\x1b[2J{\n  "context": {}, "benchmarks": []}\x1b[m'), b'{\n  "context": {}, "benchmarks": []}')
        self.assertEqual(bochs._results("no json } here"), b"")


class Grub(unittest.TestCase):
    def test_quoting(self):
        self.assertEqual(iso.quote("pti=on -- --benchmark_filter=a|b;c"), "pti=on -- '--benchmark_filter=a|b;c'")
        for hostile in ("a'b", "a\nb"):
            with self.assertRaises(UsageError):
                iso.quote(hostile)

    def test_configuration(self):
        self.assertIn("module2 /boot/programs.cpio", iso.configuration("", True))
        self.assertNotIn("module2", iso.configuration("", False))


class Calibration(unittest.TestCase):
    def test_damaged_cache_is_measured_again(self):
        with tempfile.TemporaryDirectory() as folder:
            cache = pathlib.Path(folder, "calibration.json")
            for text in ("", "{}", "[]", '{"boot_id": "%s", "scale": "x"}' % calibrate.boot_id(), '{"boot_id": "old", "scale": 9}'):
                cache.write_text(text)
                with unittest.mock.patch.object(calibrate, "CACHE", cache), \
                        unittest.mock.patch.object(calibrate, "measure", lambda: {"boot_id": calibrate.boot_id(), "scale": 2.0}):
                    self.assertEqual(calibrate.scale(), 2.0)
                    self.assertEqual(calibrate.scale(), 2.0)


class GuestTest(unittest.TestCase):
    def wrong(self, log: str, outcome=Outcome.PASS, *options: str) -> list[str]:
        parsed = guest_test.parser().parse_args(["--log", "x", *options])
        return guest_test.wrong(parsed, guest_test.Report(outcome, "", [], log.encode(), 1.0))

    def test_expectations(self):
        self.assertEqual(self.wrong("smoke\n", Outcome.PASS, "--expect-output", "^smoke$"), [])
        self.assertEqual(len(self.wrong("smoke\n", Outcome.FAIL)), 1)
        self.assertEqual(self.wrong("", Outcome.PANIC, "--expect", "panic"), [])
        self.assertEqual(len(self.wrong("other\n", Outcome.PASS, "--expect-output", "^smoke$")), 1)
        self.assertEqual(len(self.wrong("BUG: x\n", Outcome.PASS, "--reject-output", "BUG")), 1)

    def test_ktap_is_demanded(self):
        self.assertTrue(self.wrong("nothing\n", Outcome.PASS, "--ktap", "1"))
        self.assertEqual(self.wrong("KTAP version 1\n1..1\nok 1 a\n", Outcome.PASS, "--ktap", "1"), [])

    def test_repeat_line(self):
        line = guest_test.repeat_line(["--kernel=k", "--log=l", "--expect=panic", "--ktap", "4", "--append=pti=on x", "--smp=2"])
        self.assertEqual(line, "tools/vm.py --kernel=k '--append=pti=on x' --smp=2")


if __name__ == "__main__":
    unittest.main()
