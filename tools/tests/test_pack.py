"""Packing: archives, ELF files, images of programs with their libraries, and the options of running one."""

import io
import os
import pathlib
import stat
import struct
import subprocess
import tempfile
import unittest
import unittest.mock

import support
import cpio
import elf
import linux
import pack
import program
import syscalls_doc
import versus

ROOT = support.TOOLS.parent


def entries(archive: bytes) -> list[tuple[str, int, bytes, int]]:
    """(name, mode, data, offset of the data) of each record, the trailer left out."""
    found, at = [], 0
    while True:
        fields = [int(archive[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        name = archive[at + 110:at + 110 + fields[11]].split(b"\0")[0].decode()
        begin = (at + 110 + fields[11] + 3) & ~3
        if name == "TRAILER!!!":
            return found
        found.append((name, fields[1], archive[begin:begin + fields[6]], begin))
        at = (begin + fields[6] + 3) & ~3


class Archives(unittest.TestCase):
    def test_data_lies_at_pages(self):
        for length in (1, 5, 100, 3000, 3986, 3987, 4000, 4093, 4094, 4095):
            for before in (0, 1, 1000, 3900):
                archive = cpio.write([cpio.Entry("b", 0o100644, b"y" * before), cpio.Entry("a" * length, 0o100755, b"x" * 5000)])
                name, mode, data, offset = entries(archive)[-1]
                self.assertEqual((name, mode, data, offset % cpio.PAGE), ("a" * length, 0o100755, b"x" * 5000, 0))

    def test_small_files_are_not_padded(self):
        self.assertLess(len(cpio.write([cpio.Entry(f"f{i}", 0o100644, b"small") for i in range(10)])), 2600)

    def test_a_name_too_long(self):
        with self.assertRaises(cpio.CpioError):
            cpio.write([cpio.Entry("n" * 4096, 0o100644)])

    def test_cpio_itself_reads_it(self):
        archive = cpio.write([cpio.directory("d"), cpio.Entry("d/file", 0o100640, b"z" * 4096), cpio.Entry("d/link", 0o120777, b"file")])
        listed = subprocess.run(["cpio", "--quiet", "-tv"], input=archive, capture_output=True, check=True).stdout.decode()
        self.assertIn("d/link -> file", listed)
        self.assertIn("-rw-r-----", listed)

    def test_reading_back(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "a.cpio")
            path.write_bytes(cpio.write([cpio.Entry("x", 0o100644, b"1" * 9000), cpio.Entry("y", 0o100644, b"2")]))
            self.assertEqual(cpio.extract(path, "/x"), b"1" * 9000)
            self.assertEqual(cpio.extract(path, "y"), b"2")


def header(kind: int = 2, machine: int = 62, bits: int = 2) -> bytearray:
    image = bytearray(64)
    image[:6] = b"\x7fELF" + bytes((bits, 1))
    struct.pack_into("<HH", image, 16, kind, machine)
    struct.pack_into("<H", image, 54, 56)
    return image


class Elves(unittest.TestCase):
    def test_programs_of_this_host(self):
        found = elf.read(pathlib.Path("/bin/sh"))
        self.assertEqual(found.interpreter, "/lib64/ld-linux-x86-64.so.2")
        self.assertIn("libc.so.6", found.needed)

    def test_what_is_wrong(self):
        for image, words in ((b"text", "not an ELF"), (header()[:40], "cut short"), (header(bits=1), "32-bit"), (header(machine=183), "AArch64"),
                             (header(machine=999), "machine 999"), (header(kind=1), "object file")):
            with self.assertRaisesRegex(elf.ElfError, words):
                elf.parse(bytes(image))

    def test_damage_is_never_another_error(self):
        whole = pathlib.Path("/bin/true").read_bytes()
        for size in (*range(0, 700, 7), 5000, len(whole) // 2):
            try:
                elf.parse(whole[:size])
            except elf.ElfError:
                pass
        for at in range(0, 1000, 3):
            damaged = bytearray(whole)
            damaged[at] ^= 0xff
            try:
                elf.parse(bytes(damaged))
            except elf.ElfError:
                pass

    def test_the_cache(self):
        self.assertIn("libc.so.6", elf.library_cache())
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "cache")
            self.assertEqual(elf.library_cache(path), {})
            for data in (b"", b"garbage", elf.CACHE_MAGIC, elf.CACHE_MAGIC + b"\xff" * 40):
                path.write_bytes(data)
                self.assertEqual(elf.library_cache(path), {})


class Images(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name).resolve()

    def script(self, name: str, text: str, mode: int = 0o755) -> str:
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def compiled(self, name: str, source: str, *flags: str) -> str:
        path = str(self.folder / name)
        subprocess.run(["g++", "-x", "c++", "-", "-o", path, *flags], input=source.encode(), check=True)
        return path

    def refused(self, words: str, path: str) -> None:
        with self.assertRaisesRegex(pack.PackError, words):
            pack.Image().program(path)

    def test_a_program_with_its_libraries(self):
        image = pack.Image()
        image.program("/bin/sh")
        names = {os.path.basename(name) for name in image.entries}
        self.assertLessEqual({"dash", "libc.so.6", "ld-linux-x86-64.so.2", "libgcc_s.so.1", "ld.so.cache"}, names)

    def test_the_same_bytes_every_time(self):
        def made() -> bytes:
            image = pack.Image()
            image.standard_files()
            image.program("/bin/cat")
            return image.archive()
        self.assertEqual(made(), made())

    def test_links_lead_to_what_they_name(self):
        (self.folder / "real").write_text("content")
        (self.folder / "one").symlink_to("two")
        (self.folder / "two").symlink_to(self.folder / "real")
        image = pack.Image()
        image.host_path(str(self.folder / "one"))
        under = str(self.folder)[1:]
        self.assertEqual(image.entries[f"{under}/one"].data, b"two")
        self.assertEqual(image.entries[f"{under}/real"].data, b"content")

    def test_links_to_folders_are_followed_in_the_image(self):
        image = pack.Image()
        image.link("lib", "usr/lib")
        image.folder("usr/lib")
        image.file("lib/deep/file", b"x")
        self.assertIn("usr/lib/deep/file", image.entries)
        image.link("loop", "loop")
        with self.assertRaisesRegex(pack.PackError, "too many symbolic links"):
            image.file("loop/file", b"")

    def test_an_archive_names_folders_first(self):
        image = pack.Image()
        image.file("z/y/x", b"")
        image.file("z-a", b"")
        seen = set()
        for name, mode, _, _ in entries(image.archive()):
            self.assertTrue("/" not in name or name.rpartition("/")[0] in seen)
            if stat.S_ISDIR(mode):
                seen.add(name)

    def test_what_cannot_be_packed(self):
        self.refused("No such file", str(self.folder / "missing"))
        self.refused("Is a directory", str(self.folder))
        self.refused("neither an ELF program nor a script", self.script("text", "hello"))
        self.refused("may not be executed", self.script("plain", "#!/bin/sh\n", 0o644))
        self.refused("no interpreter stands", self.script("empty", "#!\n"))
        self.refused("interpreter /no/such is missing", self.script("lost", "#!/no/such -x\n"))
        self.refused("nosuchprogram is not found", self.script("env", "#!/usr/bin/env nosuchprogram\n"))
        self.refused("too deep", self.script("self", f"#!{self.folder}/self\n"))
        path = self.folder / "arm"
        path.write_bytes(bytes(header(machine=183)))
        path.chmod(0o755)
        self.refused("for AArch64, not for x86-64", str(path))

    def test_scripts_bring_their_interpreter(self):
        image = pack.Image()
        image.program(self.script("run", "#!/usr/bin/env -S sh\necho\n"))
        names = {os.path.basename(name) for name in image.entries}
        self.assertLessEqual({"run", "env", "dash", "libc.so.6"}, names)

    def test_libraries_by_runpath_rpath_and_path(self):
        os.makedirs(self.folder / "lib")
        library = self.compiled("lib/libown.so", "int own() { return 1; }", "-shared", "-fPIC")
        source = "int own(); int main() { return own(); }"
        for flags in (("-Wl,-rpath,$ORIGIN/lib",), ("-Wl,--disable-new-dtags,-rpath,$ORIGIN/lib",)):
            image = pack.Image()
            image.program(self.compiled("uses", source, f"-L{self.folder}/lib", "-lown", *flags))
            self.assertIn(library[1:], image.entries)
        path = self.compiled("plain", source, f"-L{self.folder}/lib", "-lown")
        self.refused("it needs libown.so, which is not found", path)
        image = pack.Image()
        image.library_path = (str(self.folder / "lib"),)
        image.program(path)
        self.assertIn(library[1:], image.entries)

    def test_packages(self):
        image = pack.Image()
        image.package("dash")
        self.assertFalse([name for name in image.entries if name.startswith("usr/share/doc")])
        with self.assertRaisesRegex(pack.PackError, "not installed"):
            image.package("no-such-package")

    def test_trees(self):
        (self.folder / "in").mkdir()
        (self.folder / "in" / "file").write_text("x")
        image = pack.Image()
        image.tree(self.folder, "/work")
        self.assertIn("work/in/file", image.entries)
        os.mkfifo(self.folder / "fifo")
        with self.assertRaisesRegex(pack.PackError, "neither a file"):
            pack.Image().tree(self.folder, "/work")


class Running(unittest.TestCase):
    def test_verdicts(self):
        def of(text: bytes, status: int = 33) -> program.Ended:
            return program._verdict(status, {"verdict": text, "emulator": b"qemu: no memory\n", "output": b"", "errors": b"", "console": b""})
        self.assertEqual(of(b"exit 0\n").status, 0)
        self.assertEqual(of(b"exit 42\n").status, 42)
        self.assertEqual(of(b"signal 11\n").status, 139)
        self.assertEqual(of(b"start 2\n").status, 127)
        self.assertEqual(of(b"start 8\n").status, 126)
        for text, status in ((b"", 33), (b"exit", 35), (b"exit x", 37), (b"junk 3 4", 0), (b"", 1)):
            self.assertIsNone(of(text, status).status)
        self.assertIn("no memory", of(b"", 1).detail)

    def test_the_last_line_is_not_shown(self):
        text = b"one\r\ntwo\r\nTOLLGATE EXIT pass\r\n"
        for size in (1, 2, 5, 100):
            out = io.BytesIO()
            screen = program._Screen(out)
            for at in range(0, len(text), size):
                screen.write(text[at:at + size])
            self.assertEqual(out.getvalue(), b"one\r\ntwo")

    def test_options(self):
        options = program.options_from(["--env=A=b=c", "--files", "x", "--program", "cat", "--smp", "-x"])
        self.assertEqual((options.env, options.files, options.program), (["A=b=c"], ["x"], ["cat", "--smp", "-x"]))
        for wrong in ([], ["--program"], ["--env", "A", "--program", "x"], ["--env", "=b", "--program", "x"]):
            with self.assertRaises(SystemExit), unittest.mock.patch("sys.stderr"):
                program.options_from(wrong)

    def test_places_of_files(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(program.folder_and_place(folder), (pathlib.Path(folder), "/work"))
            self.assertEqual(program.folder_and_place(f"{folder}:/etc/x"), (pathlib.Path(folder), "/etc/x"))
            for wrong in (f"{folder}:etc", f"{folder}/missing"):
                with self.assertRaises(pack.PackError):
                    program.folder_and_place(wrong)

    def test_options_of_the_script(self):
        for words in ("--files", "--files .", "--vs windows", "--calls x", "--mem 3", "--vs linux --env A=b", "--program", "--env A=b",
                      "--vs linux --machine microvm", "--vs linux --program cat", "--boot iso --program cat"):
            done = subprocess.run([ROOT / "run-qemu.sh", *words.split()], capture_output=True, text=True)
            self.assertEqual(done.returncode, 64, words)
            self.assertIn("usage:", done.stderr)


class Comparison(unittest.TestCase):
    def test_the_package_behind_the_name(self):
        text = "linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-56-cloud-amd64\n  Suggests: x\n"
        self.assertEqual(linux.package_name(text), "linux-image-6.1.0-56-cloud-amd64")
        with self.assertRaises(linux.LinuxError):
            linux.package_name("nothing")

    def test_a_kernel_that_is_there(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertIsNone(linux.at_hand(pathlib.Path(folder)))
            boot = pathlib.Path(folder, "linux-image-6.1.0-1-cloud-amd64_6.1.9-1", "boot")
            boot.mkdir(parents=True)
            (boot / "vmlinuz-6.1.0-1-cloud-amd64").write_bytes(b"")
            self.assertEqual(linux.at_hand(pathlib.Path(folder)).version, "6.1.9-1")

    def test_the_table(self):
        entry = support.entry
        ours = versus.figures(support.document(entry("a", 10), entry("a", 30), entry("a", 20), {"name": "b", "error_occurred": True}), "x")
        self.assertEqual(ours, {"a": 20, "b": None})
        lines = versus.table("icount", {("tollgate", "off"): ours, ("linux", "off"): {"a": 100.0, "b": 7.0}})
        self.assertRegex(lines[1], r"a +20 +100 +5\.00")
        self.assertRegex(lines[2], r"b +- +7 +-")
        timed = versus.table("tcg", {("tollgate", "off"): ours, ("linux", "off"): {"a": 100.0, "b": 7.0}})
        self.assertRegex(timed[1], r"a +5\.00$")  # no ticks


class Calls(unittest.TestCase):
    def test_sources(self):
        self.assertEqual(syscalls_doc.linux_names("#define __NR_read 0\n#define __NR_x 500\n")[0], "read")
        have = syscalls_doc.table("SYSCALL(0, read, TrapAndPage)\n// SYSCALL(9, no, Trap)\nSYSCALL(39, getpid, Quick | Trap)\n")
        self.assertEqual(have, {0: ("read", "TrapAndPage"), 39: ("getpid", "Quick | Trap")})
        self.assertEqual(syscalls_doc.partial("# x\nread: half: yes\n\n"), {"read": "half: yes"})

    def test_who_tests_what(self):
        texts = {"one": "x = read(3, b, 1); p.write(4);", "two": "syscall(SYS_write, 1)", "three": "::sigaction(1, a, b);"}
        self.assertEqual(syscalls_doc.testers("read", texts), ["one"])
        self.assertEqual(syscalls_doc.testers("write", texts), ["two"])
        self.assertEqual(syscalls_doc.testers("rt_sigaction", texts), ["three"])

    def test_problems(self):
        have, names = {0: ("read", "Trap"), 1: ("wrote", "Trap")}, {0: "read", 1: "write"}
        found = syscalls_doc.problems("new", have, names, {"gone": "x"}, {"t": "read(1)"}, "old")
        self.assertEqual(len(found), 4)


if __name__ == "__main__":
    unittest.main()
