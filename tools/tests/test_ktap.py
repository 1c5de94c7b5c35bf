"""Golden tests of the KTAP checker: every way a report can lie must be found."""

import io
import pathlib
import tempfile
import unittest
import unittest.mock

import support  # noqa: F401
import ktap

GOOD = "boot noise\nKTAP version 1\n1..3\nok 1 first\n[0.1] a line of the kernel\nok 2 - second\nok 3 third\n# checks: 12\n"


def problems(text: str, **demands) -> list[str]:
    return ktap.problems(ktap.parse(text), **demands)


class Good(unittest.TestCase):
    def test_plain(self):
        verdict = ktap.parse(GOOD)
        self.assertEqual((verdict.tests, verdict.checks, verdict.failures, verdict.errors), (3, 12, [], []))
        self.assertEqual(ktap.problems(verdict, 3, 3, 12), [])

    def test_carriage_returns(self):
        self.assertEqual(problems(GOOD.replace("\n", "\r\n")), [])

    def test_plan_at_the_end(self):
        self.assertEqual(problems("KTAP version 1\nok 1 a\n1..1\n"), [])

    def test_two_reports(self):
        verdict = ktap.parse(GOOD + GOOD)
        self.assertEqual((verdict.tests, verdict.checks, verdict.errors), (6, 24, []))

    def test_nested_numbers_are_another_plan(self):
        self.assertEqual(problems("KTAP version 1\n1..1\n  KTAP version 1\n  1..2\n  ok 1 x\n  ok 2 y\nok 1 a\n"), [])

    def test_words_that_only_look_like_results(self):
        self.assertEqual(problems("okay\nKTAP version 1\n1..1\nokay 7\nnotok\nok 1 a\n"), [])


class Bad(unittest.TestCase):
    def check(self, text: str, part: str, **demands):
        found = problems(text, **demands)
        self.assertTrue(any(part in line for line in found), f"'{part}' is not in {found}")

    def test_empty(self):
        self.check("", "no KTAP report")

    def test_no_version(self):
        self.check("1..1\nok 1 a\n", "before any version line")

    def test_other_version(self):
        self.check("KTAP version 2\n1..1\nok 1 a\n", "unknown version")

    def test_no_plan(self):
        self.check("KTAP version 1\nok 1 a\n", "no plan")

    def test_two_plans(self):
        self.check("KTAP version 1\n1..1\n1..1\nok 1 a\n", "two plans")

    def test_empty_plan(self):
        self.check("KTAP version 1\n1..0\n", "planned no test")

    def test_cut_short(self):
        self.check("KTAP version 1\n1..3\nok 1 a\n", "lacks 2, 3")

    def test_first_of_two_reports_cut_short(self):
        self.check("KTAP version 1\n1..2\nok 1 a\n" + GOOD, "report 1 planned 1..2 and lacks 2")

    def test_surplus(self):
        self.check("KTAP version 1\n1..1\nok 1 a\nok 2 b\n", "also has 2")

    def test_twice(self):
        self.check("KTAP version 1\n1..2\nok 1 a\nok 1 b\nok 2 c\n", "appears twice")

    def test_not_ok(self):
        self.check("KTAP version 1\n1..1\nnot ok 1 a\n", "not ok: a")

    def test_not_ok_skip_is_a_failure(self):
        self.check("KTAP version 1\n1..1\nnot ok 1 a # SKIP why\n", "not ok: a", skips=1)

    def test_nested_not_ok_under_ok(self):
        self.check("KTAP version 1\n1..1\n    not ok 1 inner\nok 1 a\n", "not ok: inner")

    def test_nameless(self):
        self.check("KTAP version 1\n1..1\nok 1\n", "without number or name")

    def test_numberless(self):
        self.check("KTAP version 1\n1..1\nok a\n", "without number or name")

    def test_bail_out(self):
        self.check(GOOD + "Bail out! no memory\n", "Bail out!")

    def test_skip(self):
        text = "KTAP version 1\n1..2\nok 1 a # SKIP no such CPU\nok 2 b\n"
        self.check(text, "1 tests were skipped, 0 may be")
        self.assertEqual(problems(text, skips=1), [])
        self.assertEqual(ktap.parse(text).skips, ["a (no such CPU)"])

    def test_too_few(self):
        self.check(GOOD, "3 tests ran, at least 4", expect=4)
        self.check(GOOD, "3 tests ran, exactly 2", exact=2)
        self.check(GOOD, "12 checks were counted, at least 13", checks=13)


class PlantedFault(unittest.TestCase):
    TEXT = "KTAP version 1\n1..3\nok 1 a\nnot ok 2 smap copy\nok 3 c\n"

    def test_the_right_test_fails(self):
        self.assertEqual(problems(self.TEXT, fails="^smap"), [])

    def test_nothing_fails(self):
        self.assertIn("no test matching", problems(GOOD, fails="^smap")[0])

    def test_another_fails_too(self):
        text = self.TEXT.replace("ok 3 c", "not ok 3 c")
        self.assertEqual(problems(text, fails="^smap"), ["not ok, though not expected to fail: c"])


class CommandLine(unittest.TestCase):
    def run_on(self, text: str, *options: str) -> int:
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder, "log")
            log.write_text(text)
            with unittest.mock.patch("sys.stdout", io.StringIO()), unittest.mock.patch("sys.stderr", io.StringIO()):
                return ktap.main([str(log), *options])

    def test_status(self):
        self.assertEqual(self.run_on(GOOD, "--expect", "3"), 0)
        self.assertEqual(self.run_on(GOOD, "--expect", "4"), 1)
        self.assertEqual(self.run_on("\xff\x00 binary"), 1)
        self.assertEqual(self.run_on(GOOD, "--expect", "many"), 64)



if __name__ == "__main__":
    unittest.main()
