"""Links that are cut, slow or lossy: what sessions and real packets make of them. Root only."""
import re
import time
import unittest

from fabric import FabricTestCase, cannot_have_packets
from test_packets import Guests

CANNOT = cannot_have_packets("ip", "ping")


@unittest.skipIf(CANNOT, CANNOT)
class Links(Guests, FabricTestCase):
    """Each test finds everything running and leaves it so."""

    topology = "topologies/multi-region.yaml"
    packets = "on"
    wait = "60s"

    def setUp(self):
        self.fabric.converged()
        self.until_pings("vm11", "10.12.0.4")

    def link(self, verb, *args, expect=0):
        return self.fabric.json("link", verb, *args, expect=expect)

    def cut(self, *names):
        self.addCleanup(self.until_pings, "vm11", "10.12.0.4")
        self.addCleanup(self.fabric.converged)
        self.addCleanup(self.link, "clear", *[name for name in names if name != "--one-way"])
        self.link("cut", *names)

    def until_silent(self, src, dst):
        self.until(lambda: not self.pings(src, dst), f"{src} does not reach {dst}")

    def session(self, a, b, state):
        self.fabric.fabctl("wait", f"session {a} {b} {state}", "--timeout", "30s")

    def test_cut_of_a_nic(self):
        """One name: everything in and out of it, counted where it is dropped."""
        self.cut("vm12")
        self.until_silent("vm11", "10.12.0.4")
        self.until(lambda: self.drops("nva1", "link-cut"), "the drop is counted")  # who sent it on
        self.assertTrue(self.pings("vm11", "10.1.10.4"))
        listed = self.link("list")["value"]
        self.assertEqual([(row["kind"], row["a"], row["b"], row["cut"]) for row in listed if row["cut"]],
                         [("nic", "vm12", "", True)])
        self.link("restore", "vm12")
        self.until_pings("vm11", "10.12.0.4")

    def test_an_answer_means_in_force(self):
        """No condition is awaited between the answer and the packet."""
        self.addCleanup(self.link, "clear", "vm12")
        for _ in range(3):
            self.link("cut", "vm12")
            self.assertFalse(self.pings("vm11", "10.12.0.4", "-W", "0.3"))
            self.link("restore", "vm12")
            self.assertTrue(self.pings("vm11", "10.12.0.4"))
            self.link("set", "vm12", "--delay", "40ms")
            self.assertGreaterEqual(self.rtt_ms("vm11", "10.12.0.4"), 80)
            self.link("clear", "vm12")

    def test_a_switch_that_hangs(self):
        """A script hears of it, and the change is there once it goes on."""
        self.addCleanup(self.link, "clear", "vm12")
        self.addCleanup(self.fabric.fabctl, "resume", "vswitchd")
        self.fabric.fabctl("pause", "vswitchd")
        done = self.fabric.fabctl("link", "cut", "vm12", expect=1)
        self.assertIn("changed, but vswitchd on vswitchd does not have it in force after 3 s", done.stderr)
        self.fabric.fabctl("resume", "vswitchd")
        self.until_silent("vm11", "10.12.0.4")

    def test_cut_of_an_nvas_nic(self):
        """RS-91: its sessions die by their hold timers, packets at once; then they take the other NVA."""
        self.cut("nva1")
        self.until(lambda: self.drops("vm11", "link-cut") or not self.pings("vm11", "10.12.0.4"), "packets are dropped")
        self.session("nva1", "rs1-0", "down")
        self.fabric.fabctl("wait", "effective vm11 0.0.0.0/0 via 10.1.2.5", "--timeout", "20s")
        self.until_pings("vm11", "10.12.0.4")
        self.link("restore", "nva1")
        self.session("nva1", "rs1-0", "up")

    def test_cut_of_a_tunnel(self):
        """MR-6: the session between the NVAs and the packets in their tunnel die together."""
        self.until_pings("vm11", "10.21.0.4")
        self.cut("nva1", "nva3")
        self.until(lambda: self.drops("nva1", "link-cut") or not self.pings("vm11", "10.21.0.4"), "packets are dropped")
        self.session("nva1", "nva3", "down")
        self.assertTrue(self.pings("vm11", "10.12.0.4"))
        self.link("restore", "nva1", "nva3")
        self.session("nva1", "nva3", "up")
        self.until_pings("vm11", "10.21.0.4")

    def test_cut_of_a_region_pair(self):
        """All sessions and packets between the regions; within them nothing changes."""
        self.cut("westeurope", "northeurope")
        self.until_silent("jump1", "10.2.10.4")
        for a in ("nva1", "nva2"):
            self.session(a, "nva3", "down")
        self.assertTrue(self.pings("vm11", "10.12.0.4"))
        self.assertTrue(self.pings("vm21", "10.22.0.4"))
        self.fabric.fabctl("kill", "vswitchd")  # neither forgets it
        self.fabric.fabctl("kill", "fabricd")
        self.fabric.fabctl("start", "fabricd")
        self.fabric.fabctl("start", "vswitchd")
        self.until_pings("vm11", "10.12.0.4")
        self.until_silent("jump1", "10.2.10.4")
        self.link("restore", "westeurope", "northeurope")
        self.until_pings("jump1", "10.2.10.4")

    def test_cut_of_one_direction(self):
        """What vm12 sends is dropped, what it is sent arrives."""
        self.cut("vm12", "--one-way")
        self.until_silent("vm11", "10.12.0.4")
        before, dropped = self.received("vm12"), self.drops("vm12", "link-cut")
        self.assertFalse(self.pings("vm11", "10.12.0.4"))
        self.assertGreater(self.received("vm12"), before)
        self.until(lambda: self.drops("vm12", "link-cut") > dropped, "the drop is counted")

    # Slow, lossy, narrow.

    def set(self, *names, **shape):
        self.addCleanup(self.link, "clear", *names)
        options = [word for name, value in shape.items() for word in (f"--{name}", value)]
        return self.link("set", *names, *options)["value"]

    def rtt_ms(self, src, dst):
        """The least of three; None: no answer."""
        out = self.fabric.fabctl("exec", src, "ping", "-n", "-q", "-c", "3", "-i", "0.2", "-W", "5", dst,
                                 expect=None).stdout
        found = re.search(r"= ([0-9.]+)/", out)
        return float(found.group(1)) if found else None

    def until_slow(self, src, dst, ms):
        """It takes effect, and then no packet is faster."""
        self.until(lambda: (self.rtt_ms(src, dst) or 0) >= ms, f"{src} to {dst} takes {ms} ms")
        self.assertGreaterEqual(self.rtt_ms(src, dst), ms)

    def test_delay_of_a_nic(self):
        """Each way; it survives vswitchd's death."""
        listed = self.set("vm12", delay="20ms", jitter="1ms")
        self.assertEqual([(row["delay_ms"], row["jitter_ms"], row["one_way"]) for row in listed], [(20, 1, False)])
        self.until_slow("vm11", "10.12.0.4", 38)
        self.fabric.fabctl("kill", "vswitchd")
        self.fabric.fabctl("start", "vswitchd")
        self.fabric.converged()
        self.until_slow("vm11", "10.12.0.4", 38)
        self.link("set", "vm12", "--delay", "0", "--jitter", "0")
        self.assertEqual([row for row in self.link("list")["value"] if row["kind"] == "nic"], [])

    def test_trace_and_probe_name_links(self):
        """What they name is what the packet waited for."""
        self.addCleanup(self.link, "clear", "vm12")
        self.addCleanup(self.link, "clear", "nva1")
        self.link("set", "vm12", "--delay", "15ms", "--one-way")
        self.link("set", "nva1", "--delay", "10ms")
        trace = self.fabric.json("trace", "vm11", "vm12", "--both")
        named = [(hop["node"], link["a"], link["b"], link["delay_ms"])
                 for hop in trace["hops"] + trace["back_hops"] for link in hop.get("links", [])]
        self.assertEqual(named, [("vm11", "", "nva1", 10), ("nva1", "nva1", "", 10),
                                 ("vm12", "vm12", "", 15), ("vm12", "", "nva1", 10), ("nva1", "nva1", "", 10)])
        told = self.probe("vm11", "vm12", "--pps", "50", "--duration", "300ms")
        self.assertEqual([(link["a"], link["b"]) for link in told["links"]], [link[1:3] for link in named])
        self.assertGreaterEqual(told["rtt_us"]["median"], 1000 * sum(link[3] for link in named))
        self.assertIn("nva1 > 10ms", self.fabric.fabctl("trace", "vm11", "vm12").stdout)
        self.assertIn("link: vm12 > 15ms", self.fabric.fabctl("probe", "vm11", "vm12", "--duration", "100ms").stdout)

    def test_delay_between_regions(self):
        """As the topology says, until somebody says otherwise."""
        self.until_slow("jump1", "10.2.10.4", 18)
        row, = self.link("get", "westeurope", "northeurope")["value"]
        self.assertEqual((row["delay_ms"], row["from_topology"]), (9, True))
        self.set("westeurope", "northeurope", delay="30ms")
        self.until_slow("jump1", "10.2.10.4", 60)
        self.until_pings("vm11", "10.21.0.4")  # by the tunnel
        self.assertGreaterEqual(self.rtt_ms("vm11", "10.21.0.4"), 60)
        row, = self.link("clear", "westeurope", "northeurope")["value"]
        self.assertEqual((row["delay_ms"], row["from_topology"]), (9, True))

    def test_delay_of_a_circuit_path(self):
        """ER-19: out of Azure straight to the MSEE, in through the gateway: each way has the delay of the path."""
        for msee in ("circuit1-primary", "circuit1-secondary"):
            self.set("er1", msee, delay="15ms")
        self.until_slow("jump1", "172.20.0.1", 30)

    def test_loss(self):
        self.set("vm12", loss="100%")
        self.until_silent("vm11", "10.12.0.4")
        self.until(lambda: self.drops("nva1", "impairment"), "the loss is counted")
        self.assertTrue(self.pings("vm11", "10.1.10.4"))

    def test_rate(self):
        """What has to pass takes its time; large packets of TCP too."""
        self.set("vm12", rate="2mbit")
        self.until(lambda: self.link("get", "vm12")["value"][0]["rate_bps"] == 2000000, "the rate is set")
        self.fabric.converged()
        since = time.monotonic()
        self.run_in("vm11", "ping", "-n", "-q", "-f", "-c", "100", "-s", "1400", "10.12.0.4")
        self.assertGreater(time.monotonic() - since, 99 * 1442 * 8 / 2e6)
        told = self.probe("vm11", "vm12", "--tcp", "--pps", "200", "--duration", "1s")
        self.assertEqual((told["lost"], told["reordered"]), (0, 0))

    # What is counted.

    def test_counters(self):
        """The same in get nic, nics, ps and metrics: packets, drops by reason, who is plugged in."""
        self.link("cut", "vm12", "--one-way")
        self.addCleanup(self.link, "clear", "vm12")
        self.until_silent("vm11", "10.12.0.4")
        self.until(lambda: self.drops("vm12", "link-cut"), "the drop is counted")
        nic, = self.fabric.json("get", "nic", "vm12")["value"]
        self.assertTrue(nic["attached"])
        self.assertEqual(self.fabric.json("nics", "vm12")["value"][0]["name"], nic["name"])
        self.assertEqual(len(self.fabric.json("get", "nics")["value"]), len(self.fabric.json("nics")["value"]))
        self.fabric.fabctl("get", "nic", "vm99", expect=4)
        text = self.fabric.fabctl("metrics").stdout
        value = {name: int(v) for name, v in re.findall(r"^(hubspoke_\S+\{.*\}) (\d+)$", text, re.M)}
        self.assertEqual(value['hubspoke_nic_attached{nic="vm12",vnet="spoke12",host="vswitchd"}'], 1)
        self.assertGreaterEqual(value['hubspoke_nic_drops_total{nic="vm12",reason="link-cut"}'], 1)
        self.assertGreaterEqual(value['hubspoke_nic_packets_total{nic="vm12",direction="in"}'], int(nic["txPackets"]))
        self.assertGreater(value['hubspoke_nic_octets_total{nic="vm11",direction="out"}'], 0)
        self.assertEqual(value['hubspoke_node_up{node="rs1-0",kind="route_server"}'], 1)
        self.assertEqual(value['hubspoke_node_sessions_up{node="rs1-0"}'], value['hubspoke_node_sessions{node="rs1-0"}'])
        comments = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
        self.assertEqual(comments, {name.split("{")[0] for name in value})
        self.assertRegex(self.fabric.fabctl("ps").stdout,
                         r"\nvswitchd: \d+ NICs plugged in, \d+ packets from guests, \d+ to guests; dropped: .*link-cut \d")

    def test_converged_waits_for_guests(self):
        """Once vswitchd is back and everybody is plugged in again, and not before."""
        self.fabric.fabctl("kill", "vswitchd")
        self.fabric.converged()  # nobody can be plugged in
        self.fabric.fabctl("start", "vswitchd")
        self.fabric.converged()
        self.assertEqual([nic["name"] for nic in self.fabric.json("nics")["value"] if not nic["attached"]], [])

    def test_what_is_no_link(self):
        for args in (["cut", "vm11", "vm12"], ["cut", "nobody"], ["get", "nobody"], ["set", "nobody", "--delay", "1ms"],
                     ["cut", "westeurope", "westeurope"]):
            with self.subTest(args=args):
                done = self.fabric.fabctl("link", *args, expect=4)
                self.assertRegex(done.stderr, "^fabctl: NOT_FOUND: ")
                self.assertEqual(done.stderr.count("\n"), 1)
        for args in (["set", "vm11"], ["set", "vm11", "--delay", "fast"], ["set", "vm11", "--loss", "101%"],
                     ["set", "vm11", "--rate", "100"], ["set", "vm11", "--delay", "-1ms"], ["cut"]):
            with self.subTest(args=args):
                done = self.fabric.fabctl("link", *args, expect=2)
                self.assertRegex(done.stderr, "^fabctl: USAGE: ")
                self.assertEqual(done.stderr.count("\n"), 1)


if __name__ == "__main__":
    unittest.main()
