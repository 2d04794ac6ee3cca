"""compose/multi-region on a real Docker engine: built, started, healthy, survives the kill of its active
NVA, goes down without leftovers.
"""
import json
import os
import shutil
import subprocess
import unittest

from fabric import ROOT, until

FILE = ROOT / "compose/multi-region/docker-compose.yaml"
PROJECT = f"fab{os.getpid()}"


def engine_answers():
    return shutil.which("docker") and subprocess.run(
        ["docker", "info"], capture_output=True, check=False, timeout=30).returncode == 0


def compose_command():
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    if not shutil.which("docker"):
        return None
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return ["docker", "compose"] if plugin.returncode == 0 else None


@unittest.skipUnless(engine_answers(), "no Docker engine answers")
@unittest.skipUnless(compose_command(), "neither docker-compose nor the compose plugin is installed")
class MultiRegionCompose(unittest.TestCase):
    @classmethod
    def compose(cls, *args, timeout=120, check=True):
        done = subprocess.run([*compose_command(), "-p", PROJECT, "-f", str(FILE), *args],
                              capture_output=True, text=True, timeout=timeout, check=False,
                              stdin=subprocess.DEVNULL)
        if check and done.returncode != 0:
            raise AssertionError(f"compose {args}: {done.stdout}{done.stderr}")
        return done.stdout

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(cls.compose, "down", "-v", "--timeout", "2", check=False)
        cls.compose("up", "-d", "--build", timeout=900)

    def fabctl(self, *args):
        done = self.compose("exec", "-T", "fabricd", "fabctl", "-o", "json", *args)
        return json.loads(done)

    def health(self):
        """{service: healthy?} of every container of the project."""
        ids = self.compose("ps", "-q").split()
        info = json.loads(subprocess.run(["docker", "inspect", *ids], capture_output=True, text=True,
                                         check=True).stdout)
        return {c["Config"]["Labels"]["com.docker.compose.service"]:
                c["State"].get("Health", {}).get("Status") == "healthy" for c in info}

    def default_of(self, nic):
        rows = self.fabctl("routes", "effective", nic)["value"]
        return [r["nextHopIpAddress"] for r in rows
                if r["addressPrefix"] == ["0.0.0.0/0"] and r["state"] == "Active"]

    def test_kill_moves_routes_and_restart_brings_them_back(self):
        until(lambda: all(self.health().values()), "every service healthy", timeout=60)
        self.assertEqual(self.default_of("vm11"), [["10.1.2.4"]])
        self.compose("kill", "nva1")
        until(lambda: self.default_of("vm11") == [["10.1.2.5"]], "default over nva2", timeout=20)
        self.compose("up", "-d", "nva1")
        until(lambda: self.default_of("vm11") == [["10.1.2.4"]], "default over nva1", timeout=30)

    def test_no_container_has_more_rights_than_it_needs(self):
        ids = self.compose("ps", "-q").split()
        info = json.loads(subprocess.run(["docker", "inspect", *ids], capture_output=True, text=True,
                                         check=True).stdout)
        for container in info:
            host = container["HostConfig"]
            self.assertFalse(host["Privileged"])
            self.assertTrue(host["ReadonlyRootfs"])
            self.assertEqual(host["CapDrop"], ["ALL"])
            self.assertNotEqual(container["Config"]["User"], "")
            self.assertEqual([m for m in container["Mounts"] if m["Type"] == "bind"], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
