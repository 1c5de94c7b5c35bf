"""Result files: hostile and malformed documents give a clear error; good ones merge, print and gate as they should."""

import json
import pathlib
import tempfile
import unittest
import unittest.mock

from support import document, entry
import report
import results
from results import Pass, ResultError


def merged(*passes: tuple[Pass, dict]) -> dict:
    return results.merge(list(passes), {"qemu_version": "7.2", "git_commit": "0123456789abcdef-dirty", "date": "2024-01-01"})


def icount(pti: str, *entries: dict, smp: int = 1) -> tuple[Pass, dict]:
    return Pass("icount", pti, smp, ("qemu", "a b")), document(*entries, pti=pti)


class Malformed(unittest.TestCase):
    def refused(self, text: str, part: str):
        with self.assertRaises(ResultError) as caught:
            results.parse(text, "file.json")
        self.assertIn(part, str(caught.exception))
        self.assertIn("file.json", str(caught.exception))

    def test_documents(self):
        self.refused("", "not JSON")
        self.refused('{"context": {}, "benchmarks": [', "not JSON")
        self.refused("[]", "not a list")
        self.refused('{"benchmarks": []}', "'context' is missing")
        self.refused('{"context": [], "benchmarks": []}', "'context' is missing or no object")
        self.refused('{"context": {}}', "'benchmarks' is missing")
        self.refused('{"context": {}, "benchmarks": [1]}', "benchmarks[0] has no name")
        self.refused('{"context": {}, "benchmarks": [{"name": 5}]}', "benchmarks[0] has no name")

    def test_missing_file(self):
        with self.assertRaises(ResultError):
            results.load(pathlib.Path("/nonexistent/file.json"))

    def test_figures(self):
        for value in (None, "12", True, float("nan"), float("inf"), [1]):
            with self.subTest(value=value), self.assertRaises(ResultError) as caught:
                merged(icount("off", entry("null/native", value)))
            self.assertIn("per_call", str(caught.exception))

    def test_foreign_names(self):
        with self.assertRaises(ResultError):
            results.rows(document(entry("BM_Something")))
        with self.assertRaises(ResultError):
            results.rows(document(entry("bogus/pti:off/null/native")))

    def test_same_pass_twice(self):
        with self.assertRaises(ResultError):
            merged(icount("off", entry("null/native")), icount("off", entry("null/native")))

    def test_the_guest_ran_another_setting(self):
        with self.assertRaises(ResultError) as caught:
            results.merge([(Pass("icount", "on", 1), document(entry("null/native"), pti="off"))], {})
        self.assertIn("wrong column", str(caught.exception))

    def test_no_figures_at_all(self):
        with self.assertRaises(ResultError):
            report.text(merged(icount("off")), "empty")


class Merge(unittest.TestCase):
    def test_names_and_units(self):
        result = merged(icount("off", entry("getppid/flexsc_own/batch:8/repeats:9/manual_time", 42)))
        only = result["benchmarks"][0]
        self.assertEqual(only["name"], "icount/pti:off/getppid/flexsc_own/batch:8")
        self.assertEqual((only["real_time"], only["label"]), (42, "instructions per call"))
        row = results.rows(result)[0]
        self.assertEqual((row.operation, row.gate, row.batch, row.per_call), ("getppid", "flexsc_own", 8, 42))
        self.assertEqual(result["context"]["passes"]["icount/pti:off"]["command"], "qemu 'a b'")

    def test_aggregates_are_left_out(self):
        result = merged(icount("off", entry("null/native"), entry("null/native_mean", run_type="aggregate")))
        self.assertEqual(len(result["benchmarks"]), 1)

    def test_repetitions_give_their_median(self):
        row = results.rows(merged(icount("off", *(entry("null/native", v) for v in (1, 100, 3)))))[0]
        self.assertEqual((row.per_call, row.repetitions), (3, 3))

    def test_kvm_has_cycles_and_ns(self):
        result = merged((Pass("kvm", "off", 2), document(entry("null/native", 300), tsc_hz="3000000000")))
        row = results.rows(result)[0]
        self.assertEqual((row.per_call, row.ns), (300, 100))
        self.assertIn("300 (100.0 ns)", report.text(result, "x"))

    def test_kvm_without_a_frequency_has_no_ns(self):
        for hertz in ("", "n/a", "0", "nan", "-1"):
            row = results.rows(merged((Pass("kvm", "off", 1), document(entry("null/native", 300), tsc_hz=hertz))))[0]
            self.assertIsNone(row.ns)

    def test_plain_tcg_keeps_ratios_only(self):
        result = merged((Pass("tcg", "off", 2), document(entry("null/native", 200, median=7), entry("null/fastcall", 50, median=7))))
        fast = result["benchmarks"][1]
        self.assertEqual((fast["ratio"], fast["real_time"]), (0.25, 0.25))
        self.assertNotIn("per_call", fast)
        self.assertNotIn("median", fast)
        printed = report.text(result, "x")
        self.assertIn("PLAIN TCG", printed)
        table = printed[:printed.index("Published")]
        self.assertIn("0.25x", table)
        self.assertNotIn(" ns", table.replace("n = ", ""))

    def test_skipped(self):
        result = merged(icount("off", entry("null/native"), entry("null/vdso", error_occurred=True, error_message="none here")))
        self.assertIn("icount/pti:off/null/vdso: none here", report.text(result, "x"))

    def test_google_benchmark_shape(self):
        for one in merged(icount("off", entry("null/native")))["benchmarks"]:
            for key in ("name", "run_name", "run_type", "iterations", "real_time", "cpu_time", "time_unit"):
                self.assertIn(key, one)


class Table(unittest.TestCase):
    def test_columns_and_preferred_boot(self):
        result = merged(icount("off", entry("null/native", 10), entry("null/direct", 1)), icount("on", entry("null/native", 20)),
                        icount("off", entry("null/native", 99), entry("null/flexsc_poll/batch:2", 30), smp=2))
        lines = [line.split() for line in report.text(result, "x").splitlines()]
        self.assertIn(["null", "native", "10", "20"], lines)
        self.assertIn(["null", "flexsc_poll", "x2", "30", "-"], lines)
        self.assertLess(lines.index(["null", "direct", "1", "-"]), lines.index(["null", "native", "10", "20"]))


class Gate(unittest.TestCase):
    @staticmethod
    def bad(old: dict, new: dict) -> list[str]:
        return report.gate(merged(icount("off", *old)), merged(icount("off", *new)))[0]

    def test_limits(self):
        old = [entry("null/native", 100)]
        self.assertEqual(self.bad(old, [entry("null/native", 105)]), [])
        self.assertEqual(len(self.bad(old, [entry("null/native", 106)])), 1)
        self.assertEqual(self.bad(old, [entry("null/native", 50)]), [])

    def test_vanished_path(self):
        found = self.bad([entry("null/native"), entry("null/int80")], [entry("null/native")])
        self.assertEqual(len(found), 1)
        self.assertIn("vanished", found[0])

    def test_a_skipped_path_has_vanished(self):
        self.assertEqual(len(self.bad([entry("null/native")], [entry("null/native", error_occurred=True)])), 1)

    def test_free_path(self):
        self.assertEqual(self.bad([entry("null/direct", 0)], [entry("null/direct", 0)]), [])
        self.assertEqual(len(self.bad([entry("null/direct", 0)], [entry("null/direct", 3)])), 1)

    def test_reference_without_icount(self):
        with self.assertRaises(ResultError):
            report.gate(merged((Pass("tcg", "off", 1), document(entry("null/native")))), merged(icount("off", entry("null/native"))))

    def test_budgets(self):
        row = entry("getppid/flexsc_own/batch:64", 70)
        self.assertEqual(self.bad([row], [{**row, "user_per_call": 20.0, "post_per_call": 9.0}]), [])
        self.assertIn("user_per_call is 20.5, at most 20", self.bad([row], [{**row, "user_per_call": 20.5, "post_per_call": 9.0}])[0])
        with self.assertRaises(ResultError):
            self.bad([row], [row])  # a figure that has a budget is measured

    def test_new_and_faster_paths_are_mentioned(self):
        notes = report.gate(merged(icount("off", entry("null/native", 100))),
                            merged(icount("off", entry("null/native", 90), entry("null/vdso"))))[1]
        self.assertEqual(len(notes), 2)

    def test_command_line_status(self):
        with tempfile.TemporaryDirectory() as folder:
            old, new, torn = (pathlib.Path(folder, name) for name in ("old", "new", "torn"))
            old.write_text(json.dumps(merged(icount("off", entry("null/native", 100)))))
            new.write_text(json.dumps(merged(icount("off", entry("null/native", 200)))))
            torn.write_text("{")
            with unittest.mock.patch("sys.stderr"), unittest.mock.patch("sys.stdout"):
                self.assertEqual(report.main(["--gate", str(old), str(old)]), 0)
                self.assertEqual(report.main(["--gate", str(old), str(new)]), 1)
                self.assertEqual(report.main(["--gate", str(old), str(torn)]), 2)
                with self.assertRaises(SystemExit) as caught:
                    report.main(["--bogus"])
                self.assertEqual(caught.exception.code, 64)


class Readme(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.readme = pathlib.Path(self.folder.name, "README.md")
        self.reference = pathlib.Path(self.folder.name, "reference.json")
        self.reference.write_text(json.dumps(merged(icount("off", entry("null/native", 100)))))

    def run_readme(self, check: bool) -> list[str]:
        return report.readme(check, self.readme, self.reference)

    def test_written_and_checked(self):
        self.readme.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
        self.assertEqual(len(self.run_readme(True)), 1)
        self.run_readme(False)
        self.assertEqual(self.run_readme(True), [])
        text = self.readme.read_text()
        self.assertTrue(text.startswith("before\n") and text.endswith("\nafter\n"))
        self.assertIn("| operation | native |", text)
        self.assertIn("| null | 100 / - |", text)

    def test_batches_are_the_smallest_and_the_largest(self):
        both = [entry(f"null/{gate}", 100) for gate in ("fastcall", "flexsc_own/batch:64", "flexsc_own/batch:2", "flexsc_own/batch:1", "native")]
        rows = [row for row in report.results.rows(merged(icount("off", *both)), "test") if row.kind == "icount"]
        self.assertEqual(report.shown_gates(rows), ["native", "flexsc_own x1", "flexsc_own x64", "fastcall"])

    def test_markers(self):
        for text in ("none", report.BEGIN, f"{report.END}{report.BEGIN}", report.BEGIN * 2 + report.END):
            self.readme.write_text(text)
            with self.assertRaises(ResultError):
                self.run_readme(False)
            self.assertEqual(self.readme.read_text(), text)

    def test_missing_files(self):
        with self.assertRaises(ResultError):
            self.run_readme(True)



if __name__ == "__main__":
    unittest.main()
