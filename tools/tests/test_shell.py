"""What `run-qemu.sh --shell` boots: the kernel's command line and QEMU's."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import qemu  # noqa: E402
import shell  # noqa: E402
from guest import Guest, UsageError  # noqa: E402


class Words(unittest.TestCase):
    def words(self, *arguments: str) -> str:
        return shell.words(shell.parser().parse_args(list(arguments)))

    def test_an_interactive_shell_needs_no_program(self):
        words = self.words()
        self.assertTrue(words.startswith("init=/sbin/init quiet=on -- "), words)
        self.assertNotIn("/bin/sh", words)

    def test_a_command_is_one_word_for_the_kernel(self):
        self.assertTrue(self.words("echo a b").endswith('/bin/sh -lc "echo a b"'), self.words("echo a b"))
        with self.assertRaises(UsageError):
            self.words('echo "a"')

    def test_kernel_options_stand_before_init_s_words(self):
        words = self.words("--append", "pti=on", "--verbose")
        self.assertLess(words.index("pti=on"), words.index(" -- "))
        self.assertNotIn("quiet", words)


class CommandLine(unittest.TestCase):
    def test_ctrl_a_reaches_qemu_only_where_somebody_types(self):
        guest = Guest(pathlib.Path("kernel.elf"))
        self.assertNotIn("mux=on", " ".join(qemu.command_line(guest)))
        guest.interactive = True
        self.assertIn("mux=on", " ".join(qemu.command_line(guest)))


if __name__ == "__main__":
    unittest.main()
