"""script/count-tests: what ctest wrote becomes one line, and the right exit code."""
import contextlib
import importlib.machinery
import importlib.util
import io
import pathlib
import tempfile
import unittest
from xml.sax.saxutils import escape

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def load():
    loader = importlib.machinery.SourceFileLoader("count_tests", str(ROOT / "script/count-tests"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("count_tests", loader))
    loader.exec_module(module)
    return module


COUNT_TESTS = load()


def suite(*cases):
    return f"<?xml version='1.0' encoding='UTF-8'?>\n<testsuite name='(empty)'>{''.join(cases)}</testsuite>"


def case(name, text="", status="run", more=""):
    """A <testcase> as ctest 3.25 writes it."""
    more += '<failure message=""/>' if status == "fail" else ""
    return (f'<testcase name="{name}" classname="{name}" time="0.1" status="{status}">{more}'
            f"<system-out>{escape(text)}</system-out></testcase>")


def cunit(passed, failed=0):
    return f"""
     CUnit - A unit testing framework for C - Version 2.1-3

Run Summary:    Type  Total    Ran Passed Failed Inactive
              suites      1      1    n/a      0        0
               tests{passed + failed:7}{passed + failed:7}{passed:7}{failed:7}        0
             asserts    438    438    438      0      n/a
"""


UNITTEST_MIXED = """\
test_1_ok (t.A.test_1_ok)
With a docstring. ... ok
test_2_skip (t.A.test_2_skip)
Rule X: with a docstring. ... skipped "no 'bird' here"
test_3_skip (t.A.test_3_skip) ... skipped 'plain'
test_4_fail (t.A.test_4_fail) ... FAIL
test_5_error (t.A.test_5_error) ... ERROR
setUpClass (t.C) ... skipped 'gobgp is not installed'
setUpClass (t.D) ... ERROR
test_known (t.E.test_known) ... expected failure
test_sub (t.E.test_sub) ...\x20
  test_sub (t.E.test_sub) (i=0) ... FAIL
  test_sub (t.E.test_sub) (i=2) ... FAIL

======================================================================
ERROR: test_5_error (t.A.test_5_error)
----------------------------------------------------------------------
OSError: x

======================================================================
ERROR: setUpClass (t.D)
----------------------------------------------------------------------
OSError: y

======================================================================
FAIL: test_4_fail (t.A.test_4_fail)
----------------------------------------------------------------------
AssertionError: x

======================================================================
FAIL: test_sub (t.E.test_sub) (i=0)
----------------------------------------------------------------------
AssertionError: 0 != 1

======================================================================
FAIL: test_sub (t.E.test_sub) (i=2)
----------------------------------------------------------------------
AssertionError: 2 != 1

----------------------------------------------------------------------
Ran 7 tests in 0.032s

FAILED (failures=3, errors=2, skipped=3, expected failures=1)
"""


def unittest_ok(ran, verdict="OK"):
    return f"\n{'-' * 70}\nRan {ran} test{'' if ran == 1 else 's'} in 1.032s\n\n{verdict}\n"


class CountTests(unittest.TestCase):
    def total(self, **files):
        """(exit code, lines printed) for files such as unit_xml="..."."""
        with tempfile.TemporaryDirectory() as folder, io.StringIO() as out:
            for name, text in files.items():
                (pathlib.Path(folder) / name.replace("_", ".")).write_text(text)
            with contextlib.redirect_stdout(out):
                status = COUNT_TESTS.main(folder)
            return status, out.getvalue().splitlines()

    def test_suites_add_up(self):
        status, lines = self.total(
            unit_xml=suite(case("test_a", cunit(18)), case("test_b", cunit(4)),
                           case("test_c", unittest_ok(1))),
            process_xml=suite(case("test_d", unittest_ok(6))),
            clang_xml=suite(case("fuzz_a", "#20000 DONE\n")))
        self.assertEqual((status, lines), (0, ["30 passed, 0 failed, 0 skipped"]))

    def test_failures_are_named_and_counted(self):
        status, lines = self.total(
            unit_xml=suite(case("test_a", cunit(16, 2), "fail"), case("test_b", cunit(4))),
            clang_xml=suite(case("fuzz_a", "==1==ERROR: libFuzzer: deadly signal", "fail"),
                            case("fuzz_b", "DONE")))
        self.assertEqual(status, 1)
        self.assertEqual(lines, ["failed: clang: fuzz_a", "failed: unit: test_a",
                                 "21 passed, 3 failed, 0 skipped"])

    def test_a_program_can_fail_with_all_its_tests_passed(self):
        """A leak at exit, a signal, a time limit: one failure."""
        for text, passed in ((cunit(18) + "LeakSanitizer: detected memory leaks", 18),
                             (unittest_ok(6), 6), ("", 0)):
            with self.subTest(text[-30:]):
                status, lines = self.total(unit_xml=suite(case("test_a", text, "fail")))
                self.assertEqual((status, lines[-1]), (1, f"{passed} passed, 1 failed, 0 skipped"))

    def test_unittest_with_everything_in_it(self):
        status, lines = self.total(process_xml=suite(case("test_t", UNITTEST_MIXED, "fail")))
        self.assertEqual(status, 1)
        self.assertEqual(lines, ["failed: process: test_t",
                                 "skipped: test_t: test_2_skip: no 'bird' here",
                                 "skipped: test_t: test_3_skip: plain",
                                 "skipped: test_t: setUpClass: gobgp is not installed",
                                 "2 passed, 4 failed, 3 skipped"])

    def test_a_skipped_class_takes_nothing_from_the_others(self):
        text = "setUpClass (t.C) ... skipped 'why'\n" + unittest_ok(6, "OK (skipped=1)")
        status, lines = self.total(process_xml=suite(case("test_t", text)))
        self.assertEqual((status, lines[-1]), (0, "6 passed, 0 failed, 1 skipped"))

    def test_a_reason_that_cannot_be_read_still_counts(self):
        text = "test_a (t.A.test_a) ... noise of a child\nskipped 'why'\n"
        status, lines = self.total(process_xml=suite(case(
            "test_t", text + unittest_ok(2, "OK (skipped=1)"))))
        self.assertEqual((status, lines), (0, ["skipped: test_t: see its output",
                                               "1 passed, 0 failed, 1 skipped"]))

    def test_skipped_programs_say_why(self):
        status, lines = self.total(unit_xml=suite(
            case("test_a", cunit(1)),
            case("test_b", "first line\nneeds root\n", "notrun",
                 '<skipped message="SKIP_RETURN_CODE=77"/>'),
            case("test_c", "", "notrun", '<skipped message="Unable to find executable"/>'),
            case("test_d", "Disabled", "disabled")))
        self.assertEqual((status, lines), (0, [
            "skipped: test_b: needs root", "skipped: test_c: Unable to find executable",
            "skipped: test_d: Disabled", "1 passed, 0 failed, 3 skipped"]))

    def test_a_suite_that_did_not_run_is_a_failure(self):
        status, lines = self.total(unit_xml=suite(case("test_a", cunit(3))),
                                   tsan_broken="tsan: does not build\n")
        self.assertEqual((status, lines), (1, ["failed: tsan: does not build",
                                               "3 passed, 1 failed, 0 skipped"]))

    def test_nothing_at_all_is_no_success(self):
        self.assertEqual(self.total(), (1, ["0 passed, 0 failed, 0 skipped"]))
        skipped = suite(case("test_b", "needs root", "notrun", "<skipped/>"))
        self.assertEqual(self.total(unit_xml=skipped)[0], 1)


if __name__ == "__main__":
    unittest.main()
