"""What trace predicts is what a packet does: every ordered pair of VMs, in every fabric with NVAs, at rest and
after each fault of a random sequence (the seed is in the failure; FAB_SEED sets it). Root only.
"""
import itertools
import os
import random
import re
import subprocess
import unittest

from fabric import FabricTestCase, cannot_have_packets

CANNOT = cannot_have_packets("nsenter", "ping")
SEED = int(os.environ.get("FAB_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
FAULTS = 4


class Truth:
    """Mixed into one class per topology."""

    packets = "on"
    wait = "60s"
    mortal = ("nva", "route_server")  # kinds of processes that are killed

    @classmethod
    def setUpClass(cls):
        if CANNOT:
            raise unittest.SkipTest(CANNOT)
        super().setUpClass()
        vms = cls.fabric.json("get", "vm")
        cls.vms = {vm["name"]: vm["properties"]["ip"] for vm in vms}
        cls.nvas = [nva["name"] for nva in cls.fabric.json("get", "nva")]

    def run_in(self, guest, *command):
        link = self.fabric.run_dir / "guests" / guest
        return subprocess.run(["nsenter", f"--net={link}", *command], capture_output=True, text=True,
                              check=False).stdout

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
        ttl = re.search(r"icmp_seq=1 ttl=(\d+)", self.run_in(src, "ping", "-n", "-c", "1", "-W", "1", self.vms[dst]))
        if not ttl:
            return None
        after = self.received()
        return {nva for nva in self.nvas if after[nva] > before[nva]}, 64 - int(ttl.group(1))

    def disagreements(self):
        pairs = list(itertools.permutations(self.vms, 2))
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
        self.until(condition, lambda: f"seed {SEED}, after {after}: " + "; ".join(last), timeout=30)

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


class ActivePassive(Truth, FabricTestCase):
    topology = "topologies/active-passive.yaml"


class Firewall(Truth, FabricTestCase):
    """To trace an NVA whose process is dead is dead; its guest still forwards what a UDR sends there."""

    topology = "topologies/firewall.yaml"
    mortal = ("route_server",)


if __name__ == "__main__":
    unittest.main()
