"""Golden tables: what the specification prints, row by row, from real daemons. Section 2.1 "who learns what", the
example of 5.5, listings and metrics of a Route Server (RS-110 ... RS-117), gateways (ER-15 ... ER-17, VPN-15,
VPN-16), and the vectors that labs saw (GV-5, GV-7, GV-8).
"""
import json
import re
import unittest

from test_scenarios import GATEWAY, Scenario

P, ER, VPN = "192.168.250.0/24", "172.20.0.0/16", "172.21.0.0/16"
VNETS = ["10.1.0.0/16", "10.11.0.0/16", "10.12.0.0/16"]
PROVIDER = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/reference/providers/Microsoft.Network/"

# The reference address plan: ExpressRoute and VPN gateway beside a Route Server, one NVA.
REFERENCE = """
name: reference
timing: fast
vnets:
  hub1:
    address_space: [10.1.0.0/16]
    subnets: {RouteServerSubnet: 10.1.0.0/26, GatewaySubnet: 10.1.1.0/26, nva: 10.1.2.0/24, vms: 10.1.10.0/24}
  s11: {address_space: [10.11.0.0/16], subnets: {vms: 10.11.0.0/24}}
  s12: {address_space: [10.12.0.0/16], subnets: {vms: 10.12.0.0/24}}
peerings: [{hub: hub1, spoke: [s11, s12]}]
route_servers: {rs1: {vnet: hub1, peers: [nva1]}}
nvas: {nva1: {subnet: hub1/nva, ip: 10.1.2.4, asn: 65001, advertise: [192.168.250.0/24]}}
gateways:
  er1: {vnet: hub1, type: ExpressRoute, circuits: [circuit1]}
  vpn1: {vnet: hub1, type: Vpn, active_active: true, connections: [branch1]}
circuits: {circuit1: {site: dc1}}
sites: {dc1: {asn: 64900, prefixes: [172.20.0.0/16]}, branch1: {asn: 64901, prefixes: [172.21.0.0/16]}}
vms:
  vm1: {subnet: hub1/vms, ip: 10.1.10.4}
  vm11: {subnet: s11/vms, ip: 10.11.0.4}
  vm12: {subnet: s12/vms, ip: 10.12.0.4}
"""


class WhoLearnsWhat(Scenario):
    """Section 2.1, both columns of the table."""
    topology_text = REFERENCE

    def learned_by(self, router, own):
        return {prefix: path for prefix, path in self.paths(router).items() if prefix != own}

    def nics(self):
        """BGP routes of a NIC in the hub and in each spoke."""
        return [{prefix: row[2] for prefix, row in self.fabric.effective(nic).items() if row[0] == GATEWAY}
                for nic in ("vm1", "vm11", "vm12")]

    def expect(self, nva1, dc1, branch1):
        vpn = ["10.1.1.6", "10.1.1.7"]  # VPN-14; beside an ExpressRoute gateway
        self.becomes(self.nics, [{P: ["10.1.2.4"], ER: ["10.24.0.4", "10.24.0.5"], VPN: vpn}] * 3)
        self.becomes(lambda: self.learned_by("nva1", P), dict.fromkeys(VNETS, "65515") | nva1)
        self.becomes(lambda: self.learned_by("dc1", ER), dict.fromkeys(VNETS, "12076") | dc1)
        self.becomes(lambda: self.learned_by("branch1", VPN), dict.fromkeys(VNETS, "65515") | branch1)

    def test_b2b_off(self):
        """B2B-1"""
        self.expect({}, {}, {})

    def test_b2b_on(self):
        """B2B-2, B2B-7, RS-73, ER-11"""
        self.change("route_server", "rs1", "branch_to_branch=true")
        self.expect({ER: "65515-12076-64900", VPN: "65515-64901"}, {P: "12076", VPN: "12076"},
                    {P: "65515-65001", ER: "65515-12076-64900"})


class Listings(Scenario):
    """Every field of every listing, in the reference plan with branch-to-branch."""
    topology_text = REFERENCE.replace("vnet: hub1, peers", "vnet: hub1, branch_to_branch: true, peers")

    def test_learned_and_advertised(self):
        """RS-3, RS-110, RS-111"""
        answer = self.fabric.json("routes", "learned", "rs1", "nva1")
        advertised = self.fabric.json("routes", "advertised", "rs1", "nva1")
        paths = dict.fromkeys(VNETS, "65515") | {ER: "65515-12076-64900", VPN: "65515-64901"}
        for i, own in enumerate(["10.1.0.4", "10.1.0.5"]):
            self.assertEqual(answer[f"RouteServiceRole_IN_{i}"], [
                {"localAddress": own, "network": P, "nextHop": "10.1.2.4", "sourcePeer": "10.1.2.4", "origin": "EBgp",
                 "asPath": "65001", "weight": 32768}])
            self.assertEqual(advertised[f"RouteServiceRole_IN_{i}"], [
                {"localAddress": own, "network": prefix, "nextHop": own, "origin": "Igp", "asPath": paths[prefix],
                 "weight": 0} for prefix in sorted(paths, key=address)])

    def test_peers_of_the_route_server(self):
        """RS-115: configuration only; RS-114: no gateway is among them."""
        row = {"name": "nva1", "peerAsn": 65001, "peerIp": "10.1.2.4", "provisioningState": "Succeeded",
               "peeringState": None, "id": PROVIDER + "virtualHubs/rs1/bgpConnections/nva1"}
        self.assertEqual(self.fabric.json("routes", "peers", "rs1"), [row])
        text = self.fabric.fabctl("routes", "peers", "rs1").stdout.splitlines()
        self.assertEqual(text[0].split(), ["Name", "PeerAsn", "PeerIp", "ProvisioningState"])
        self.kill("nva1")
        self.assertEqual(self.fabric.json("routes", "peers", "rs1"), [row])
        self.fabric.fabctl("routes", "peers", "er1", expect=4)

    def test_effective_routes_of_the_route_server(self):
        """RS-116"""
        gateway = PROVIDER + "virtualNetworkGateways/"
        rows = [[prefix, "", "Virtual Network Connection", ["on-link"], ""] for prefix in VNETS] + [
            [ER, "12076-64900", "ExpressRoute", ["10.24.0.4", "10.24.0.5"], gateway + "er1"],
            [VPN, "64901", "VPN", ["10.1.1.6", "10.1.1.7"], gateway + "vpn1"],
            [P, "65001", "HubBgpConnection", ["10.1.2.4"], PROVIDER + "virtualHubs/rs1/bgpConnections/nva1"]]

        def table():
            value = self.fabric.json("routes", "effective", "rs1")["value"]
            return [[r["addressPrefixes"][0], r["asPath"], r["nextHopType"], sorted(r["nextHops"]), r["routeOrigin"]]
                    for r in value]
        self.becomes(table, rows)
        self.kill("rs1-0")  # the other instance answers
        self.assertEqual(table(), rows)

    def figure(self, name):
        """{instance: value} of one metric."""
        text = self.fabric.fabctl("metrics").stdout
        found = re.findall(rf'^hubspoke_route_server_{name}{{route_server="rs1",instance="(\w+)",peer="nva1",'
                           r'bgp_peer_ip="10.1.2.4",bgp_peer_type="NVA"} (\d+)$', text, re.MULTILINE)
        return {instance[-4:]: int(value) for instance, value in found}

    def test_metrics(self):
        """RS-117: an instance that is down has no session, and no counts."""
        self.becomes(lambda: self.figure("bgp_peer_status"), {"IN_0": 1, "IN_1": 1})
        self.becomes(lambda: self.figure("routes_learned"), {"IN_0": 1, "IN_1": 1})
        self.becomes(lambda: self.figure("routes_advertised"), {"IN_0": 5, "IN_1": 5})
        self.kill("rs1-1")
        self.becomes(lambda: self.figure("bgp_peer_status"), {"IN_0": 1, "IN_1": 0})
        self.assertEqual(self.figure("routes_learned"), {"IN_0": 1})

    def test_metrics_of_a_lost_peer(self):
        """RS-117"""
        self.kill("nva1")
        self.becomes(lambda: self.figure("bgp_peer_status"), {"IN_0": 0, "IN_1": 0})
        self.assertEqual(self.figure("routes_learned"), {"IN_0": 0, "IN_1": 0})

    def test_express_route_gateway(self):
        """ER-16, ER-17, B2B-5: of instance 0."""
        rows = [r for r in self.fabric.json("gateway", "learned", "er1")["value"] if r["localAddress"] == "10.1.1.12"]
        network = [{"localAddress": "10.1.1.12", "network": prefix, "nextHop": "", "sourcePeer": "10.1.1.12",
                    "origin": "Network", "asPath": "", "weight": 32768} for prefix in VNETS]
        msee = [{"localAddress": "10.1.1.12", "network": ER, "nextHop": hop, "sourcePeer": hop, "origin": "EBgp",
                 "asPath": "12076-64900", "weight": 32769} for hop in ("10.1.1.4", "10.1.1.5")]
        self.assertEqual([r for r in rows if r["origin"] == "Network"], network)
        self.assertEqual([r for r in rows if r["origin"] == "EBgp"], msee)
        ibgp = {(r["network"], r["nextHop"], r["asPath"]) for r in rows
                if r["origin"] == "IBgp" and r["sourcePeer"] in ("10.1.0.4", "10.1.0.5")}
        self.assertEqual(ibgp, {(P, "10.1.2.4", "65001"), (VPN, "10.1.1.6", "64901")})
        sent = self.fabric.json("gateway", "advertised", "er1", "circuit1-primary")["value"]
        self.assertEqual({r["network"]: (r["asPath"], r["origin"], r["weight"]) for r in sent},
                         {prefix: ("65515", "Igp", 0) for prefix in VNETS}
                         | {P: ("65515-65001", "Igp", 0), VPN: ("65515-64901", "Igp", 0)})

    def test_msee(self):
        """ER-15: each prefix once per gateway instance; what the customer announces once."""
        rows = self.fabric.json("circuit", "routes", "circuit1", "primary")["value"]
        expected = [{"network": prefix, "nextHop": hop, "locPrf": 100, "weight": 0, "path": path}
                    for prefix, path in [(VNETS[0], "65515 I"), (VNETS[1], "65515 I"), (VNETS[2], "65515 I"),
                                         (VPN, "65515 64901 I"), (P, "65515 65001 I")]
                    for hop in ("10.1.1.12", "10.1.1.13")]
        self.assertEqual([r for r in rows if r["network"] != ER], expected)
        self.assertEqual([r["path"] for r in rows if r["network"] == ER], ["64900 I"])
        starred = [line.split() for line in self.fabric.fabctl("circuit", "routes", "circuit1", "primary")
                   .stdout.splitlines() if "*" in line]
        self.assertEqual(sorted({line[0] for line in starred}), sorted([ER, *VNETS, VPN, P]))

    def test_vpn_gateway(self):
        """VPN-13, VPN-15"""
        rows = [r for r in self.fabric.json("gateway", "learned", "vpn1")["value"] if r["localAddress"] == "10.1.1.6"]
        for row in rows:
            self.assertEqual(sorted(row), ["asPath", "localAddress", "network", "nextHop", "origin", "sourcePeer",
                                           "weight"])
            self.assertEqual(row["weight"], 32768)
        self.assertEqual(sorted(r["network"] for r in rows if r["origin"] == "Network"), sorted(VNETS + ["172.21.0.1/32"]))
        self.assertEqual([(r["network"], r["nextHop"], r["asPath"]) for r in rows if r["origin"] == "EBgp"],
                         [(VPN, "172.21.0.1", "64901")])
        self.assertIn((VPN, "10.1.1.7", "64901", "10.1.1.7"),
                      [(r["network"], r["nextHop"], r["asPath"], r["sourcePeer"]) for r in rows if r["origin"] == "IBgp"])

    def test_peers_of_the_vpn_gateway(self):
        """VPN-16, RS-114"""
        rows = self.fabric.json("gateway", "peers", "vpn1")["value"]
        for row in rows:
            self.assertEqual(sorted(row), ["asn", "connectedDuration", "localAddress", "messagesReceived",
                                           "messagesSent", "neighbor", "routesReceived", "state"])
        first = {r["neighbor"]: (r["asn"], r["state"]) for r in rows if r["localAddress"] == "10.1.1.6"}
        self.assertEqual({n: first[n] for n in ("10.1.0.4", "10.1.0.5", "10.1.1.7", "172.21.0.1")},
                         {"10.1.0.4": (65515, "Connected"), "10.1.0.5": (65515, "Connected"),
                          "10.1.1.7": (65515, "Connected"), "172.21.0.1": (64901, "Connected")})


def address(prefix):
    return [int(n) for n in prefix.replace("/", ".").split(".")]


class EffectiveRoutes(Scenario):
    """Section 5.5: a VM in s11, two NVAs with a default route, ExpressRoute."""
    topology_text = REFERENCE.replace("peers: [nva1]", "peers: [nva1, nva2]").replace(
        "nvas: {nva1: {subnet: hub1/nva, ip: 10.1.2.4, asn: 65001, advertise: [192.168.250.0/24]}}",
        """nvas:
  nva1: {subnet: hub1/nva, ip: 10.1.2.4, asn: 65001, advertise: [0.0.0.0/0]}
  nva2: {subnet: hub1/nva, ip: 10.1.2.5, asn: 65001, advertise: [0.0.0.0/0]}""").replace(
        "  vpn1: {vnet: hub1, type: Vpn, active_active: true, connections: [branch1]}\n", "")

    def test_the_table(self):
        """EFF-10, EFF-11, EFF-12, EFF-14, EFF-15, ER-19"""
        def row(source, prefix, hop_type, *hops):
            return {"name": "", "source": source, "state": "Active", "addressPrefix": [prefix], "nextHopType": hop_type,
                    "nextHopIpAddress": list(hops), "disableBgpRoutePropagation": False}
        expected = [row("Default", "10.11.0.0/16", "VnetLocal"), row("Default", "10.1.0.0/16", "VNetPeering"),
                    row(GATEWAY, "0.0.0.0/0", GATEWAY, "10.1.2.4", "10.1.2.5"),
                    row(GATEWAY, ER, GATEWAY, "10.24.0.4", "10.24.0.5")]
        answer = self.fabric.json("routes", "effective", "vm11")["value"]
        self.assertEqual(answer, expected)
        lines = self.fabric.fabctl("routes", "effective", "vm11").stdout.splitlines()
        self.assertEqual([re.split(r"  +", line) for line in lines if not line.startswith("---")], [
            ["Source", "State", "Address Prefix", "Next Hop Type", "Next Hop IP"],
            ["Default", "Active", "10.11.0.0/16", "VnetLocal"],
            ["Default", "Active", "10.1.0.0/16", "VNetPeering"],
            [GATEWAY, "Active", "0.0.0.0/0", GATEWAY, "10.1.2.4 10.1.2.5"],
            [GATEWAY, "Active", ER, GATEWAY, "10.24.0.4 10.24.0.5"]])


GV_5 = """
name: gv-5
timing: fast
vnets:
  hub1: {address_space: [172.16.158.0/23], subnets: {RouteServerSubnet: 172.16.159.0/26, GatewaySubnet: 172.16.158.0/26, nva: 172.16.159.64/26}}
  hub2: {region: northeurope, address_space: [172.16.138.0/23], subnets: {RouteServerSubnet: 172.16.139.0/26, GatewaySubnet: 172.16.138.0/26, nva: 172.16.139.64/26}}
route_servers:
  rs1: {vnet: hub1, branch_to_branch: true, peers: [speaker1]}
  rs2: {vnet: hub2, branch_to_branch: true, peers: [speaker2]}
nvas:
  speaker1: {subnet: hub1/nva, ip: 172.16.159.68, asn: 65010, advertise: [9.9.9.9/32]}
  speaker2: {subnet: hub2/nva, ip: 172.16.139.68, asn: 65010, advertise: [{prefix: 9.9.9.9/32, prepend: 2}]}
gateways:
  er1: {vnet: hub1, type: ExpressRoute, circuits: [circuit1]}
  er2: {vnet: hub2, type: ExpressRoute, circuits: [circuit1]}
circuits: {circuit1: {site: dc1}}
sites: {dc1: {asn: 64900, prefixes: [172.20.0.0/16]}}
"""


class GoldenVector5(Scenario):
    """GV-5: anycast over ExpressRoute, primary and backup (MR-12, ER-13)."""
    topology_text = GV_5

    def rows(self):
        """(next hop, path) of the MSEE's rows for the address, and which path the best one has."""
        table = [re.split(r"  +", line) for line in self.fabric.fabctl("circuit", "routes", "circuit1", "primary")
                 .stdout.splitlines() if line.startswith("9.9.9.9/32")]
        return (sorted((hop.rstrip("*"), path) for _, hop, _, _, path in table),
                [path for _, hop, _, _, path in table if hop.endswith("*")])

    def test_the_backup_takes_over_and_hands_back(self):
        short, long = "65515 65010 I", "65515 65010 65010 65010 I"
        backup = [("172.16.138.12", long), ("172.16.138.13", long)]
        both = (backup + [("172.16.158.12", short), ("172.16.158.13", short)], [short])
        self.becomes(self.rows, both)
        self.assertEqual(self.paths("dc1")["9.9.9.9/32"], "12076")
        self.fabric.fabctl("kill", "speaker1")
        self.becomes(self.rows, (backup, [long]), 3.0)  # TIME-14
        self.assertEqual(self.paths("dc1")["9.9.9.9/32"], "12076")
        self.fabric.fabctl("start", "speaker1")
        self.becomes(self.rows, both)


class GoldenVector7(Scenario):
    """GV-7: a limit of 1,000; replacing what is held counts twice (RS-22)."""
    topology_text = REFERENCE.replace("timing: fast\n", "timing: fast\nlimits: {routes_per_peer: 1000}\n")

    def announce(self, n, hop):
        routes = [{"prefix": f"20.{i // 256}.{i % 256}.0/24", "next_hop": hop} for i in range(n)]
        self.fabric.fabctl("set", "nva", "nva1", f"advertise={json.dumps(routes)}")

    def held(self):
        """[(routes, next hops) of instance 0, of instance 1]"""
        return [(len(rows), {r["nextHop"] for r in rows.values()}) for rows in self.fabric.learned("rs1", "nva1")]

    def test_500_are_replaced_and_501_are_too_many(self):
        self.addCleanup(self.fabric.converged)
        self.addCleanup(self.fabric.fabctl, "set", "nva", "nva1", f"advertise=[{P}]")
        self.announce(500, "10.1.2.4")
        self.becomes(self.held, [(500, {"10.1.2.4"})] * 2)
        self.announce(500, "10.1.2.9")
        self.becomes(self.held, [(500, {"10.1.2.9"})] * 2)
        self.assertEqual(self.lost(), [])
        self.announce(501, "10.1.2.9")
        self.becomes(self.held, [(501, {"10.1.2.9"})] * 2)
        self.announce(501, "10.1.2.4")
        self.becomes(lambda: sorted({subject for subject, _ in self.lost()}), ["rs1-0", "rs1-1"])
        for _, text in self.lost():
            self.assertRegex(text, "(?i)maximum number of prefixes")

    def lost(self):
        """(instance, text) of sessions that the Route Server ended."""
        events = map(json.loads, self.fabric.fabctl("events", json_output=True).stdout.splitlines())
        return [(e["subject"], e["text"]) for e in events
                if e["kind"] == "session" and e["subject"].startswith("rs1-") and "nva1 down" in e["text"]]


GV_8 = """
name: gv-8
timing: fast
vnets: {vnet: {address_space: [10.0.0.0/16], subnets: {RouteServerSubnet: 10.0.1.0/26, speakers: 10.0.2.0/24, vms: 10.0.3.0/24}}}
route_servers: {rs1: {vnet: vnet, peers: [primary, secondary, observer]}}
nvas:
  primary: {subnet: vnet/speakers, ip: 10.0.2.4, asn: 65010, hold: 30s, advertise: [10.1.0.5/32]}
  secondary: {subnet: vnet/speakers, ip: 10.0.2.5, asn: 65010, hold: 30s, advertise: [{prefix: 10.1.0.5/32, prepend: 1}]}
  observer: {subnet: vnet/speakers, ip: 10.0.2.6, asn: 65011}
vms: {vm1: {subnet: vnet/vms, ip: 10.0.3.4}}
"""


class GoldenVector8(Scenario):
    """GV-8: failover on the wire. What the secondary is sent; an observer with another ASN shows the communities."""
    topology_text = GV_8
    VIP = "10.1.0.5/32"

    def sent(self):
        """[(path, next hop) that each instance sends to the secondary; None: withdrawn]"""
        answer = self.fabric.json("routes", "advertised", "rs1", "secondary")
        rows = [{r["network"]: (r["asPath"], r["nextHop"]) for r in answer[f"RouteServiceRole_IN_{i}"]} for i in (0, 1)]
        return [instance.get(self.VIP) for instance in rows]

    def observed(self):
        """{(path, next hop, communities)} of the best and the other session."""
        return {(r["asPath"], r["nextHop"], *r["communities"])
                for r in self.fabric.json("router", "routes", "observer")["value"] if r["network"] == self.VIP}

    def test_kill_and_return(self):
        up = [("65515-65010", "10.0.1.4"), ("65515-65010", "10.0.1.5")]
        self.becomes(self.sent, up)
        self.becomes(self.observed, {(path, hop, "65517:65517") for path, hop in up})
        self.assertEqual(self.fabric.next_hops("vm1", self.VIP), ["10.0.2.4"])
        self.fabric.fabctl("kill", "primary")
        # Its route is withdrawn from the secondary on both sessions, which is the best one now (RS-77, RS-90).
        self.becomes(self.sent, [None, None], 1.0)
        self.becomes(lambda: self.fabric.next_hops("vm1", self.VIP), ["10.0.2.5"], 1.0)
        self.becomes(self.observed, {("65515-65010-65010", hop, "65517:65517") for _, hop in up}, 1.0)
        self.fabric.fabctl("start", "primary")
        self.becomes(self.sent, up)
        self.becomes(lambda: self.fabric.next_hops("vm1", self.VIP), ["10.0.2.4"])


if __name__ == "__main__":
    unittest.main()
