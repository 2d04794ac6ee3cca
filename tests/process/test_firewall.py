"""A stateful firewall breaks what it sees only one half of, where trace says so. Root only."""
import json
import subprocess
import unittest

from fabric import FabricTestCase, cannot_have_packets
from test_packets import Guests

CANNOT = cannot_have_packets("ip", "ping", "unshare", "nft")


def cannot_track():
    """Why a kernel cannot be a stateful firewall, or None."""
    if CANNOT:
        return CANNOT
    rule = "table ip x { chain y { type filter hook forward priority 0; ct state invalid drop; }; }"
    done = subprocess.run(["unshare", "--net", "nft", rule], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"no connection tracking: {done.stderr.strip().splitlines()[:1]}"


CANNOT = cannot_track()
TOPOLOGY = """
name: stateful
timing: fast
vnets:
  hub1: {address_space: [10.1.0.0/16], subnets: {RouteServerSubnet: 10.1.0.0/26, nva: 10.1.2.0/24}}
  spoke11: {address_space: [10.11.0.0/16], subnets: {vms: {prefix: 10.11.0.0/24, route_table: rt11}}}
  spoke12: {address_space: [10.12.0.0/16], subnets: {vms: {prefix: 10.12.0.0/24, route_table: rt12}}}
peerings:
  - {hub: hub1, spoke: [spoke11, spoke12]}
route_tables:
  rt11: {routes: {there: {prefix: 10.12.0.0/16, next_hop: VirtualAppliance 10.1.2.4}}}
  rt12: {routes: {back: {prefix: 10.11.0.0/16, next_hop: VirtualAppliance 10.1.2.BACK}}}
route_servers:
  rs1: {vnet: hub1, peers: [nva1, nva2]}
nvas:
  nva1: {subnet: hub1/nva, ip: 10.1.2.4, asn: 65001, stateful: true}
  nva2: {subnet: hub1/nva, ip: 10.1.2.5, asn: 65002, stateful: true}
vms:
  vm11: {subnet: spoke11/vms, ip: 10.11.0.4}
  vm12: {subnet: spoke12/vms, ip: 10.12.0.4}
"""


@unittest.skipIf(CANNOT, CANNOT)
class Stateful(Guests, FabricTestCase):
    topology_text = TOPOLOGY.replace("BACK", "4")
    packets = "on"

    def apply(self, text):
        path = self.files / "changed.yaml"
        path.write_text(text)
        self.fabric.fabctl("apply", path)
        self.fabric.converged()

    def breaks(self):
        done = self.fabric.fabctl("trace", "vm11", "vm12", "--both", expect=None, json_output=True)
        return json.loads(done.stdout)["stateful_break"]

    def until_filtered(self, nva):
        self.until(lambda: "hubspoke-firewall" in self.run_in(nva, "nft", "list", "tables"), f"{nva} filters")

    def test_both_directions_by_one(self):
        """MR-9: symmetric, so nothing breaks."""
        self.until_filtered("nva1")
        self.assertFalse(self.breaks())
        self.until_pings("vm11", "10.12.0.4")
        for options in ([], ["--tcp"]):
            told = self.probe("vm11", "vm12", "--pps", "200", "--duration", "300ms", *options)
            self.assertEqual(told["lost"], 0)

    def test_each_direction_by_another(self):
        """MR-9: trace warns of it, and no connection comes up."""
        self.apply(TOPOLOGY.replace("BACK", "5"))
        self.addCleanup(self.apply, self.topology_text)
        for nva in ("nva1", "nva2"):
            self.until_filtered(nva)
        self.assertTrue(self.breaks())
        self.assertFalse(self.pings("vm11", "10.12.0.4"))
        done = self.fabric.fabctl("probe", "vm11", "vm12", "--tcp", "--duration", "300ms", expect=1)
        self.assertIn("cannot connect", done.stderr)
        self.assertRegex(self.run_in("nva2", "nft", "list", "ruleset"), "ct state invalid counter packets [1-9]")
        # A datagram tells nothing of a beginning.
        self.assertEqual(self.probe("vm11", "vm12", "--pps", "200", "--duration", "300ms")["lost"], 0)

    def test_switched_off(self):
        """Two routers that keep no state do not mind."""
        self.apply(TOPOLOGY.replace("BACK", "5").replace("stateful: true", "stateful: false"))
        self.addCleanup(self.apply, self.topology_text)
        self.assertFalse(self.breaks())
        self.until_pings("vm11", "10.12.0.4")


if __name__ == "__main__":
    unittest.main()
