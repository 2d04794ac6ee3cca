"""The examples of compose/ that take their time: verdicts about NVAs, transit, and what each capability is for."""
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from estate import Estate, compose_command
from fabric import ROOT, until


class NvaUnderTest(Estate):
    """The verdict is the exit code of one service."""

    example = "nva-under-test"
    up_by_class = False

    def verdict(self, nva):
        type(self).env = {"NVA": nva}
        self.addCleanup(setattr, type(self), "env", {})
        self.addCleanup(self.compose, "down", "-v", "--timeout", "2")
        self.compose("build", "-q", timeout=900)
        path = ROOT / f"compose/{self.example}/docker-compose.yaml"
        done = subprocess.run([*compose_command(), "-p", self.project, "-f", path, "up", "--no-color", "--exit-code-from", "test"],
                              capture_output=True, text=True, timeout=400, check=False, stdin=subprocess.DEVNULL,
                              env=dict(os.environ, FAB_PORT=str(self.port), NVA=nva))
        said = "\n".join(line.split("| ", 1)[1] for line in done.stdout.splitlines() if re.match(r"test(_1|-1) ", line))
        self.doCleanups()
        return done.returncode, said

    def test_right(self):
        for nva in ("bird", "frr", "gobgp"):
            with self.subTest(nva):
                code, said = self.verdict(nva)
                self.assertEqual(code, 0, said)
                self.assertIn("6 of 6 scenarios hold", said)

    def test_wrong(self):
        """RS-21, RS-31, RS-50, RS-96: each for its reason."""
        for nva, reason in (("bird-single-hop", r"FAIL  it has a session.*(?s:.*)session nva rs1-0 up: "),
                            ("frr-5000-routes", r"FAIL  it has a session.*(?s:.*)maximum number of prefixes: "),
                            ("frr-azure-asn", r"FAIL  it passes the routes.*without Azure's ASN.*(?s:.*)- .*10\.11\.0\.0/16"),
                            ("frr-no-refresh", r"FAIL  a new spoke makes.*(?s:.*)session nva down: it happened")):
            with self.subTest(nva):
                code, said = self.verdict(nva)
                self.assertEqual(code, 1, said)
                self.assertRegex(said, reason)


class VpnToExpressRoute(Estate):
    example = "vpn-to-expressroute"

    def sites_meet(self):
        return self.fabctl("trace", "branch1", "dc1")["verdict"] == "delivered"

    def test_transit(self):
        until(self.sites_meet, "branch-to-branch carries them", timeout=30)

    def test_every_service_heals(self):
        self.restart_each(self.sites_meet)


class WithoutCapability(Estate):
    """Each capability is needed: without it the estate does not become whole."""

    example = "multi-region"
    up_by_class = False

    def test_each(self):
        text = (ROOT / "compose/multi-region/docker-compose.yaml").read_text()
        for service, missing in (("vswitchd", "no guest is plugged in"), ("nva1", "kernel routes are not set")):
            with self.subTest(service), tempfile.TemporaryDirectory(dir=ROOT / "compose") as place:
                at = text.index(f"\n  {service}:\n")
                type(self).file = pathlib.Path(place) / "docker-compose.yaml"
                self.addCleanup(delattr, type(self), "file")
                self.file.write_text(text[:at] + text[at:].replace("    cap_add: [NET_ADMIN]\n", "", 1))
                self.compose("build", "-q", timeout=900)
                self.addCleanup(self.compose, "down", "-v", "--timeout", "2")
                self.compose("up", "-d", timeout=300)
                until(lambda: "CAP_NET_ADMIN is missing" in self.compose("logs", "--no-color", service) or
                      "not permitted" in self.compose("logs", "--no-color", service), missing, timeout=30)
                self.doCleanups()


if __name__ == "__main__":
    unittest.main(verbosity=2)
