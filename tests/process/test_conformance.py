"""script/conformance: its verdicts, for software that does well, that does not, and that cannot."""
import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

from fabric import BIN, ROOT, find_program

ADAPTERS = ROOT / "scenarios/nva-conformance/adapters"


@unittest.skipUnless(find_program("bird") and find_program("birdc"), "bird is not installed")
class Conformance(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="fab-conformance-"))
        self.addCleanup(shutil.rmtree, self.dir)

    def run_suite(self, adapter, *only, expect=0):
        """{scenario number: verdict} as its JSON says; the other forms must agree."""
        card, junit, markdown = (self.dir / name for name in ("card.json", "card.xml", "card.md"))
        before = set(pathlib.Path("/tmp").glob("fab-test-*"))
        done = subprocess.run([ROOT / "script/conformance", adapter, "--fabctl", BIN / "fabctl", "--only", *only, "--json", card,
                               "--junit", junit, "--markdown", markdown], capture_output=True, text=True, check=False, timeout=300)
        for kept in set(pathlib.Path("/tmp").glob("fab-test-*")) - before:
            shutil.rmtree(kept)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        told = json.loads(card.read_text())
        suite = ElementTree.parse(junit).getroot()
        self.assertEqual([int(suite.get(key)) for key in ("tests", "failures", "skipped")],
                         [len(told["results"]), told["no"], told["cannot"]])
        self.assertEqual(markdown.read_text(), done.stdout)
        for row in told["results"]:
            self.assertIn(f"| {row['verdict']} | ", done.stdout)
        return {row["scenario"][:2]: row["verdict"] for row in told["results"]}

    def adapter(self, name, verb, command):
        """BIRD's, but for one verb."""
        path = self.dir / name
        path.write_text(f"#!/bin/sh\ncase $1 in\n{verb}) {command} ;;\nesac\nexec {ADAPTERS}/bird.sh \"$@\"\n")
        path.chmod(0o755)
        return path

    def test_bird(self):
        self.assertEqual(self.run_suite("bird", "01", "05"), {"01": "yes", "05": "yes"})

    def test_software_that_does_not(self):
        """It forgets to withdraw."""
        forgetful = self.adapter("forgetful.sh", "withdraw", "exit 0")
        self.assertEqual(self.run_suite(forgetful, "01", "05", expect=1), {"01": "yes", "05": "no"})

    def test_software_that_cannot(self):
        cannot = self.adapter("cannot.sh", "announce", "echo it cannot >&2; exit 77")
        self.assertEqual(self.run_suite(cannot, "01", "05"), {"01": "yes", "05": "cannot"})

    def test_no_such_adapter(self):
        done = subprocess.run([ROOT / "script/conformance", "cisco"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("cisco.sh is not an executable adapter", done.stderr)


if __name__ == "__main__":
    unittest.main()
