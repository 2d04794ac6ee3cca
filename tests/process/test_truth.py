"""What trace predicts is what a packet does: every ordered pair of VMs and sites, in every fabric with NVAs, at rest and
after each fault of a random sequence (the seed is in the failure; FAB_SEED sets it). Root only.
"""
import itertools
import os
import random
import re
import subprocess
import unittest

from fabric import FabricTestCase, cannot_have_packets, until

CANNOT = cannot_have_packets("nsenter", "ping")
SEED = int(os.environ.get("FAB_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
FAULTS = 3


class Truth:
    """Mixed into one class per topology."""

    packets = "on"
    wait = "60s"
    mortal = ("nva", "route_server")  # kinds of processes that are killed
    left_out = ()

    @classmethod
    def setUpClass(cls):
        if CANNOT:
            raise unittest.SkipTest(CANNOT)
        super().setUpClass()
        names = [end["name"] for kind in ("vm", "site") for end in cls.fabric.json("get", kind)
                 if end["name"] not in cls.left_out]
        cls.ends = {name: cls.address(name) for name in names}
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
            return int(re.search(r"^ *eth0:(.*)$", self.run_in(nva, "cat", "/proc/net/dev"), re.M).group(1).split()[1])
        return {nva: of(nva) for nva in self.nvas}

    def way(self, src, dst):
        """NVAs on the modelled way; None: not delivered."""
        trace = self.fabric.json("trace", src, dst, expect=None)
        nodes = {hop["node"] for hop in trace["hops"]}
        return nodes.intersection(self.nvas) if trace["verdict"] == "delivered" else None

    def seen(self, src, dst):
        """NVAs that got something when src pings dst, and how many routers the answer passed; None: no answer."""
        before = self.received()
        ttl = re.search(r"icmp_seq=1 ttl=(\d+)", self.run_in(src, "ping", "-n", "-c", "1", "-W", "1", self.ends[dst]))
        if not ttl:
            return None
        after = self.received()
        return {nva for nva in self.nvas if after[nva] > before[nva]}, 64 - int(ttl.group(1))

    def disagreements(self):
        pairs = list(itertools.permutations(self.ends, 2))
        ways = {pair: self.way(*pair) for pair in pairs}
        found = []
        for src, dst in pairs:
            there, back = ways[src, dst], ways[dst, src]
            want = None if there is None or back is None else (there | back, len(back))
            got = self.seen(src, dst)
            if want != got:
                found.append(f"{src} -> {dst}: trace says {want}, packets say {got}")
        return found

    def agree(self, after):
        """Both change while a fault is noticed, so they get time to agree."""
        last = []

        def condition():
            last[:] = self.disagreements()
            return not last
        until(condition, lambda: f"seed {SEED}, after {after}: " + "; ".join(last), timeout=30)

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
    """Tunnels between an NVA and a site are not in the data plane: branch1 is behind one."""

    topology = "topologies/vpn-to-expressroute.yaml"
    left_out = ("branch1",)


class ActivePassive(Truth, FabricTestCase):
    topology = "topologies/active-passive.yaml"


class Firewall(Truth, FabricTestCase):
    """To trace an NVA whose process is dead is dead; its guest still forwards what a UDR sends there."""

    topology = "topologies/firewall.yaml"
    mortal = ("route_server",)


if __name__ == "__main__":
    unittest.main()
