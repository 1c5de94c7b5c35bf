"""The fit of posted calls over their batches."""

import unittest

import support  # noqa: F401
import flexsc_fit


class FlexscFit(unittest.TestCase):
    def test_exact_curve(self):
        found = flexsc_fit.fit({n: 24 + 56 / n for n in (1, 2, 4, 8)})
        self.assertAlmostEqual(found.call, 24)
        self.assertAlmostEqual(found.wait, 56)
        self.assertAlmostEqual(found.error, 0)
        self.assertAlmostEqual(found.break_even(56), 1.75)
        self.assertIsNone(found.break_even(24))
        self.assertEqual(found.break_even(1000), 1.0)

    def test_two_points_are_no_curve(self):
        self.assertIsNone(flexsc_fit.fit({1: 3.0, 2: 2.0}))

    def test_paper(self):
        found = flexsc_fit.fit(flexsc_fit.PAPER["same core"])
        self.assertLess(found.error, 4)
        self.assertAlmostEqual(found.call, 24, delta=2)


if __name__ == "__main__":
    unittest.main()
