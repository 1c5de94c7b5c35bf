"""The published tables made again: options, boots, and what the table shows of good, partial and empty results."""

import json
import pathlib
import sys
import tempfile
import unittest

import support
from support import document, entry
import published
import results
from results import Pass

sys.path.insert(0, str(support.TOOLS.parent / "tests" / "system"))
import entry_check  # noqa: E402
import published_programs  # noqa: E402
import spma22_gate  # noqa: E402


def merged(*passes: tuple[str, list[dict]], kind: str = "icount") -> dict:
    return results.merge([(Pass(kind, pti, 1, ("qemu",)), document(*entries, pti=pti)) for pti, entries in passes],
                         {"qemu_version": "7.2", "git_commit": "0123456789abcdef", "date": "2024-01-01"})


class Options(unittest.TestCase):
    def test_values(self):
        self.assertEqual(published.options_from([]).accel, "auto")
        self.assertEqual(published.options_from(["--accel=kvm", "--machine=microvm"]).machine, "microvm")
        for wrong in (["--accel=hvf"], ["--machine=isapc"], ["--bench=x"], ["stray"], ["--acc=kvm"], ["--check"]):
            with self.subTest(wrong), self.assertRaises(SystemExit) as ended:
                published.options_from(wrong)
            self.assertEqual(ended.exception.code, published.USAGE)

    def test_boots(self):
        self.assertEqual([plan.pti for plan in published.plans("icount")], ["off", "on"])
        self.assertEqual([plan.pti for plan in published.plans("tcg")], ["off"])
        append = published.guest_for(published.plans("kvm")[1], "q35", pathlib.Path("raw.json")).append
        for word in ("init=/bin/spma22", "spma22=on", "accel=kvm", "pti=on"):
            self.assertIn(word, append.split())


class Table(unittest.TestCase):
    CALLS = [entry("refused/fastcall", 10), entry("refused/native", 40), entry("register/fastcall", 2000)]

    def lines(self, text: str, operation: str) -> list[list[str]]:
        return [line.split() for line in text.splitlines() if line.split()[:1] == [operation]]

    def test_calls_and_others(self):
        text = published.text(merged(("off", self.CALLS), ("on", [entry("refused/fastcall", 10), entry("refused/native", 44)])), "x")
        row = self.lines(text, "refused")[0]
        self.assertEqual(row[:9], ["refused", "10", "40", "/", "44", "-", "-", "4.0", "4.4"])
        self.assertEqual(row[9:], ["11.4", "1.7", "1.7", "2.1"])
        self.assertEqual(self.lines(text, "register")[0], ["register", "2000", "-"])
        for words in ("i7-4790", "SPMA'22", "instructions", "1278 cycles"):
            self.assertIn(words, text)

    def test_published_ratios_agree_with_their_figures(self):
        for place, (fast, slow) in enumerate(((112, 1278), (100, 172), (162, 279), (90, 192))):
            self.assertEqual(published.RATIOS["refused"][place], f"{slow / fast:.1f}")
            self.assertTrue(any(f"{fast}, system call {slow} " in figure for _, figure, _ in published.FIGURES))

    def test_emulation_shows_ratios_only(self):
        text = published.text(merged(("off", self.CALLS), kind="tcg"), "x")
        self.assertEqual(self.lines(text, "refused")[0][:3], ["refused", "0.25x", "1.00x"])
        self.assertIn("no native figure", text)  # of register, which has none

    def test_document(self):
        with tempfile.TemporaryDirectory() as folder:
            page, reference = pathlib.Path(folder, "page.md"), pathlib.Path(folder, "reference.json")
            reference.write_text(json.dumps(merged(("off", self.CALLS))))
            page.write_text(f"before\n{published.BEGIN}\nold\n{published.END}\nbehind\n")
            self.assertEqual(len(published.write_document(True, page, reference)), 1)
            self.assertEqual(published.write_document(False, page, reference), [])
            self.assertEqual(published.write_document(True, page, reference), [])
            text = page.read_text()
            self.assertIn("| refused | 10 | 40 | - | - | 4.0 | - | 11.4 | 1.7 | 1.7 | 2.1 |", text)
            self.assertTrue(text.startswith("before\n") and text.endswith("behind\n"))
            page.write_text("no place for it")
            with self.assertRaises(results.ResultError):
                published.write_document(False, page, reference)
            reference.write_text(json.dumps(merged(("off", self.CALLS), kind="kvm")))
            with self.assertRaises(results.ResultError):
                published.write_document(False, page, reference)

    def test_nothing_measured(self):
        with self.assertRaises(results.ResultError):
            published.text(merged(("off", [])), "x")


class Gates(unittest.TestCase):
    GOOD = {(pti, name): figure for pti in ("off", "on") for name, figure in (("noop/fastcall", 13.0), ("register/fastcall", 2500.0),
                                                                              ("deregister/fastcall", 100.0), ("fork_0/native", 1000.0),
                                                                              ("fork_100/native", 1150.0))}

    def test_budgets(self):
        self.assertEqual(spma22_gate.over_budget(self.GOOD), [])
        for name, figure in (("noop/fastcall", 15), ("register/fastcall", 2501), ("deregister/fastcall", 3501), ("fork_100/native", 1151)):
            self.assertEqual(len(spma22_gate.over_budget(self.GOOD | {("on", name): figure})), 1, name)
        self.assertEqual(len(spma22_gate.over_budget({})), 8)

    def test_growth(self):
        self.assertEqual(spma22_gate.grown(self.GOOD, self.GOOD | {("on", "noop/fastcall"): 14.0}), [])
        self.assertEqual(len(spma22_gate.grown(self.GOOD, self.GOOD | {("on", "noop/fastcall"): 15.0})), 1)
        self.assertEqual(len(spma22_gate.grown(self.GOOD, {})), len(self.GOOD))

    def test_entry(self):
        good = "  10:\tcmp    $0x1ba,%rax\n  16:\tje     5 <fastcall_entry>\n  1c:\tswapgs\n"
        self.assertIsNone(entry_check.problem(entry_check.instructions(good)))
        for line, other in (("cmp    $0x1ba,%rax", "cmp    $0x1bb,%rax"), ("je     5 <fastcall_entry>", "je     5 <elsewhere>"),
                            ("swapgs", "nop"), ("  1c:\tswapgs\n", "")):
            self.assertIsNotNone(entry_check.problem(entry_check.instructions(good.replace(line, other))), line)

    def test_rows_of_a_program(self):
        output = "fastcall_noop/iterations:1000      20 ns\nvdso_array/8/iterations:1000 ERROR OCCURRED: 'vDSO function not found!'\nother\n"
        self.assertEqual(published_programs.rows(output), {"fastcall_noop": True, "vdso_array/8": False})
        all_good = dict.fromkeys(published_programs.ALWAYS + published_programs.COMPARISON, True)
        self.assertEqual(published_programs.wrong(all_good, True), [])
        self.assertEqual(len(published_programs.wrong(all_good, False)), len(published_programs.COMPARISON))
        self.assertEqual(len(published_programs.wrong({}, True)), len(all_good))


if __name__ == "__main__":
    unittest.main()
