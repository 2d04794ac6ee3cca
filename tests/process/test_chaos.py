"""fabctl chaos: designs with known faults, each found and explained by its rule; sound ones, found sound."""
import json
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

from fabric import BIN, ROOT, processes_using, until

# Two regions, one NVA and one VM each; what differs is how the NVAs carry what goes between them (SC-G).
REGIONS = """
name: regions
timing: fast
vnets:
  hub1: {{region: r1, address_space: [10.1.0.0/16], subnets: {{RouteServerSubnet: 10.1.0.0/26, nva: {{prefix: 10.1.2.0/24{table1}}}}}}}
  s11: {{region: r1, address_space: [10.11.0.0/16], subnets: {{vms: 10.11.0.0/24}}}}
  hub2: {{region: r2, address_space: [10.2.0.0/16], subnets: {{RouteServerSubnet: 10.2.0.0/26, nva: {{prefix: 10.2.2.0/24{table2}}}}}}}
  s21: {{region: r2, address_space: [10.21.0.0/16], subnets: {{vms: 10.21.0.0/24}}}}
peerings: [{{hub: hub1, spoke: s11}}, {{hub: hub2, spoke: s21}}, {{between: [hub1, hub2]}}]
route_tables:
  rt1: {{routes: {{r2: {{prefix: 10.21.0.0/16, next_hop: VirtualAppliance 10.2.2.4}}}}}}
  rt2: {{routes: {{r1: {{prefix: 10.11.0.0/16, next_hop: VirtualAppliance 10.1.2.4}}}}}}
route_servers: {{rs1: {{vnet: hub1, peers: [nva1]}}, rs2: {{vnet: hub2, peers: [nva3]}}}}
nvas:
  nva1: {{subnet: hub1/nva, ip: 10.1.2.4, asn: 65001{policy}, peers: {{nva3: {{tunnel: {tunnel}}}}}}}
  nva3: {{subnet: hub2/nva, ip: 10.2.2.4, asn: 65002{policy}}}
vms: {{vm11: {{subnet: s11/vms, ip: 10.11.0.4}}, vm21: {{subnet: s21/vms, ip: 10.21.0.4}}}}
"""
STRIP = ", to_route_server: {strip_as: [65515]}"

# A firewall with one NIC, or without the table on its subnet (SC-H).
FIREWALL = """
name: firewall
timing: fast
vnets:
  hub: {{address_space: [10.1.0.0/16], subnets: {{RouteServerSubnet: 10.1.0.0/26, nva: {{prefix: 10.1.2.0/24{table}}}}}}}
  spoke: {{address_space: [10.11.0.0/16], subnets: {{vms: 10.11.0.0/24, pinned: {{prefix: 10.11.1.0/24, route_table: rt-pinned}}}}}}
  other: {{address_space: [10.12.0.0/16], subnets: {{vms: 10.12.0.0/24}}}}
peerings: [{{hub: hub, spoke: [spoke, other]}}]
route_tables:
  rt-fw: {{routes: {{out: {{prefix: 0.0.0.0/0, next_hop: Internet}}}}}}
  rt-pinned: {{routes: {{fw: {{prefix: 0.0.0.0/0, next_hop: VirtualAppliance 10.1.2.4}}}}}}
route_servers: {{rs1: {{vnet: hub, peers: [fw]}}}}
nvas: {{fw: {{subnet: hub/nva, ip: 10.1.2.4, public_ip: 198.51.100.4, snat: true, asn: 65001, advertise: [0.0.0.0/0]}}}}
vms: {{vm11: {{subnet: spoke/vms, ip: 10.11.0.4}}{pinned}, vm12: {{subnet: other/vms, ip: 10.12.0.4}}}}
"""

# Firewalls of two regions announce the same default route to one Route Server (MR-9).
EQUAL = """
name: equal
timing: fast
vnets:
  hub1: {{region: r1, address_space: [10.1.0.0/16], subnets: {{RouteServerSubnet: 10.1.0.0/26, nva: 10.1.2.0/24}}}}
  hub2: {{region: r2, address_space: [10.2.0.0/16], subnets: {{nva: 10.2.2.0/24}}}}
  s11: {{region: r1, address_space: [10.11.0.0/16], subnets: {{vms: 10.11.0.0/24}}}}
  s12: {{region: r1, address_space: [10.12.0.0/16], subnets: {{vms: 10.12.0.0/24}}}}
peerings:
  - {{hub: hub1, spoke: [s11, s12]}}
  - {{between: [hub1, hub2]}}
  - {{between: [s11, hub2]}}
  - {{between: [s12, hub2]}}
route_servers: {{rs1: {{vnet: hub1, peers: [nva1, nva3]}}}}
nvas:
  nva1: {{subnet: hub1/nva, ip: 10.1.2.4, asn: 65001, stateful: true, advertise: [10.0.0.0/8]}}
  nva3: {{subnet: hub2/nva, ip: 10.2.2.4, asn: 65002, stateful: true, advertise: [{{prefix: 10.0.0.0/8, prepend: {prepend}}}]}}
vms:
  a1: {{subnet: s11/vms, ip: 10.11.0.4}}
  a2: {{subnet: s11/vms, ip: 10.11.0.5}}
  b1: {{subnet: s12/vms, ip: 10.12.0.4}}
  b2: {{subnet: s12/vms, ip: 10.12.0.5}}
"""


def regions(tunnel=False, strip=True, tables=False):
    return REGIONS.format(tunnel=str(tunnel).lower(), policy=STRIP if strip else "",
                          table1=", route_table: rt1" if tables else "",
                          table2=", route_table: rt2" if tables else "")


def firewall(table=True, pinned=False):
    return FIREWALL.format(table=", route_table: rt-fw" if table else "",
                           pinned=", pin: {subnet: spoke/pinned, ip: 10.11.1.4}" if pinned else "")


class Chaos(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="fab-chaos-test-"))
        self.addCleanup(shutil.rmtree, self.dir)

    def file(self, text):
        path = self.dir / "topology.yaml"
        path.write_text(text)
        return path

    def run_it(self, path, *options, expect, output="json"):
        done = subprocess.run([BIN / "fabctl", "-o", output, "chaos", path, *options], capture_output=True,
                              text=True, timeout=120, check=False, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done

    def chaos(self, path, *options, expect):
        report = json.loads(self.run_it(path, *options, expect=expect).stdout)
        self.assertEqual(report["ok"], expect == 0)
        return report

    def at_rest(self, text, expect=1, vm="vm11"):
        """What is broken before anything is: [(invariant, rule)], and the row. The quickest fault there is is done."""
        report = self.chaos(self.file(text), "--replay", f"cut {vm}", expect=expect)
        self.assertEqual((len(report["cells"]), report["cells"][0]["broken"]), (1, []))
        return [(row["invariant"], row["rule"]) for row in report["at_rest"]["broken"]], report["at_rest"]

    def cell(self, report, name):
        return next(c for c in report["cells"] if c["cell"] == name)


class Designs(Chaos):
    def test_no_tunnel_and_no_route_on_the_nva_subnet(self):
        """SC-G, MR-5: the NVA's own NIC leads back to it."""
        broken, rest = self.at_rest(regions())
        self.assertEqual(broken, [("no-loop", "MR-5")])
        self.assertIn("nva1 gets the packet a second time", json.dumps(rest))
        self.assertIn("MR-6", rest["broken"][0]["fix"])

    def test_both_remedies_against_that_loop(self):
        """MR-6, MR-7"""
        self.assertEqual(self.at_rest(regions(tunnel=True), expect=0)[0], [])
        self.assertEqual(self.at_rest(regions(tables=True), expect=0)[0], [])

    def test_nobody_removes_65515(self):
        """SC-G, MR-2: the Route Server drops what has its own ASN in the path; MR-3 mends it."""
        broken, rest = self.at_rest(regions(tunnel=True, strip=False))
        self.assertEqual(broken, [("delivered", "MR-2")])
        self.assertIn("vm11 > nva1 > nva3 > vm21 could carry it", rest["broken"][0]["what"])
        self.assertIn("MR-3", rest["broken"][0]["fix"])

    def test_default_route_leads_back_to_the_firewall(self):
        """SC-H: without a table on the firewall's subnet; with one all is well."""
        self.assertEqual(self.at_rest(firewall(table=False))[0], [("no-loop", "SC-H")])
        self.assertEqual(self.at_rest(firewall(), expect=0)[0], [])

    def test_equal_paths_through_firewalls_of_two_regions(self):
        """MR-9, SC-C: each direction takes another one; prepending mends it."""
        self.assertEqual(self.at_rest(EQUAL.format(prepend=0), vm="a1")[0], [("symmetric", "MR-9")])
        self.assertEqual(self.at_rest(EQUAL.format(prepend=2), expect=0, vm="a1")[0], [])


class Faults(Chaos):
    def test_the_only_firewall_is_lost_honestly_but_not_a_route_to_it(self):
        """A second firewall could carry it, but there is none; a UDR that leads to it stays (UDR-3)."""
        report = self.chaos(self.file(firewall()), "--replay", "kill fw", expect=0)
        cell = self.cell(report, "kill fw")
        self.assertEqual({row["because"] for row in cell["lost"]}, {"nothing else could carry it"})
        self.assertEqual((cell["note"], cell["rule"]), ("no second instance of fw", "RS-90"))
        report = self.chaos(self.file(firewall(pinned=True)), "--replay", "kill fw", expect=1)
        (broken,) = self.cell(report, "kill fw")["broken"]
        self.assertEqual((broken["invariant"], broken["rule"]), ("no-stale", "UDR-3"))
        self.assertEqual(broken["what"], "pin: route 0.0.0.0/0 (User) leads to 10.1.2.4, and fw is dead")

    def test_a_hung_nva_is_found_by_the_hold_timer(self):
        """RS-91; with a bound that is shorter it is too long."""
        path = ROOT / "topologies/active-passive.yaml"
        cell = self.cell(self.chaos(path, "--replay", "pause nva1", expect=0), "pause nva1")
        self.assertGreater(cell["detect_ms"], 1500)
        lost = [row["ms"] for row in cell["lost"]]
        self.assertTrue(all(1500 < ms < 8000 for ms in lost), lost)
        self.assertFalse(any(row["stays"] for row in cell["lost"]))
        cell = self.cell(self.chaos(path, "--replay", "kill nva1", "--bound", "0", expect=1), "kill nva1")
        self.assertEqual([row["invariant"] for row in cell["broken"]], ["blackhole"])

    def test_one_session_lost_divides_the_firewalls(self):
        """RS-94, RS-66: NICs follow different instances, so different NVAs."""
        report = self.chaos(ROOT / "topologies/active-passive.yaml", "--replay", "cut nva1 rs1-0", expect=1)
        (broken,) = self.cell(report, "cut nva1 rs1-0")["broken"]
        self.assertEqual((broken["invariant"], broken["rule"]), ("symmetric", "RS-94"))

    def test_two_at_once(self):
        """Both NVAs: nothing is left, and that is no fault of the design's."""
        report = self.chaos(ROOT / "topologies/active-passive.yaml", "--replay", "kill nva1 + kill nva2", expect=0)
        cell = self.cell(report, "kill nva1 + kill nva2")
        self.assertEqual(cell["note"], "no third instance")
        self.assertTrue(all(row["stays"] for row in cell["lost"]))

    def test_some_of_the_shipped_design(self):
        """topologies/multi-region.yaml has none of these faults; docs/chaos.md has all of its cells."""
        junit, html = self.dir / "x.xml", self.dir / "x.html"
        done = self.run_it(ROOT / "topologies/multi-region.yaml", "--only", "nva1,rs1-0,er1-0,circuit1-primary", "--faults",
                           "kill", "--seed", "7", "--junit", junit, "--html", html, expect=0, output="table")
        self.assertIn("4 faults, 8 endpoints", done.stdout)
        self.assertIn("seed 7, timing fast: no invariant broken", done.stdout)
        suite = ElementTree.parse(junit).getroot()
        self.assertEqual((suite.get("tests"), suite.get("failures")), ("5", "0"))
        self.assertEqual({case.get("name") for case in suite},
                         {"(at rest)", "kill nva1", "kill rs1-0", "kill er1-0", "kill circuit1-primary"})
        page = html.read_text()
        self.assertIn("no invariant broken", page)
        self.assertIsNone(re.search(r"(src|href)\s*=|url\(|@import|<script", page))


class Usage(Chaos):
    def test_what_cannot_be_done(self):
        path = self.file(firewall())
        for options, words in [(["--faults", "flood"], "'flood' is not a list of kill, pause and cut"),
                               (["--replay", "kill"], "is not a fault such as"),
                               (["--replay", "kill nva9"], "no fault 'kill nva9' in this topology"),
                               (["--only", "nva9"], "no process or link 'nva9'"),
                               (["--seed", "-1"], "is not a number"), (["--bound", "soon"], "is not a time")]:
            self.assertIn(words, self.run_it(path, *options, expect=2).stderr)
        self.run_it(self.dir / "none.yaml", expect=2)
        self.run_it(self.file("vnets: {hub: {}}\n"), expect=4)

    def test_interrupted_it_leaves_nothing(self):
        path = self.file(firewall())
        run = subprocess.Popen([BIN / "fabctl", "chaos", path, "-j", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, start_new_session=True)
        until(lambda: len(processes_using(path)) > 3, "a fabric of it runs")  # fabctl and its workers are three
        run.send_signal(signal.SIGINT)
        _, words = run.communicate(timeout=60)
        self.assertEqual((run.returncode, words), (1, "fabctl: INTERRUPTED: interrupted; all fabrics are taken down\n"))
        until(lambda: not processes_using(path), "nothing of it is left")


if __name__ == "__main__":
    unittest.main()
