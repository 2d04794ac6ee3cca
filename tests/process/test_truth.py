"""What trace predicts is what a packet does: every ordered pair of VMs, sites, clients and the Internet, in every fabric with NVAs,
at rest and after each fault of a random sequence (the seed is in the failure; FAB_SEED sets it). Root only.
"""
import ctypes
import itertools
import os
import random
import re
import subprocess
import tempfile
import unittest

from fabric import FabricTestCase, cannot_have_packets, until

CANNOT = cannot_have_packets("nsenter", "ping")
SEED = int(os.environ.get("FAB_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
FAULTS = 2


def read_in(netns, path):
    """A file as it reads in that network namespace: no process has to be started for it."""
    with open("/proc/thread-self/ns/net", encoding="ascii") as home, open(netns, encoding="ascii") as there:
        set_netns(there)
        try:
            with open(path, encoding="ascii") as file:
                return file.read()
        finally:
            set_netns(home)


def set_netns(file):
    if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0x40000000) != 0:  # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "setns")


class Truth:
    """Mixed into one class per topology."""

    packets = "on"
    left_out = ()
    wait = "60s"
    mortal = ("nva", "route_server")  # kinds of processes that are killed

    @classmethod
    def setUpClass(cls):
        if CANNOT:
            raise unittest.SkipTest(CANNOT)
        super().setUpClass()
        names = [end["name"] for kind in ("vm", "site", "client") for end in cls.fabric.json("get", kind)
                 if end["name"] not in cls.left_out] + ["internet"]
        for name in names:
            cls.address(name)
        cls.ends = names
        cls.nvas = [nva["name"] for nva in cls.fabric.json("get", "nva")]

    @classmethod
    def run_in(cls, guest, *command):
        link = cls.fabric.run_dir / "guests" / guest
        return subprocess.run(["nsenter", f"--net={link}", *command], capture_output=True, text=True,
                              check=False).stdout

    @classmethod
    def address(cls, guest):
        return until(lambda: re.search(r"inet ([0-9.]+)/", cls.run_in(guest, "ip", "-4", "addr", "show", "eth0")),
                     f"address of {guest}").group(1)

    def received(self):
        """Frames that each NVA got by eth0."""
        def of(nva):
            text = read_in(self.fabric.run_dir / "guests" / nva, "/proc/thread-self/net/dev")
            return int(re.search(r"^ *eth0:(.*)$", text, re.M).group(1).split()[1])
        return {nva: of(nva) for nva in self.nvas}

    def want(self, src, dst):
        """By trace: the address that src knows dst by, and what seen() should say."""
        trace = self.fabric.json("trace", src, dst, "--both", expect=None)
        there, back = ({hop["node"] for hop in trace[key]}.intersection(self.nvas) for key in ("hops", "back_hops"))
        if (trace["verdict"], trace["back_verdict"]) != ("delivered", "delivered") or trace["stateful_break"]:
            return trace["dst_address"], None
        return trace["dst_address"], (there | back, len(back))

    def seen(self, src, address, patience):
        """NVAs that got something when src pings that address, and how many routers the answer passed; None: no answer."""
        before = self.received()
        ttl = re.search(r"icmp_seq=1 ttl=(\d+)", self.run_in(src, "ping", "-n", "-c", "1", "-W", patience, address))
        if not ttl:
            return None
        after = self.received()
        return {nva for nva in self.nvas if after[nva] > before[nva]}, 64 - int(ttl.group(1))

    def disagreement(self, src, dst):
        address, want = self.want(src, dst)
        got = self.seen(src, address, "1" if want else "0.3")
        return None if want == got else f"{src} -> {dst}: trace says {want}, packets say {got}"

    def agree(self, after):
        """Both change while a fault is noticed, so those pairs that do not agree yet get time for it."""
        left = dict.fromkeys(itertools.permutations(self.ends, 2), "")

        def condition():
            for pair in list(left):
                left[pair] = self.disagreement(*pair)
                if left[pair] is None:
                    del left[pair]
            return not left
        until(condition, lambda: f"seed {SEED}, after {after}: " + "; ".join(left.values()), timeout=60)

    def test_every_pair_at_rest_and_after_faults(self):
        self.fabric.converged()
        self.agree("up")
        rng, dead, story = random.Random(SEED), set(), ["up"]
        mortal = [name for name, node in self.fabric.ps().items() if node["kind"] in self.mortal]
        for _ in range(FAULTS):
            name = rng.choice(mortal)
            verb = "start" if name in dead else "kill"
            self.fabric.fabctl(verb, name)
            dead ^= {name}
            story.append(f"{verb} {name}")
            self.agree(", ".join(story))
        for name in sorted(dead):
            self.fabric.fabctl("start", name)
        self.fabric.converged()
        self.agree(", ".join(story) + ", start of all")


class MultiRegion(Truth, FabricTestCase):
    topology = "topologies/multi-region.yaml"


class VpnToExpressRoute(Truth, FabricTestCase):
    """SC-D: branch1 is behind a tunnel of the NVA's own."""

    topology = "topologies/vpn-to-expressroute.yaml"


class ActivePassive(Truth, FabricTestCase):
    topology = "topologies/active-passive.yaml"


class Firewall(Truth, FabricTestCase):
    topology = "topologies/firewall.yaml"


class ActivePassivePackets(Truth, FabricTestCase):
    """BIRD and FRR route for their machines' kernels."""

    topology = "topologies/active-passive-packets.yaml"


class MultiRegionForeign(Truth, FabricTestCase):
    """BIRD and FRR on loopback, outside of their machines: nobody makes the tunnel to the other region."""

    left_out = ("jump2", "vm21", "vm22")
    topology = "topologies/multi-region-foreign.yaml"


class NvaUnderTest(Truth, FabricTestCase):
    topology = "topologies/nva-under-test.yaml"


class LoadBalanced(Truth, FabricTestCase):
    """RS-56, SC-C: which of the two firewalls a flow meets is the load balancer's choice."""

    mortal = ("nva",)
    topology = "topologies/load-balanced.yaml"


class Filtering(Truth, FabricTestCase):
    topology = "topologies/filtering.yaml"


class VnetToVnet(Truth, FabricTestCase):
    """VPN-3, OPEN-13: two VPN gateways are each other's sites."""

    topology = "topologies/vnet-to-vnet.yaml"


# Every way not to arrive that a topology can express.
DEAD_ENDS = """
name: dead-ends
timing: fast
vnets:
  hub:
    address_space: [10.1.0.0/16]
    subnets:
      RouteServerSubnet: 10.1.0.0/26
      nva: {prefix: 10.1.2.0/24, route_table: rt-nva}
      work: 10.1.10.0/24
  spoke1: {address_space: [10.11.0.0/16], subnets: {vms: {prefix: 10.11.0.0/24, route_table: rt-spoke1}}}
  spoke2: {address_space: [10.12.0.0/16], subnets: {vms: {prefix: 10.12.0.0/24, route_table: rt-spoke2}}}
  island: {address_space: [10.13.0.0/16], subnets: {vms: 10.13.0.0/24}}
peerings:
  - {hub: hub, spoke: spoke1}
  - {hub: hub, spoke: spoke2}
route_tables:
  rt-spoke1:
    routes:
      other: {prefix: 10.12.0.0/16, next_hop: VirtualAppliance 10.1.2.4}
      none: {prefix: 10.91.0.0/16, next_hop: None}
      loop: {prefix: 10.92.0.0/16, next_hop: VirtualAppliance 10.1.2.4}
      work: {prefix: 10.93.0.0/16, next_hop: VirtualAppliance 10.1.10.4}
      nobody: {prefix: 10.94.0.0/16, next_hop: VirtualAppliance 10.1.2.99}
      onward: {prefix: 10.96.0.0/16, next_hop: VirtualAppliance 10.1.2.4}
  rt-spoke2: {routes: {other: {prefix: 10.11.0.0/16, next_hop: VirtualAppliance 10.1.2.5}}}
  rt-nva:
    routes:
      loop: {prefix: 10.92.0.0/16, next_hop: VirtualAppliance 10.1.2.5}
      none: {prefix: 10.96.0.0/16, next_hop: None}
route_servers:
  rs1: {vnet: hub, peers: [nva1, nva2]}
nvas:
  nva1: {subnet: hub/nva, ip: 10.1.2.4, asn: 65001, advertise: [{prefix: 10.95.0.0/16, next_hop: 10.13.0.4}]}
  nva2: {subnet: hub/nva, ip: 10.1.2.5, asn: 65002}
vms:
  vm11: {subnet: spoke1/vms, ip: 10.11.0.4}
  vm12: {subnet: spoke2/vms, ip: 10.12.0.4}
  work1: {subnet: hub/work, ip: 10.1.10.4}
  vm13: {subnet: island/vms, ip: 10.13.0.4}
"""
# What trace says -> why the switch drops. EFF-16: a next hop that cannot be reached is listed as None.
REASONS = ((r"next hop None", {"none-route", "unreachable"}), (r"IP forwarding is off", {"not-forwarding"}),
           (r"^nobody in ", {"no-owner"}), (r"has no route|no route", {"no-route", "none-route"}))
NOWHERE = ("10.91.0.1", "10.92.0.1", "10.93.0.1", "10.94.0.1", "10.95.0.1", "10.96.0.1", "10.11.0.77", "10.1.2.77",
           "10.99.0.1")


class DeadEnds(Truth, FabricTestCase):
    """Where a packet ends, and why: what trace says is what the switch counted, at the NIC where trace ends."""

    @classmethod
    def setUpClass(cls):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as topology:
            topology.write(DEAD_ENDS)
            topology.flush()
            cls.topology = topology.name
            super().setUpClass()

    def drops(self):
        return {(nic["name"], drop["name"]): int(drop["value"]) for nic in self.fabric.json("nics")["value"]
                for drop in nic["drops"]}

    def dropped(self, before):
        """What the switch has counted since then, once it has told."""
        def told():
            return {key for key, n in self.drops().items() if n > before.get(key, 0)}
        return until(told, "a drop is counted")

    def check_drop(self, src, dst, trace):
        before = self.drops()
        self.run_in(src, "ping", "-n", "-c", "1", "-W", "0.1", dst)
        want = next((why for text, why in REASONS if re.search(text, trace["reason"])), trace["reason"])
        ((nic, why),) = self.dropped(before)
        self.assertEqual(nic, trace["hops"][-1]["nic"])
        self.assertIn(why, want, trace)

    def check_loop(self, src, dst, trace):
        """RS-64, SC-A: until the TTL ends at one of the NVAs."""
        routers = {hop["node"] for hop in trace["hops"]}.intersection(self.nvas)
        addresses = {nic["ipAddress"] for nic in self.fabric.json("nics")["value"] if nic["name"] in routers}
        out = self.run_in(src, "ping", "-n", "-c", "1", "-W", "5", dst)
        self.assertIn(re.search(r"From ([0-9.]+) .*Time to live exceeded", out).group(1), addresses)

    def test_where_packets_end(self):
        """SYS-3, UDR-3, UDR-4, EFF-16, RS-57, RS-64."""
        self.fabric.converged()
        verdicts = set()
        for dst in NOWHERE:
            for src in ("vm11", "vm13"):
                trace = self.fabric.json("trace", src, dst, expect=None)
                verdicts.add(trace["verdict"])
                with self.subTest(src=src, dst=dst, verdict=trace["verdict"]):
                    check = self.check_loop if trace["verdict"] == "loop" else self.check_drop
                    check(src, dst, trace)
        self.assertEqual(verdicts, {"loop", "blackhole"})


if __name__ == "__main__":
    unittest.main()
