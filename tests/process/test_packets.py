"""Real packets: vswitchd between network namespaces, under faults. Root only."""
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import unittest

from fabric import (BIN, ROOT, Fabric, FabricTestCase, cannot_have_bpf, cannot_have_packets, find_program, processes_using,
                    until)

CANNOT = cannot_have_packets("ip", "ping")
CANNOT_BPF = CANNOT or cannot_have_bpf()
MULTI_REGION = ROOT / "topologies/multi-region.yaml"


class Guests:
    """What tests do in guests."""

    def run_in(self, guest, *command, expect=0):
        return self.fabric.fabctl("exec", guest, *command, expect=expect).stdout

    def pings(self, src, dst, *options):
        """Whether an answer comes."""
        return self.fabric.fabctl("exec", src, "ping", "-n", "-q", "-c", "1", "-W", "2", *options, dst,
                                  expect=None).returncode == 0

    def until_pings(self, src, dst, *options):
        self.until(lambda: self.pings(src, dst, *options), f"{src} reaches {dst}")

    def received(self, guest):
        """Packets that came in by eth0."""
        line = re.search(r"^ *eth0:(.*)$", self.run_in(guest, "cat", "/proc/net/dev"), re.M)
        return int(line.group(1).split()[1])

    def interface(self, guest):
        """Everything that a guest sees of its interface and its routes but for counters and lifetimes."""
        link = json.loads(self.run_in(guest, "ip", "-j", "-d", "addr", "show", "dev", "eth0"))[0]
        return ([link[key] for key in ("ifindex", "address", "mtu", "flags", "addr_info")],
                json.loads(self.run_in(guest, "ip", "-j", "route")))

    def drops(self, nic, reason):
        value = self.fabric.json("nics", nic)["value"][0]
        return sum(int(d["value"]) for d in value["drops"] if d["name"] == reason)

    def probe(self, *args, expect=0):
        return self.fabric.json("probe", *args, expect=expect)


def namespaces(run_dir):
    return {path.name: os.stat(path).st_ino for path in (run_dir / "guests").iterdir()}


def users_of(inodes):
    """Descriptors of processes, and processes, that keep one of these namespaces alive."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            links = [process / "ns/net", *(process / "fd").iterdir()]
        except OSError:
            continue
        for link in links:
            try:
                target = os.readlink(link)
            except OSError:
                continue
            if target in {f"net:[{inode}]" for inode in inodes}:
                found.append(str(link))
    return found


@unittest.skipIf(CANNOT, CANNOT)
class Packets(Guests, FabricTestCase):
    """Each test finds everything running and leaves it so."""

    topology = "topologies/multi-region.yaml"
    packets = "on"
    wait = "60s"
    engine = "taps"

    def setUp(self):
        self.fabric.converged()
        self.until_pings("vm11", "10.12.0.4")

    def start(self, name):
        self.fabric.fabctl("start", name)
        self.fabric.converged()

    # The way of a packet.

    def test_through_the_active_nva(self):
        """RS-8, RS-65: the route that nva1 announced takes traffic between the spokes to nva1, and nowhere else."""
        before = {nva: self.received(nva) for nva in ("nva1", "nva2", "nva3", "nva4")}
        self.run_in("vm11", "ping", "-n", "-q", "-c", "5", "-i", "0.01", "10.12.0.4")
        after = {nva: self.received(nva) for nva in before}
        self.assertGreaterEqual(after["nva1"] - before["nva1"], 10)  # there and back
        for nva in ("nva2", "nva3", "nva4"):
            self.assertEqual(after[nva], before[nva], nva)

    def test_within_a_vnet_and_to_a_peered_one(self):
        """SYS-1, SYS-6: no NVA on the way from hub to spoke, and the TTL is the sender's."""
        before = self.received("nva1")
        out = self.run_in("jump1", "ping", "-n", "-c", "1", "-t", "1", "-W", "5", "10.11.0.4")
        self.assertIn("ttl=64", out)
        self.assertEqual(self.received("nva1"), before)
        self.until_pings("jump1", "10.1.2.4")

    def test_spoofed_source(self):
        """UDR-3: a VM sends from its own address only; what it spoofs is dropped and counted."""
        self.run_in("vm11", "ip", "addr", "add", "198.51.100.7/32", "dev", "eth0")
        self.addCleanup(self.run_in, "vm11", "ip", "addr", "del", "198.51.100.7/32", "dev", "eth0")
        dropped, arrived = self.drops("vm11", "source"), self.received("vm12")
        self.assertFalse(self.pings("vm11", "10.12.0.4", "-I", "198.51.100.7"))
        self.until(lambda: self.drops("vm11", "source") > dropped, "the drop is counted")
        self.assertEqual(self.received("vm12"), arrived)

    def test_address_that_nobody_has(self):
        dropped = self.drops("vm11", "no-owner")
        self.assertFalse(self.pings("vm11", "10.11.0.77"))
        self.until(lambda: self.drops("vm11", "no-owner") > dropped, "the drop is counted")

    def test_through_a_tunnel_to_the_other_region(self):
        """MR-6: nva1 and nva3 have a tunnel; both decrement the TTL, the peering in between does not."""
        out = self.run_in("vm11", "ping", "-n", "-c", "1", "-W", "5", "10.21.0.4")
        self.assertIn("ttl=62", out)
        self.assertIn("dev t-nva3", self.run_in("nva1", "ip", "route", "get", "10.21.0.4"))
        self.assertNotIn("t-nva3", self.run_in("nva1", "ip", "route", "get", "10.2.2.4"))

    def test_the_platform_answers(self):
        """RS-8: Route Server instances answer pings."""
        for address in ("10.1.0.4", "10.1.0.5"):
            self.until_pings("vm11", address)

    # Faults.

    def test_nva_dies_while_packets_flow(self):
        """RS-90: the route moves to nva2. The guest of nva1 still forwards, so nothing is lost on the way."""
        command = [BIN / "fabctl", "--url", self.fabric.url, "-o", "json", "probe", "vm11", "vm12", "--pps", "200",
                   "--duration", "1h"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as probe:
            self.addCleanup(self.start, "nva1")
            before = self.received("nva1")
            self.until(lambda: self.received("nva1") > before + 50, "packets flow")
            before = self.received("nva2")
            self.fabric.fabctl("kill", "nva1")
            self.until(lambda: self.received("nva2") > before + 50, "packets go through nva2")
            probe.send_signal(signal.SIGINT)
            told = json.loads(probe.communicate(timeout=30)[0])
        self.assertEqual(probe.returncode, 0)
        self.assertEqual((told["path_before"], told["path_after"]),
                         (["vm11", "nva1", "vm12"], ["vm11", "nva2", "vm12"]))
        self.assertEqual(told["lost"], 0)
        self.until_pings("vm11", "10.12.0.4")

    def test_the_timeline_tells_what_packets_noticed(self):
        """The switch dies and comes back; what the probe saw of it stands beside the stages."""
        command = [BIN / "fabctl", "--url", self.fabric.url, "-o", "json", "probe", "vm11", "vm12", "--pps", "200",
                   "--duration", "1h"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as probe:
            self.addCleanup(self.fabric.fabctl, "start", "vswitchd", expect=None)
            before = self.received("vm12")
            self.until(lambda: self.received("vm12") > before + 50, "packets flow")
            self.fabric.fabctl("kill", "vswitchd")
            self.fabric.fabctl("start", "vswitchd")
            before = self.received("vm12")
            self.until(lambda: self.received("vm12") > before + 50, "packets flow again")
            probe.send_signal(signal.SIGINT)
            told = json.loads(probe.communicate(timeout=30)[0])
        events = [e for e in self.events() if e["kind"] == "probe"]
        # What guests send meanwhile waits in their TAPs, as far as it fits.
        text = f"packets arrive again, {told['lost']} lost in " if told["lost"] else f"none of {told['sent']} packets lost"
        text = f"vm11 > vm12: {text}"
        self.assertTrue(events[-1]["text"].startswith(text), (events[-1], text))
        stages = self.fabric.json("timeline")["stages"]
        self.assertEqual([(s["text"], s["node"]) for s in stages if s["stage"] == "probe"],
                         [(events[-1]["text"], "vm11")])

    def events(self):
        return [json.loads(line) for line in self.fabric.fabctl("events", json_output=True).stdout.splitlines()]

    def test_kill_of_vswitchd(self):
        """Nothing passes; guests notice nothing else, and keep even what they configured themselves."""
        self.run_in("vm11", "ip", "route", "add", "198.51.100.0/24", "via", "10.11.0.1")
        self.addCleanup(self.run_in, "vm11", "ip", "route", "del", "198.51.100.0/24")
        before = {guest: self.interface(guest) for guest in ("vm11", "nva1", "vm12")}
        self.fabric.fabctl("kill", "vswitchd")
        self.assertFalse(self.pings("vm11", "10.12.0.4"))
        self.assertEqual({guest: self.interface(guest) for guest in before}, before)
        self.start("vswitchd")
        self.until_pings("vm11", "10.12.0.4")
        self.assertEqual({guest: self.interface(guest) for guest in before}, before)

    def test_vswitchd_hangs(self):
        self.fabric.fabctl("pause", "vswitchd")
        self.assertEqual(self.probe("vm11", "vm12", "--duration", "200ms", expect=1)["received"], 0)
        self.fabric.fabctl("resume", "vswitchd")
        self.until_pings("vm11", "10.12.0.4")

    def test_fabricd_is_not_needed_to_forward(self):
        """Fail-static: without fabricd packets go where they went, a vswitchd that starts then has nothing."""
        self.fabric.fabctl("kill", "fabricd")
        self.addCleanup(self.fabric.converged)
        self.assertTrue(self.pings("vm11", "10.12.0.4"))
        self.fabric.fabctl("start", "fabricd")
        self.fabric.converged()
        self.assertTrue(self.pings("vm11", "10.12.0.4"))

    def test_kill_of_the_guests(self):
        """Namespaces are made anew under the same names and plugged in again."""
        before = namespaces(self.fabric.run_dir)
        self.fabric.fabctl("kill", "guests")
        done = self.fabric.fabctl("exec", "vm11", "true", expect=4)
        self.assertRegex(done.stderr, "^fabctl: NOTRUNNING: the guests are dead; 'fabctl start guests'")
        self.fabric.fabctl("start", "guests")
        self.until(lambda: len(os.listdir(self.fabric.run_dir / "guests")) == len(before) and
                   all(os.path.exists(self.fabric.run_dir / "guests" / name) for name in before), "the guests")
        self.until_pings("vm11", "10.12.0.4")
        after = namespaces(self.fabric.run_dir)
        self.assertEqual(set(after), set(before))
        nva1 = os.stat(f"/proc/{self.fabric.ps()['nva1']['pid']}/ns/net").st_ino
        self.assertEqual(nva1, after["nva1"])  # who lived there moved in again

    # Commands.

    def test_ps_lists_both(self):
        ps = self.fabric.ps()
        self.assertEqual((ps["vswitchd"]["kind"], ps["vswitchd"]["state"]), ("vswitch", "running"))
        self.assertEqual((ps["guests"]["kind"], ps["guests"]["state"]), ("guests", "running"))
        self.assertEqual([name for name, node in ps.items() if node["kind"] == "vswitch"], ["vswitchd"])

    def test_exec(self):
        self.assertEqual(self.run_in("vm11", "sh", "-c", "echo $0 -o $1; exit 7", "--help", "x", expect=7),
                         "--help -o x\n")
        for args, status, want in [
                (["vm99", "true"], 4, "NOT_FOUND: no guest 'vm99'"),
                (["../vm11", "true"], 4, "NOT_FOUND: "),
                (["rs1", "true"], 4, "NOT_FOUND: "),
                (["vm11", "no-such-program"], 127, "EXEC: cannot run no-such-program: "),
                (["vm11", "/etc/passwd"], 126, "EXEC: cannot run /etc/passwd: ")]:
            with self.subTest(args=args):
                done = self.fabric.fabctl("exec", *args, expect=status)
                self.assertRegex(done.stderr, f"^fabctl: {want}")
                self.assertEqual(done.stderr.count("\n"), 1)
        done = self.fabric.fabctl("exec", "vm11", "sh", "-c", "kill -TERM $$", expect=None)
        self.assertEqual(done.returncode, -signal.SIGTERM)

    def test_probe(self):
        for options in ([], ["--tcp"]):
            with self.subTest(options=options):
                told = self.probe("vm11", "vm12", "--pps", "500", "--duration", "1s", "--max-lost", "0", *options)
                self.assertEqual(set(told), {"sent", "received", "lost", "duplicated", "reordered", "longest_gap_ms",
                                             "outage_ms", "rtt_us", "path_before", "path_after", "links"})
                self.assertEqual([told[key] for key in ("sent", "received", "lost", "duplicated", "reordered")],
                                 [500, 500, 0, 0, 0])
                self.assertGreater(told["longest_gap_ms"], 0)
                self.assertGreater(told["rtt_us"]["median"], 0)
                self.assertGreaterEqual(told["rtt_us"]["p99"], told["rtt_us"]["median"])
                self.assertEqual(told["path_before"], ["vm11", "nva1", "vm12"])
                self.assertEqual(told["path_after"], told["path_before"])

    def test_probe_of_what_is_no_guest(self):
        done = self.fabric.fabctl("probe", "vm11", "circuit1-primary", expect=4)
        self.assertRegex(done.stderr, "^fabctl: NOT_FOUND: no guest 'circuit1-primary'")

    def test_probe_of_sites_and_the_internet(self):
        """SC-J: the NVA's own address leads out; checksums that the guests leave to the card are right at the other end."""
        for src, dst, path in (("vm11", "dc1", ["vm11", "circuit1-primary", "dc1"]),
                               ("vm11", "internet", ["vm11", "nva1", "internet"]),
                               ("nva1", "internet", ["nva1", "internet"]),
                               ("internet", "nva1", ["internet", "nva1"])):
            for options in ([], ["--tcp"]):
                with self.subTest(src=src, dst=dst, options=options):
                    told = self.probe(src, dst, "--pps", "200", "--duration", "200ms", "--max-lost", "0", *options)
                    self.assertEqual([re.sub("-secondary$", "-primary", node) for node in told["path_after"]], path)

    def test_run_directory(self):
        """nsenter works with what is there."""
        link = self.fabric.run_dir / "guests/vm11"
        done = subprocess.run(["nsenter", f"--net={link}", "cat", "/proc/sys/net/ipv4/ip_forward"],
                              capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout, "0\n")
        self.assertEqual(self.run_in("nva1", "cat", "/proc/sys/net/ipv4/ip_forward"), "1\n")


class InTheKernel:
    """What is another thing where the kernel moves packets; mixed into Packets."""

    test_the_timeline_tells_what_packets_noticed = None  # they notice nothing of a switch that dies

    def test_kill_of_vswitchd(self):
        """Fail-static: plain packets go on, also while the next one takes over; guests notice nothing."""
        self.run_in("vm11", "ip", "route", "add", "198.51.100.0/24", "via", "10.11.0.1")
        self.addCleanup(self.run_in, "vm11", "ip", "route", "del", "198.51.100.0/24")
        before = {guest: self.interface(guest) for guest in ("vm11", "nva1", "vm12")}
        with self.running_probe() as told:
            self.fabric.fabctl("kill", "vswitchd")
            self.assertTrue(self.pings("vm11", "10.12.0.4"))
            self.start("vswitchd")
            self.until(self.all_attached, "the guests come back")
        self.assertEqual((told["lost"], told["duplicated"]), (0, 0))
        self.assertEqual({guest: self.interface(guest) for guest in before}, before)
        self.assertFalse(self.pings("vm11", "10.11.0.77"))  # and the next one has the trunk
        self.until(lambda: self.drops("vm11", "no-owner") > 0, "its drops are counted")

    def test_vswitchd_hangs(self):
        self.probe("vm11", "vm12", "--duration", "200ms")  # a flow cache knows it now
        self.fabric.fabctl("pause", "vswitchd")
        told = self.probe("vm11", "vm12", "--duration", "200ms")
        self.fabric.fabctl("resume", "vswitchd")
        self.assertEqual(told["lost"], 0)

    def test_stop_of_vswitchd(self):
        """Ended on purpose it carries nothing."""
        self.fabric.fabctl("stop", "vswitchd")
        self.assertFalse(self.pings("vm11", "10.12.0.4"))
        self.start("vswitchd")
        self.until_pings("vm11", "10.12.0.4")

    def test_link_of_a_guest(self):
        """What is for a guest whose interface is down is dropped, and counted."""
        self.until_pings("jump1", "10.11.0.4")
        before = self.drops("jump1", "port-down")
        self.run_in("vm11", "ip", "link", "set", "eth0", "down")
        self.until(lambda: not self.pings("jump1", "10.11.0.4") and self.drops("jump1", "port-down") > before,
                   "drops are counted")
        self.run_in("vm11", "ip", "link", "set", "eth0", "up")
        self.run_in("vm11", "ip", "route", "add", "default", "via", "10.11.0.1")
        self.until_pings("jump1", "10.11.0.4")

    def test_counters(self):
        """The fast path counts too."""
        before = self.fabric.json("nics", "vm12")["value"][0]
        self.probe("vm11", "vm12", "--pps", "500", "--duration", "400ms")

        def counted():
            now = self.fabric.json("nics", "vm12")["value"][0]
            return all(int(now[key]) - int(before[key]) >= 200 for key in ("rxPackets", "txPackets"))
        self.until(counted, "what was probed is counted")

    def test_engine_is_named(self):
        self.assertEqual(self.fabric.ps()["vswitchd"]["engine"], self.engine_name)

    # What it takes.

    def all_attached(self):
        return all(nic["attached"] for nic in self.fabric.json("nics")["value"])

    @contextlib.contextmanager
    def running_probe(self):
        """A probe around what the block does; its result is what is yielded, afterwards."""
        told, before = {}, self.received("vm12")
        with subprocess.Popen([BIN / "fabctl", "--url", self.fabric.url, "-o", "json", "probe", "vm11", "vm12",
                               "--pps", "500", "--duration", "1h"], stdout=subprocess.PIPE) as probe:
            try:
                self.until(lambda: self.received("vm12") > before + 50, "packets flow")
                yield told
            finally:
                probe.send_signal(signal.SIGINT)
                told.update(json.loads(probe.communicate(timeout=30)[0]))


@unittest.skipIf(CANNOT_BPF, CANNOT_BPF)
class PacketsByBpf(InTheKernel, Packets):
    engine = engine_name = "bpf"

    def test_the_next_vswitchd_has_another_engine(self):
        """What the one before left in the kernel is in nobody's way."""
        told = self.fabric.run_dir / "vswitchd.json"
        self.addCleanup(self.until_pings, "vm11", "10.12.0.4")
        self.addCleanup(self.fabric.fabctl, "link", "clear", "vm11")
        for engine, name in (("userspace", "userspace+nft"), ("bpf", "bpf")):
            with self.subTest(engine=engine):
                self.fabric.fabctl("kill", "vswitchd")
                told.write_text(re.sub('"(bpf|userspace)"', f'"{engine}"', told.read_text()))
                self.start("vswitchd")
                self.until(self.all_attached, "the guests come back")
                self.assertEqual(self.fabric.ps()["vswitchd"]["engine"], name)
                self.assertEqual(self.probe("vm11", "vm12", "--duration", "200ms")["lost"], 0)
                self.fabric.fabctl("link", "cut", "vm11")
                self.assertEqual(self.probe("vm11", "vm12", "--duration", "200ms", expect=1)["received"], 0)
                self.fabric.fabctl("link", "restore", "vm11")


@unittest.skipIf(CANNOT, CANNOT)
class PacketsByNft(InTheKernel, Packets):
    """The userspace engine with its flow cache."""

    engine = "userspace"
    engine_name = "userspace+nft"

    def detours(self):
        """Packets that went to the userspace engine, and those that came from there."""
        line = re.search(r"^ *fabtrunk[0-9]+:(.*)$", self.run_in("vswitchd", "cat", "/proc/net/dev"), re.M)
        return int(line.group(1).split()[1]) + int(line.group(1).split()[9])

    def test_flows_are_cached(self):
        """All but the first packets of a flow never see userspace, and are counted all the same."""
        self.probe("vm11", "vm12", "--duration", "200ms")
        before, nic = self.detours(), self.fabric.json("nics", "nva1")["value"][0]
        self.probe("vm11", "vm12", "--pps", "500", "--duration", "1s", "--max-lost", "0")
        self.assertLess(self.detours() - before, 100)  # BGP, ARP; by userspace there would be 4,000

        def counted():
            now = self.fabric.json("nics", "nva1")["value"][0]
            return min(int(now[key]) - int(nic[key]) for key in ("rxPackets", "txPackets"))
        self.until(lambda: counted() >= 1000, "nva1's packets are counted")
        self.assertLess(counted(), 1500)  # of the probe before some may be told late

    def test_captured_packets_leave_the_cache(self):
        """A capture sees all of a flow that was cached, at each of its ports."""
        for nic, packets in (("vm11", 200), ("nva1", 400), ("vm12", 200)):
            with self.subTest(nic=nic):
                self.probe("vm11", "vm12", "--duration", "200ms")
                command = [BIN / "fabctl", "--url", self.fabric.url, "capture", nic]
                with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as capture:
                    capture.stderr.readline()  # it captures
                    told = self.probe("vm11", "vm12", "--duration", "1s", "--pps", "100")
                    capture.send_signal(signal.SIGINT)
                    seen = [line for line in capture.communicate(timeout=20)[0].splitlines() if "UDP" in line.upper()]
                self.assertEqual(told["lost"], 0)
                self.assertEqual(len(seen), packets, seen[:5])

    def test_links_leave_the_cache(self):
        """What a link delays, or cuts, is not the cache's."""
        self.addCleanup(self.fabric.fabctl, "link", "clear", "vm11")
        self.probe("vm11", "vm12", "--duration", "200ms")
        self.fabric.fabctl("link", "set", "vm11", "--delay", "30ms")
        told = self.probe("vm11", "vm12", "--duration", "300ms")
        self.assertGreater(told["rtt_us"]["median"], 30000)
        self.fabric.fabctl("link", "cut", "vm11")
        self.assertEqual(self.probe("vm11", "vm12", "--duration", "200ms", expect=1)["received"], 0)
        self.fabric.fabctl("link", "restore", "vm11")
        self.assertEqual(self.probe("vm11", "vm12", "--duration", "200ms")["lost"], 0)


@unittest.skipIf(CANNOT, CANNOT)
class ForeignNvas(Guests, FabricTestCase):
    """BIRD and FRR in their guests, by configurations as in production: 10.1.0.4 and 10.1.0.5 on port 179."""

    topology = "topologies/active-passive-packets.yaml"
    packets = "on"
    wait = "60s"

    @classmethod
    def setUpClass(cls):
        if find_program("bird") is None or find_program("bgpd") is None:
            raise unittest.SkipTest("bird or frr is not installed")
        super().setUpClass()

    def test_bgp_runs_through_the_fabric(self):
        """RS-30, RS-31, RS-39: sessions to both instances, over multihop, by the subnet's gateway."""
        self.until(lambda: self.received("rs1-0") > 0 and self.received("rs1-1") > 0, "BGP arrives")
        pid = self.fabric.ps()["nva1"]["pid"]
        self.assertEqual(os.stat(f"/proc/{pid}/ns/net").st_ino, namespaces(self.fabric.run_dir)["nva1"])
        self.assertIn("via 10.1.2.1", self.run_in("nva1", "ip", "route", "get", "10.1.0.4"))
        learned = self.fabric.json("routes", "learned", "rs1", "nva1")
        for role in ("RouteServiceRole_IN_0", "RouteServiceRole_IN_1"):
            self.assertEqual([(r["network"], r["nextHop"]) for r in learned[role]], [("0.0.0.0/0", "10.1.2.4")])

    def test_failover_to_frr(self):
        """RS-90: BIRD dies, packets go through FRR's NVA; none is lost, because the guest still forwards."""
        self.until_pings("vm11", "10.12.0.4")
        before = self.received("nva2")
        self.fabric.fabctl("kill", "nva1")
        self.fabric.fabctl("wait", "effective vm11 0.0.0.0/0 via 10.1.2.5", "--timeout", "20s")
        told = self.probe("vm11", "vm12", "--pps", "200", "--duration", "500ms", "--max-lost", "0")
        self.assertEqual(told["path_after"], ["vm11", "nva2", "vm12"])
        self.assertGreaterEqual(self.received("nva2") - before, 100)
        self.fabric.fabctl("start", "nva1")
        self.fabric.converged()
        self.fabric.fabctl("wait", "effective vm11 0.0.0.0/0 via 10.1.2.4", "--timeout", "20s")
        self.until_pings("vm11", "10.12.0.4")


    def test_the_whole_nva_dies(self):
        """The link goes first, so BIRD's end tells nobody. The platform tells the Route Server (timing: fast),
        packets go through FRR's NVA; what comes back is a new machine, and BIRD in it."""
        self.until_pings("vm11", "10.12.0.4")
        before = namespaces(self.fabric.run_dir)
        self.run_in("nva1", "ip", "route", "add", "198.51.100.0/24", "via", "10.1.2.1")
        command = [BIN / "fabctl", "--url", self.fabric.url, "exec", "nva1", "sleep", "600"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as sleeper:
            self.until(lambda: os.stat(f"/proc/{sleeper.pid}/ns/net").st_ino == before["nva1"], "somebody in nva1")
            told = self.fabric.json("kill", "nva1", "--guest")
            self.assertEqual(sleeper.wait(20), -signal.SIGKILL)
        self.assertEqual((told["action"], told["name"]), ("kill guest", "nva1"))
        self.assertGreaterEqual(told["ended"], 2)
        self.fabric.fabctl("wait", "effective vm11 0.0.0.0/0 via 10.1.2.5", "--timeout", "20s")
        stages = self.fabric.json("timeline")["stages"]
        self.assertEqual((stages[0]["stage"], stages[0]["text"]), ("fault", "kill guest nva1"))
        detected = {s["node"]: s["text"] for s in stages if s["stage"] == "detect"}
        for node in ("rs1-0", "rs1-1"):
            self.assertEqual(detected[node], "session nva1 down: the peer's link is down")
        told = self.probe("vm11", "vm12", "--pps", "200", "--duration", "500ms", "--max-lost", "0")
        self.assertEqual((told["path_after"], told["outage_ms"]), (["vm11", "nva2", "vm12"], 0))
        self.assertEqual(self.fabric.ps()["nva1"]["state"], "dead")
        self.assertEqual(users_of([before["nva1"]]), [])
        for verb in (["exec", "nva1", "true"], ["kill", "nva1", "--guest"]):
            done = self.fabric.fabctl(*verb, expect=4)
            self.assertRegex(done.stderr, "^fabctl: NOTRUNNING: nva1 is off; 'fabctl start nva1' switches it on")
        self.fabric.fabctl("start", "nva1")
        self.fabric.converged()
        self.fabric.fabctl("wait", "effective vm11 0.0.0.0/0 via 10.1.2.4", "--timeout", "20s")
        after = namespaces(self.fabric.run_dir)
        self.assertNotEqual(after.pop("nva1"), before.pop("nva1"))
        self.assertEqual(after, before)
        self.assertNotIn("198.51.100.0", self.run_in("nva1", "ip", "route"))
        self.until_pings("vm11", "10.12.0.4")

    def test_a_vm_dies(self):
        """A guest without a node is a machine too, and stays off while the topology is applied again."""
        self.fabric.fabctl("kill", "vm12", "--guest")
        self.addCleanup(self.fabric.fabctl, "start", "vm12", expect=None)
        self.assertFalse(self.pings("vm11", "10.12.0.4"))
        self.fabric.fabctl("set", "vm", "jump1", "ip=10.1.10.5")
        self.fabric.fabctl("set", "vm", "jump1", "ip=10.1.10.4")
        self.assertNotIn("vm12", namespaces(self.fabric.run_dir))
        self.assertIsNone(self.fabric.json("start", "vm12")["pid"])
        self.until_pings("vm11", "10.12.0.4")


@unittest.skipIf(CANNOT, CANNOT)
class HoldTimer(Guests, FabricTestCase):
    """link_detect: hold_timer, as Azure, with Azure's order of things on a faster clock."""

    topology_text = MULTI_REGION.read_text().replace("timing: fast", "timing: {profile: fast, link_detect: hold_timer}")
    packets = "on"
    wait = "60s"

    def test_the_hold_timer_finds_it(self):
        """RS-91: nobody hears of the crash before the hold timer, though sessions over NNG end with the process."""
        self.assertIn("hold_timer", self.topology_text)
        self.fabric.fabctl("kill", "nva1", "--guest")
        self.fabric.fabctl("wait", "effective vm11 0.0.0.0/0 via 10.1.2.5", "--timeout", "20s")
        self.until(lambda: {s["node"] for s in self.stages()} >= {"rs1-0", "rs1-1", "nva3", "nva4"}, "all notice")
        for stage in self.stages():
            if stage["node"] != "fabricd":
                self.assertEqual(stage["text"], "session nva1 down: hold timer expired")
        self.fabric.fabctl("start", "nva1")
        self.fabric.converged()
        self.fabric.fabctl("wait", "effective vm11 0.0.0.0/0 via 10.1.2.4", "--timeout", "20s")
        self.until_pings("vm11", "10.12.0.4")

    def stages(self):
        return [s for s in self.fabric.json("timeline")["stages"] if s["stage"] == "detect"]


@unittest.skipIf(CANNOT, CANNOT)
class LoadBalanced(Guests, FabricTestCase):
    topology = "topologies/load-balanced.yaml"
    packets = "on"
    wait = "60s"

    def through(self, dst):
        """Firewalls that got something when vm11 pings dst, and how many packets; an answer must come."""
        before = {fw: self.received(fw) for fw in ("fw1", "fw2")}
        self.run_in("vm11", "ping", "-n", "-q", "-c", "5", "-i", "0.01", dst)
        after = {fw: self.received(fw) for fw in before}
        return {fw: after[fw] - before[fw] for fw in before if after[fw] - before[fw] >= 5}

    def test_both_directions_by_one_firewall(self):
        """RS-56, RS-57, SC-C: ten packets there and back meet the same firewall; both firewalls are at work."""
        self.fabric.converged()
        self.assertEqual(self.fabric.json("nexthop", "vm11", "10.12.0.4")["nextHopIpAddress"], "10.1.2.100")
        used = set()
        for dst in ("10.12.0.4", "10.12.0.5", "10.12.0.6", "10.12.0.7", "10.12.0.8"):
            self.until_pings("vm11", dst)
            through = self.through(dst)
            self.assertEqual(len(through), 1, dst)
            self.assertGreaterEqual(sum(through.values()), 10)
            used |= set(through)
        self.assertEqual(used, {"fw1", "fw2"})
        nodes = [hop["node"] for hop in self.fabric.json("trace", "vm11", "vm12")["hops"]]
        self.assertEqual((nodes[:2], nodes[3:]), (["vm11", "ilb1"], ["ilb1", "vm12"][1:]))

    def test_a_backend_fails(self):
        """RS-57: what is healthy takes all."""
        self.fabric.fabctl("kill", "fw1")
        self.addCleanup(self.fabric.converged)
        self.addCleanup(self.fabric.fabctl, "start", "fw1")
        for dst in ("10.12.0.4", "10.12.0.5", "10.12.0.6", "10.12.0.7", "10.12.0.8"):
            self.until(lambda: set(self.through(dst)) == {"fw2"}, "fw2 takes it")
        trace = self.fabric.json("trace", "vm11", "vm12")
        self.assertIn("of 1 healthy backends of 2", trace["hops"][1]["route"])


SMALL = """
name: small
timing: fast
vnets:
  hub1: {address_space: [10.1.0.0/16], subnets: {RouteServerSubnet: 10.1.0.0/26, nva: 10.1.2.0/24, vms: 10.1.3.0/24}}
route_servers:
  rs1: {vnet: hub1, peers: {nva1: {}}}
nvas:
  nva1: {subnet: hub1/nva, ip: 10.1.2.4, asn: 65001}
vms:
  vm11: {subnet: hub1/vms, ip: 10.1.3.4}
"""
# An NVA that never comes up.
STUCK = SMALL.replace("asn: 65001", "asn: 65001, run: [sleep, '600']").replace("peers: {nva1: {}}", """
    bgp_listen: ["127.88.0.4:1791", "127.88.0.5:1791"], peers: {nva1: {transport_address: 127.88.2.4}}""")


@unittest.skipIf(CANNOT, CANNOT)
class Changes(Guests, FabricTestCase):
    topology_text = SMALL
    packets = "on"

    def apply(self, text):
        path = self.files / "changed.yaml"
        path.write_text(text)
        self.fabric.fabctl("apply", path)

    def tearDown(self):
        self.apply(SMALL)
        self.until(lambda: set(namespaces(self.fabric.run_dir)) ==
                   {"nva1", "vm11", "rs1-0", "rs1-1", "vswitchd", "internet"}, "the first guests")

    def test_new_and_deleted_guests(self):
        before = namespaces(self.fabric.run_dir)
        self.apply(SMALL + "  vm12: {subnet: hub1/vms, ip: 10.1.3.5}\n")
        self.until(lambda: os.path.exists(self.fabric.run_dir / "guests/vm12"), "the new guest")
        self.until_pings("vm12", "10.1.3.4")
        after = namespaces(self.fabric.run_dir)
        gone = after.pop("vm12")
        self.assertEqual(after, before)  # the others noticed nothing
        self.fabric.fabctl("delete", "vm", "vm12")
        self.until(lambda: set(namespaces(self.fabric.run_dir)) == set(before), "the guest goes")
        self.until(lambda: users_of([gone]) == [], lambda: users_of([gone]))

    def test_program_of_a_vm(self):
        """vms.X.run: started in its guest, replaced, killed with its machine, ended when nobody wants it."""
        def running():
            node = self.fabric.ps().get("vm11")
            inode = namespaces(self.fabric.run_dir).get("vm11")
            return (node and node["kind"] == "vm" and node["state"] == "running" and
                    os.stat(f"/proc/{node['pid']}/ns/net").st_ino == inode and node["pid"])

        def with_run(run):
            return SMALL.replace("ip: 10.1.3.4}", f"ip: 10.1.3.4, run: {run}}}")
        self.apply(with_run('[sh, -c, "echo {name} runs in {run_dir}; exec sleep 600"]'))
        first = running()
        self.assertTrue(first)
        self.until(lambda: (self.fabric.run_dir / "vm11.log").read_text() == f"vm11 runs in {self.fabric.run_dir}\n",
                   "its log")
        self.apply(with_run("[sleep, '601']"))
        second = running()
        self.assertTrue(second and second != first)
        self.fabric.fabctl("kill", "vm11")
        self.assertEqual(self.fabric.ps()["vm11"]["state"], "dead")
        self.fabric.fabctl("start", "vm11")
        self.assertTrue(running())
        self.fabric.fabctl("kill", "vm11", "--guest")
        self.assertEqual(self.fabric.ps()["vm11"]["state"], "dead")
        self.fabric.fabctl("start", "vm11")
        self.assertTrue(running())
        self.until_pings("nva1", "10.1.3.4")
        self.apply(with_run("[sleep, '601'], running: false"))
        self.assertNotIn("vm11", self.fabric.ps())

    def test_new_address(self):
        before = namespaces(self.fabric.run_dir)
        self.apply(SMALL.replace("10.1.3.4", "10.1.3.9"))
        self.until_pings("nva1", "10.1.3.9")
        self.assertIn("10.1.3.9/24", self.run_in("vm11", "ip", "addr", "show", "dev", "eth0"))
        self.assertFalse(self.pings("nva1", "10.1.3.4"))
        self.assertEqual(namespaces(self.fabric.run_dir), before)

    def test_vm_becomes_router(self):
        """The same name for an NVA: its namespace forwards from now on."""
        self.fabric.fabctl("delete", "vm", "vm11")
        self.apply(SMALL.replace("vms:\n  vm11: {", "  vm11: {asn: 65009, "))
        self.until(lambda: self.run_in("vm11", "cat", "/proc/sys/net/ipv4/ip_forward") == "1\n", "it forwards")


@unittest.skipIf(CANNOT, CANNOT)
class ChangesByTaps(Changes):
    engine = "taps"


@unittest.skipIf(CANNOT_BPF, CANNOT_BPF)
class ChangesByBpf(Changes):
    engine = "bpf"


@unittest.skipIf(CANNOT, CANNOT)
class End(unittest.TestCase):
    def test_down_leaves_nothing(self):
        """Nor what was left running in a guest, nor a descriptor that keeps a namespace."""
        fabric = Fabric(MULTI_REGION, packets="on", wait="60s")
        self.addCleanup(fabric.down)
        fabric.up()
        devices = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
        self.assertNotIn("fabtap", devices)
        inodes = list(namespaces(fabric.run_dir).values())
        self.assertEqual(len(set(inodes)), 21)  # vswitchd, VMs, NVAs, instances of Route Servers and gateways, dc1, internet
        with subprocess.Popen([BIN / "fabctl", "--url", fabric.url, "exec", "vm11", "sleep", "600"]) as left:
            until(lambda: os.stat(f"/proc/{left.pid}/ns/net").st_ino in inodes, "somebody in vm11")
            fabric.fabctl("down")
            self.assertEqual(left.wait(20), -signal.SIGTERM)
        self.assertFalse(fabric.run_dir.exists())
        until(lambda: users_of(inodes) == [], lambda: users_of(inodes))

    def test_up_that_fails_leaves_nothing(self):
        """The guests go with the rest."""
        fabric = Fabric(MULTI_REGION)
        self.addCleanup(fabric.down)
        fabric.topology = fabric.top / "stuck.yaml"
        fabric.topology.write_text(STUCK)
        self.addCleanup(fabric.topology.unlink)
        done = fabric.fabctl("up", fabric.topology, "--run-dir", fabric.run_dir, "--wait", "3s", "--packets", "on",
                             expect=1)
        self.assertRegex(done.stderr, "^fabctl: TIMEOUT: ")
        self.assertFalse((fabric.run_dir / "guests").exists())
        self.assertEqual(processes_using(fabric.run_dir), [])


class Choice(unittest.TestCase):
    """What needs no packets."""

    def setUp(self):
        self.fabric = Fabric(MULTI_REGION)
        self.addCleanup(self.fabric.down)

    def test_off(self):
        text = MULTI_REGION.read_text().replace("ip: 10.11.0.4}", "ip: 10.11.0.4, run: [sleep, '600']}")
        self.assertIn("sleep", text)
        self.fabric.topology = self.fabric.top / "with-run.yaml"
        self.fabric.topology.write_text(text)
        self.addCleanup(self.fabric.topology.unlink)
        self.fabric.up()
        self.assertFalse({"vswitchd", "guests", "vm11"} & set(self.fabric.ps()))  # nowhere to run
        for verb in (["exec", "vm11", "true"], ["probe", "vm11", "vm12"]):
            done = self.fabric.fabctl(*verb, expect=4)
            self.assertRegex(done.stderr, "^fabctl: PACKETS: the fabric in .* has no packets; as root, ")

    @unittest.skipUnless(os.geteuid() == 0, "as another user than root")
    def test_where_there_can_be_none(self):
        """An ordinary user (root without a name): 'on' is refused, 'auto' says why and runs the control plane."""
        def user(*args):
            return subprocess.run(["setpriv", "--bounding-set=-all", "--inh-caps=-all", BIN / "fabctl", "--url",
                                   self.fabric.url, *args], capture_output=True, text=True, check=False, timeout=60)
        up = ["up", MULTI_REGION, "--run-dir", self.fabric.run_dir, "--wait", "0", "--packets"]
        done = user(*up, "on")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.count("\n"), 1)
        self.assertRegex(done.stderr, "^fabctl: PACKETS: no packets: ")
        done = user(*up, "auto")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"^fabctl: control plane only, no packets: .*\n$")
        self.assertFalse({"vswitchd", "guests"} & set(self.fabric.ps()))


if __name__ == "__main__":
    unittest.main()
