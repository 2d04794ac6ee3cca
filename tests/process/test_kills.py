"""Each daemon gets kill -9 while a probe runs: what packets notice. Root only."""
import contextlib
import json
import os
import signal
import subprocess
import unittest

from fabric import BIN, FabricTestCase, cannot_have_packets, process_state
from test_packets import Guests

CANNOT = cannot_have_packets("ip", "ping")


@unittest.skipIf(CANNOT, CANNOT)
class Kills(Guests, FabricTestCase):
    """1,000 packets a second between the spokes (through nva1), to the site and from it."""

    topology = "topologies/multi-region.yaml"
    packets = "on"
    wait = "60s"

    def probe_while(self, src, dst, victim, over):
        """The report of a probe that runs from before the kill until over() has held, and 100 packets more."""
        command = [BIN / "fabctl", "--url", self.fabric.url, "-o", "json", "probe", src, dst, "--duration", "1h"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as probe, contextlib.ExitStack() as stack:
            stack.callback(probe.kill)  # or leaving by an exception would wait for its hour
            self.addCleanup(self.fabric.fabctl, "start", victim, expect=None)
            self.until_more(dst, 100)
            pid = self.fabric.pid(victim)
            os.kill(pid, signal.SIGKILL)
            self.until(lambda: process_state(pid) in (None, "Z"), f"{victim} is dead")
            over()
            self.until_more(dst, 100)
            probe.send_signal(signal.SIGINT)
            told = json.loads(probe.communicate(timeout=30)[0])
        self.fabric.fabctl("start", victim, expect=None)
        self.fabric.converged()
        return told

    def until_more(self, guest, packets):
        before = self.received(guest)
        self.until(lambda: self.received(guest) > before + packets, f"{packets} packets at {guest}")

    def until_lost(self, name):
        self.until(lambda: self.fabric.ps()[name]["state"] == "dead", f"{name} is dead")
        self.until(lambda: any(e["kind"] == "node" and e["subject"] == name and e["text"].startswith("lost")
                               for e in self.events()), f"fabricd misses {name}")

    def events(self):
        return [json.loads(line) for line in self.fabric.fabctl("events", json_output=True).stdout.splitlines()]

    def test_fabricd(self):
        """Fail-static: vswitchd goes on with what it has, and nothing is lost when fabricd is back either."""
        def back():
            self.fabric.fabctl("start", "fabricd")
            self.fabric.converged()
        told = self.probe_while("vm11", "vm12", "fabricd", back)
        self.assertEqual(told["lost"], 0, told)
        self.assertEqual(told["path_after"], ["vm11", "nva1", "vm12"])

    def test_fabricd_that_stays_away(self):
        """The probe tells what it saw, and not what it cannot know."""
        told = self.probe_while("vm11", "vm12", "fabricd", lambda: None)
        self.assertEqual((told["lost"], told["path_after"]), (0, None))

    def test_one_route_server_instance(self):
        """RS-93: the sibling has the same routes."""
        for victim in ("rs1-0", "rs1-1"):
            with self.subTest(victim=victim):
                told = self.probe_while("vm11", "vm12", victim, lambda victim=victim: self.until_lost(victim))
                self.assertEqual(told["lost"], 0, told)

    def test_each_gateway_instance(self):
        """ER-19, ER-20: the other instance has the same routes, and the switch carries packets for both."""
        for victim in ("er1-0", "er1-1"):
            for src, dst in (("vm11", "dc1"), ("dc1", "vm11")):
                with self.subTest(victim=victim, src=src):
                    told = self.probe_while(src, dst, victim, lambda victim=victim: self.until_lost(victim))
                    self.assertEqual(told["lost"], 0, told)

    def test_maintenance(self):
        """RS-10, ER-38: the platform restarts one instance at a time, and nothing is lost."""
        command = [BIN / "fabctl", "--url", self.fabric.url, "-o", "json", "probe", "vm11", "dc1", "--duration", "1h"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as probe:
            self.until_more("dc1", 100)
            for instance in ("rs1-0", "rs1-1", "er1-0", "er1-1"):
                pid = self.fabric.pid(instance)
                self.fabric.fabctl("restart", instance)
                self.fabric.converged()
                self.assertNotEqual(self.fabric.pid(instance), pid)
            self.until_more("dc1", 100)
            probe.send_signal(signal.SIGINT)
            told = json.loads(probe.communicate(timeout=30)[0])
        self.assertEqual(told["lost"], 0, told)

    def test_each_edge_router(self):
        """ER-1: what was under way by the dead MSEE goes by the other one; how much is lost is not promised."""
        for victim in ("circuit1-primary", "circuit1-secondary"):
            for src, dst in (("vm11", "dc1"), ("dc1", "vm11")):
                with self.subTest(victim=victim, src=src):
                    told = self.probe_while(src, dst, victim, lambda victim=victim: self.until_lost(victim))
                    self.assertNotIn(victim, told["path_after"])
                    self.assertEqual(told["path_after"][-1], dst)

    def test_vswitchd(self):
        """Flows that the kernel has cached go on, also while the next one takes over."""
        told = self.probe_while("vm11", "vm12", "vswitchd", lambda: self.fabric.fabctl("start", "vswitchd"))
        self.assertEqual(told["path_after"], ["vm11", "nva1", "vm12"])
        self.assertEqual(told["lost"], 0, told)


if __name__ == "__main__":
    unittest.main()
