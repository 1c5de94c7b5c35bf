"""Set-up and the measuring run: derived source lists, pinned checksums, archives, options and the plan of boots."""

import io
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import unittest
import unittest.mock

import support
import cpio
import fetch
import hostinfo
import run
from fetch import FetchError, Source

SUITES = {"bookworm", "stable"}
ROOT = support.TOOLS.parent


class Lists(unittest.TestCase):
    def test_one_line_style(self):
        text = ("# comment\ndeb [signed-by=/k.gpg] http://m/debian bookworm main contrib\ndeb http://m/debian bookworm-updates main\n"
                "deb http://other/repo stable nonfree\ndeb-src http://m/debian bookworm main\n#deb http://m/debian bookworm main\n")
        self.assertEqual(fetch.derive_list(text, SUITES), ["deb-src [signed-by=/k.gpg] http://m/debian bookworm main"])

    def test_stanzas(self):
        text = ("Types: deb\n# note\nURIs: http://m/debian\nSuites: bookworm bookworm-updates\nComponents: main contrib\n"
                "Signed-By:\n -----BEGIN\n .\n -----END\n\nTypes: deb\nURIs: http://s\nSuites: bookworm-security\nComponents: main\n\n"
                "Enabled: no\nTypes: deb\nURIs: http://d\nSuites: bookworm\nComponents: main\n")
        found = fetch.derive_stanzas(text, SUITES)
        self.assertEqual(found, ["Types: deb-src\nSuites: bookworm\nComponents: main\nURIs: http://m/debian\n"
                                 "Signed-By:\n -----BEGIN\n .\n -----END"])

    def test_hostile_files(self):
        for text in ("", "garbage", ":::\n :\n", "deb", "Types: deb\n\nSuites: bookworm", "\0\0"):
            self.assertEqual(fetch.derive_list(text, SUITES) + fetch.derive_stanzas(text, SUITES), [])

    def test_a_machine_without_entries(self):
        with tempfile.TemporaryDirectory() as folder, unittest.mock.patch.object(fetch, "APT", pathlib.Path(folder)):
            with self.assertRaises(FetchError):
                fetch.write_lists(pathlib.Path(folder))


class Tarball(unittest.TestCase):
    def test_wrong_checksum_and_content(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "x.tar")
            with tarfile.open(path, "w") as archive:
                member = tarfile.TarInfo("elsewhere/file")
                archive.addfile(member, io.BytesIO(b""))
            source = Source("x", "1", "x.tar", "0" * 64, "x-1", "why")
            with self.assertRaises(FetchError):
                fetch.verify(path, source)
            with self.assertRaises(FetchError):
                fetch.unpack(path, source, pathlib.Path(folder))


class Cpio(unittest.TestCase):
    @staticmethod
    def member(name: str, data: bytes) -> bytes:
        fields = [0] * 13
        fields[6], fields[11] = len(data), len(name) + 1
        head = b"070701" + b"".join(b"%08x" % f for f in fields) + name.encode() + b"\0"
        return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)

    def extract(self, data: bytes, name: str) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "a.cpio")
            path.write_bytes(data)
            return cpio.extract(path, name)

    def test_found(self):
        data = self.member("./bin/a", b"12345") + self.member("bin/b", b"x") + self.member("TRAILER!!!", b"")
        self.assertEqual(self.extract(data, "/bin/a"), b"12345")
        self.assertEqual(self.extract(data, "/bin/b"), b"x")

    def test_hostile(self):
        good = self.member("bin/a", b"12345")
        for data in (b"", b"\0" * 200, good[:-6], good[:60], b"070701" + b"zz" * 60, self.member("TRAILER!!!", b"") + good):
            with self.subTest(data[:16]), self.assertRaises(cpio.CpioError):
                self.extract(data, "/bin/a")


class Host(unittest.TestCase):
    def test_unreadable_is_na(self):
        self.assertEqual(hostinfo.read("/nonexistent"), "n/a")
        self.assertEqual(hostinfo.output("/nonexistent"), "n/a")
        self.assertEqual(hostinfo.turbo("/nonexistent"), "n/a")
        self.assertEqual(hostinfo.mitigations("/nonexistent"), "n/a")
        self.assertEqual(hostinfo.cpuinfo("microcode", "model name : x\n"), "n/a")
        self.assertEqual(hostinfo.cpuinfo("model name", "model name\t: A CPU\n"), "A CPU")


class Plans(unittest.TestCase):
    def plans(self, kind: str, *arguments: str, cpus: int = 2) -> list[tuple]:
        return [(p.pti, p.smp, p.filter) for p in run.plans(kind, run.options_from(list(arguments)), cpus)]

    def test_icount(self):
        self.assertEqual(self.plans("icount"), [("off", 1, ""), ("on", 1, ""), ("off", 2, run.WORKER_FILTER), ("on", 2, run.WORKER_FILTER)])

    def test_chosen(self):
        self.assertEqual(self.plans("icount", "--append=pti=on x=1", "--smp=4", "--bench=null"), [("on", 4, "null")])
        self.assertEqual(self.plans("kvm", cpus=1), [("off", 1, ""), ("on", 1, "")])
        self.assertEqual(self.plans("tcg"), [("off", 2, "")])

    def test_command_line_of_the_guest(self):
        options = run.options_from(["--append=a=b", "--bench=get|x"])
        guest = run.guest_for(run.Plan("icount", "on", 2, "get|x"), options, None)
        self.assertEqual(guest.append, "init=/bin/bench accel=icount flexsc.workers=1 pti=on a=b -- --benchmark_filter=get|x")

    def test_sweep(self):
        guest = run.guest_for(run.Plan("icount", "on", 1, ""), run.options_from(["--sweep"]), None)
        self.assertEqual(guest.append, "init=/bin/bench accel=icount pti=on -- --tollgate_sweep")

    def test_second_cpu_rows(self):
        document = {"context": {}, "benchmarks": [{"name": "null/native"}, {"name": "null/flexsc_poll"}]}
        kept = run.keep_wanted(run.Plan("icount", "off", 2, ""), run.options_from([]), document)
        self.assertEqual([e["name"] for e in kept["benchmarks"]], ["null/flexsc_poll"])

    def test_wrong_options(self):
        with unittest.mock.patch("sys.stderr"):
            for arguments in (["--smp=0"], ["--append=a -- b"], ["--accel=hvf"]):
                with self.subTest(arguments), self.assertRaises(SystemExit) as caught:
                    run.options_from(arguments)
                self.assertEqual(caught.exception.code, 64)


class Packages(unittest.TestCase):
    """tools/setup.sh on a machine that lacks things, played with stand-ins for the system's commands."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.bin = pathlib.Path(folder.name)
        self.log = self.bin / "log"
        self.log.write_text("")
        for name in ("bash", "dirname", "grep", "mktemp", "rm", "head", "env", "cat", "true"):
            (self.bin / name).symlink_to(shutil.which(name))
        for name in ("cmake", "ninja", "cpio", "qemu-system-x86_64", "grub-mkrescue", "xorriso", "mformat"):
            self.fake(name, "exit 0")
        self.fake("g++", "echo 12.2.0")
        self.fake("python3", "exit 0")
        self.fake("dpkg-query", "exit 1")
        self.fake("id", "echo 0")

    def fake(self, name: str, body: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/bash\n{body}\n")
        path.chmod(0o755)

    def run_setup(self, kind: str = "run") -> tuple[int, str]:
        answer = subprocess.run([ROOT / "tools" / "setup.sh", kind], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                                env={"PATH": str(self.bin)})
        return answer.returncode, answer.stdout + answer.stderr

    def lack(self, command: str) -> None:
        (self.bin / command).unlink()
        self.fake("apt-get", f'echo "$@" >>{self.log}')

    def test_nothing_to_do(self):
        self.fake("apt-get", f"echo called >>{self.log}")
        self.assertEqual(self.run_setup(), (0, "") if pathlib.Path("/usr/lib/grub/i386-pc/multiboot2.mod").exists() else (0, unittest.mock.ANY))

    def test_installs_what_is_missing_and_says_why(self):
        self.lack("ninja")
        status, text = self.run_setup()
        self.assertEqual(status, 0)
        self.assertIn("ninja-build: runs the build", text)
        self.assertIn("install -y --no-install-recommends ninja-build", self.log.read_text())

    def test_no_network(self):
        self.lack("ninja")
        self.fake("apt-get", "echo 'E: Unable to fetch some archives' ; exit 100")
        status, text = self.run_setup()
        self.assertEqual(status, 6)
        self.assertIn("Unable to fetch", text)
        self.assertIn("by hand", text)

    def test_not_root(self):
        self.lack("ninja")
        self.fake("id", "echo 1000")
        status, text = self.run_setup()
        self.assertEqual(status, 6)
        self.assertIn("no sudo", text)
        self.fake("sudo", "exit 1")
        status, text = self.run_setup()
        self.assertEqual(status, 6)
        self.assertIn("wants a password", text)
        self.fake("sudo", f'echo sudo >>{self.log}; [ "$1" = -n ] && shift; exec "$@"')
        status, text = self.run_setup()
        self.assertEqual(status, 0, text)
        self.assertIn("sudo", self.log.read_text())

    def test_not_debian(self):
        (self.bin / "ninja").unlink()
        status, text = self.run_setup()
        self.assertEqual(status, 6)
        self.assertIn("no apt-get", text)

    def test_old_compiler(self):
        self.fake("g++", "echo 10.2.1")
        status, text = self.run_setup()
        self.assertEqual(status, 6)
        self.assertIn("too old", text)

    def test_usage(self):
        self.assertEqual(self.run_setup("bogus")[0], 64)


class Script(unittest.TestCase):
    """run-qemu.sh must name what is right before it installs or builds anything."""

    def status(self, *arguments: str) -> tuple[int, str]:
        answer = subprocess.run([ROOT / "run-qemu.sh", *arguments], capture_output=True, text=True)
        return answer.returncode, answer.stdout + answer.stderr

    def test_help(self):
        status, text = self.status("--help")
        self.assertEqual(status, 0)
        for option in ("--accel", "--smp", "--boot", "--machine", "--bench", "--append", "--gdb", "--no-build", "--vs linux", "--vs spma22"):
            self.assertIn(option, text)

    def test_wrong(self):
        for arguments, part in ((["--acel"], "is no option"), (["--accel", "hvf"], "auto, kvm, tcg, icount"), (["--smp"], "needs a value"),
                                (["--smp", "x"], "1 to 255"), (["--smp=999"], "1 to 255"), (["--boot", "net"], "pvh, iso"),
                                (["--machine=isapc"], "q35, pc, microvm"), (["stray"], "is no option"),
                                (["--machine=microvm", "--boot=iso"], "CD-ROM"), (["--vs", "theirs"], "linux, spma22"),
                                (["--vs=spma22", "--mem=1G"], "--mem does not go with --vs spma22"),
                                (["--vs=spma22", "--bench=x"], "--bench does not go with --vs spma22"),
                                (["--vs=spma22", "--vs=linux"], "does not go with"), (["--calls=x"], "needs --program, --vs linux or --study"),
                                (["--vs=linux", "--machine=microvm"], "does not start on microvm")):
            with self.subTest(arguments):
                status, text = self.status(*arguments)
                self.assertEqual(status, 64)
                self.assertIn(part, text)
                self.assertIn("usage:", text)


if __name__ == "__main__":
    unittest.main()
