"""What `cmake --install` puts into a prefix is all there and works from there: fabctl finds the installed
daemons beside it, not those of the build tree."""
import filecmp
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from fabric import BUILD, ROOT, Fabric, find_program

PROGRAMS = sorted(name for path in ROOT.glob("*/CMakeLists.txt")
                  for name in re.findall(r"add_executable\((\w+) main\.c", path.read_text()))


class InstalledFabric(Fabric):
    """Driven by the fabctl of a prefix."""

    def __init__(self, prefix, topology):
        super().__init__(prefix / "share/hubspoke/topologies" / topology)
        self.bin = prefix / "bin"


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not find_program("cmake"):
            raise unittest.SkipTest("cmake is not installed")
        cls.prefix = pathlib.Path(tempfile.mkdtemp(prefix="fab-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.prefix)
        subprocess.run([find_program("cmake"), "--install", str(BUILD), "--prefix", str(cls.prefix)],
                       check=True, stdout=subprocess.DEVNULL, timeout=120,
                       env={name: value for name, value in os.environ.items() if name != "DESTDIR"})
        cls.topologies = cls.prefix / "share/hubspoke/topologies"

    def assert_same(self, installed, source):
        self.assertTrue(installed.is_file(), f"{installed.relative_to(self.prefix)} is missing")
        self.assertTrue(filecmp.cmp(installed, source, shallow=False), installed)

    def test_programs_with_their_manual_pages(self):
        self.assertIn("fabctl", PROGRAMS)
        for name in PROGRAMS:
            with self.subTest(name):
                done = subprocess.run([str(self.prefix / "bin" / name), "--version"],
                                      capture_output=True, text=True, timeout=30, check=True)
                self.assertRegex(done.stdout, rf"^{name} \d+\.\d+")
        pages = sorted((ROOT / "docs/man").iterdir())
        self.assertEqual([page.stem for page in pages], PROGRAMS)
        for page in pages:
            self.assert_same(self.prefix / "share/man" / f"man{page.suffix[1:]}" / page.name, page)

    def test_completion_and_licence(self):
        self.assert_same(self.prefix / "share/bash-completion/completions/fabctl",
                         ROOT / "fabctl/completion.bash")
        self.assert_same(self.prefix / "share/doc/hubspoke/LICENSE", ROOT / "LICENSE")

    def test_topologies_with_the_files_that_they_name(self):
        sources = [path for path in (ROOT / "topologies").rglob("*") if path.is_file()]
        for path in sources:
            self.assert_same(self.topologies / path.relative_to(ROOT / "topologies"), path)
        named = [name for path in self.topologies.glob("*.yaml")
                 for name in re.findall(r"\{dir\}/([\w./-]+)", path.read_text())]
        self.assertIn("multi-region-foreign/nva4.frr.conf", named)
        for name in named:
            self.assertTrue((self.topologies / name).is_file(), name)

    def test_topologies_are_valid(self):
        for path in sorted(self.topologies.glob("*.yaml")):
            with self.subTest(path.name):
                subprocess.run([str(self.prefix / "bin/fabctl"), "check", str(path)], check=True,
                               stdout=subprocess.DEVNULL, timeout=60)

    def test_a_fabric_of_installed_daemons(self):
        fabric = InstalledFabric(self.prefix, "firewall.yaml")
        self.addCleanup(fabric.down)
        fabric.up()
        fabric.converged()
        for name, node in fabric.ps().items():
            program = pathlib.Path(os.readlink(f"/proc/{node['pid']}/exe"))
            self.assertEqual(program.parent, (self.prefix / "bin").resolve(), name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
