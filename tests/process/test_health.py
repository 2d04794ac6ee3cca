"""Health probes of an internal load balancer: packets of 168.63.129.16 into the backends' guests, and what follows from their
answers. Root only."""
import json
import re
import subprocess
import unittest

from fabric import ROOT, FabricTestCase, cannot_have_bpf, cannot_have_packets
from test_packets import Guests

CANNOT = cannot_have_packets("ip", "ping", "nsenter", "python3")
CANNOT_BPF = CANNOT or cannot_have_bpf()
PROBE = "{protocol: Http, port: 8080, path: /health}"
BALANCED = (ROOT / "topologies/load-balanced.yaml").read_text()
BALANCED = re.sub(r"(ilb1: .*backends: \[fw1, fw2\]).*}", rf"\1, probe: {PROBE}}}", BALANCED)
VMS = {f"vm{i + 12}": f"10.12.0.{i + 4}" for i in range(5)}

# Answers every request with the number in its file.
SERVER = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open(sys.argv[1], encoding="ascii") as file:
            self.send_response(int(file.read()) if self.path == "/health" else 404)
        self.end_headers()
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer.handle_error = lambda *args: None  # who asked went away
http.server.ThreadingHTTPServer(("", 8080), Answer).serve_forever()
"""


class Health(Guests):
    """fw1 and fw2 behind ilb1, each with a server of its own that says how it is."""

    topology_text = BALANCED
    packets = "on"
    wait = "60s"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.servers = {}
        cls.addClassCleanup(lambda: [cls.stop_server(fw) for fw in list(cls.servers)])
        for fw in ("fw1", "fw2"):
            (cls.files / fw).write_text("200")
            cls.start_server(fw)

    @classmethod
    def start_server(cls, fw):
        netns = cls.fabric.run_dir / "guests" / fw
        cls.servers[fw] = subprocess.Popen(["nsenter", f"--net={netns}", "python3", "-c", SERVER, cls.files / fw])

    @classmethod
    def stop_server(cls, fw):
        server = cls.servers.pop(fw)
        server.kill()
        server.wait()

    def setUp(self):
        """Both are healthy because a probe said so, not because none has said anything yet."""
        def condition():
            rows = self.fabric.json("backends", "ilb1")["value"]
            return [(row["healthy"], row["knownBy"]) for row in rows] == [(True, "probe")] * 2
        self.until(condition, "probes find both healthy")

    def wait_for(self, fw, state, timeout="20s"):
        self.fabric.fabctl("wait", f"backend ilb1 {fw} {state}", "--timeout", timeout)

    def backend(self, fw):
        return next(b for b in self.fabric.json("backends", "ilb1")["value"] if b["name"] == fw)

    def takers(self, dst):
        """Firewalls that forwarded pings from vm11 to dst and their answers; a few probes are nothing beside them."""
        before = {fw: self.received(fw) for fw in ("fw1", "fw2")}
        self.run_in("vm11", "ping", "-n", "-q", "-c", "40", "-i", "0.002", dst)
        return {fw for fw in before if self.received(fw) - before[fw] >= 80}

    def traced(self, vm):
        return {hop["node"] for hop in self.fabric.json("trace", "vm11", vm)["hops"]} & {"fw1", "fw2"}

    def until_all_through(self, *firewalls):
        """Every flow takes one of these and all of them have some; trace says so too."""
        def condition():
            return {fw for vm, dst in VMS.items() for fw in self.takers(dst) | self.traced(vm)} == set(firewalls)
        self.until(condition, f"traffic by {firewalls}", timeout=30)

    def events(self):
        lines = self.fabric.fabctl("-o", "json", "events").stdout.splitlines()
        return [event["text"] for event in map(json.loads, lines) if event["subject"] == "ilb1"]

    def test_a_listener_stops_and_comes_back(self):
        """RS-57: traffic moves to the other backend, and back."""
        self.until_all_through("fw1", "fw2")
        self.stop_server("fw1")
        self.wait_for("fw1", "down")
        self.assertEqual(self.backend("fw1")["reason"], "connection refused")
        self.assertIn("probe of fw1 failed: connection refused", self.events())
        self.assertIn("fw2, of 1 healthy backends of 2", [h["route"] for h in self.fabric.json("trace", "vm11", "vm12")["hops"]])
        self.until_all_through("fw2")
        self.start_server("fw1")
        self.wait_for("fw1", "up")
        self.assertIn("probe of fw1 succeeded", self.events())
        self.until_all_through("fw1", "fw2")

    def test_it_says_that_it_is_unwell(self):
        (self.files / "fw2").write_text("503")
        self.wait_for("fw2", "down")
        self.assertEqual(self.backend("fw2")["reason"], "HTTP status 503")
        self.until_all_through("fw1")
        (self.files / "fw2").write_text("200")
        self.wait_for("fw2", "up")

    def test_the_router_dies_and_its_machine_forwards(self):
        """RS-56: BGP is not what the probe asks for."""
        self.fabric.fabctl("kill", "fw1")
        self.addCleanup(self.fabric.converged)
        self.addCleanup(self.fabric.fabctl, "start", "fw1")
        self.fabric.fabctl("wait", "node fw1 down")
        self.assertTrue(self.backend("fw1")["healthy"])
        self.until_all_through("fw1", "fw2")

    def test_nobody_is_healthy(self):
        for fw in ("fw1", "fw2"):
            self.stop_server(fw)
        for fw in ("fw1", "fw2"):
            self.wait_for(fw, "down")
        before = self.drops("vm11", "no-backend")
        self.assertFalse(self.pings("vm11", VMS["vm12"]))
        self.assertIn("no backend of ilb1 is healthy", self.fabric.json("trace", "vm11", "vm12", expect=1)["reason"])
        self.until(lambda: self.drops("vm11", "no-backend") > before, "the drop is counted")
        for fw in ("fw1", "fw2"):
            self.start_server(fw)

    def test_a_link_holds_probes_too(self):
        self.fabric.fabctl("link", "cut", "fw1")
        self.addCleanup(self.fabric.converged)
        self.addCleanup(self.fabric.fabctl, "link", "restore", "fw1")
        self.wait_for("fw1", "down")
        self.until(lambda: self.backend("fw1")["reason"] == "no answer within 1000 ms", "probes are held")

    def test_the_machine_dies(self):
        self.fabric.fabctl("kill", "fw2", "--guest")
        self.stop_server("fw2")
        self.wait_for("fw2", "down")
        self.assertEqual(self.backend("fw2")["reason"], "its machine is not plugged in")
        self.fabric.fabctl("start", "fw2")
        self.start_server("fw2")
        self.wait_for("fw2", "up")
        self.fabric.converged()

    def test_probes_are_packets(self):
        done = self.fabric.fabctl("capture", "fw1", "--count", "30")
        self.assertRegex(done.stdout, r" in +168\.63\.129\.16:\d+ > 10\.1\.2\.4:8080 TCP S ")
        self.assertRegex(done.stdout, r" out +10\.1\.2\.4:8080 > 168\.63\.129\.16:\d+ TCP SA ")
        self.assertIn("via 10.1.2.1 dev eth0", self.run_in("fw1", "ip", "route", "get", "168.63.129.16"))

    def test_the_platform_hears_nothing_else(self):
        """The default route leads to ilb1, and this address does not follow it."""
        before = self.drops("vm11", "not-carried")
        self.run_in("vm11", "ping", "-n", "-q", "-c", "3", "-i", "0.01", "-W", "1", "168.63.129.16", expect=1)
        self.until(lambda: self.drops("vm11", "not-carried") >= before + 3, "they are counted")
        trace = self.fabric.json("trace", "vm11", "168.63.129.16", expect=1)
        self.assertEqual((trace["verdict"], [hop["node"] for hop in trace["hops"]]), ("blackhole", ["vm11"]))
        self.assertEqual(self.fabric.json("nexthop", "vm11", "168.63.129.16")["nextHopType"], "Internet")

    def steady(self, until):
        """What is known stays so until that is true, and then too."""
        def condition():
            done = until()
            self.assertEqual([self.backend(fw)["healthy"] for fw in ("fw1", "fw2")], [True, False])
            return done
        self.until(condition, "news")

    def test_kills_change_no_backend(self):
        self.stop_server("fw2")
        self.wait_for("fw2", "down")
        log = self.fabric.run_dir / "vswitchd.log"
        told = log.read_text().count("is not healthy")
        self.fabric.fabctl("kill", "vswitchd")
        self.fabric.fabctl("start", "vswitchd")
        self.steady(lambda: log.read_text().count("is not healthy") > told)
        self.fabric.fabctl("kill", "fabricd")
        for dst in VMS.values():
            self.assertEqual(self.takers(dst), {"fw1"})
        self.fabric.fabctl("start", "fabricd")
        self.until(lambda: self.backend("fw2")["knownBy"] == "probe", "vswitchd tells")
        self.fabric.converged()
        self.until_all_through("fw1")
        self.start_server("fw2")
        self.wait_for("fw2", "up")
        self.fabric.converged()


@unittest.skipIf(CANNOT, CANNOT)
class Userspace(Health, FabricTestCase):
    pass


@unittest.skipIf(CANNOT_BPF, CANNOT_BPF)
class Bpf(Health, FabricTestCase):
    engine = "bpf"


if __name__ == "__main__":
    unittest.main()
