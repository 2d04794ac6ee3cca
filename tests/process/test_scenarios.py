"""The scenarios of Azure's routing (SC-*) against real processes: what each side learns, what each NIC
does with it, and what a failure changes. Every test puts back what it changed.
"""
import json
import time
import unittest

from fabric import ROOT, FabricTestCase

GATEWAY = "VirtualNetworkGateway"
INTERNET = ("Default", "Internet", [])
TO_NVA1 = (GATEWAY, GATEWAY, ["10.1.2.4"])
TO_NVA2 = (GATEWAY, GATEWAY, ["10.1.2.5"])


class Scenario(FabricTestCase):
    def change(self, kind, name, *settings):
        """fabctl set, and back again after the test."""
        before = self.fabric.json("get", kind, name)["properties"]
        keys = {s.split("=", 1)[0].split(".")[0] for s in settings}
        back = [f"{key}={to_yaml(before.get(key))}" for key in sorted(keys)]
        self.addCleanup(self.fabric.converged)
        self.addCleanup(self.fabric.fabctl, "set", kind, name, *back)
        self.fabric.fabctl("set", kind, name, *settings)

    def kill(self, *names):
        """SIGKILL, and a start after the test."""
        self.addCleanup(self.fabric.converged)
        for name in names:
            self.addCleanup(self.fabric.fabctl, "start", name)
            self.fabric.fabctl("kill", name)

    def becomes(self, read, expected, timeout=5.0):
        """read() is polled until it answers `expected`; the last answer is reported."""
        answers = []

        def same():
            answers[:] = [read()]
            return answers[0] == expected

        self.until(same, lambda: f"{answers[0]}\nis not {expected}", timeout)

    def route(self, nic, prefix):
        return self.fabric.effective(nic).get(prefix)

    def learned_paths(self, server, peer):
        """{prefix: (next hop, path)}; both instances must have learned the same."""
        first, second = ({prefix: (row["nextHop"], row["asPath"]) for prefix, row in rows.items()}
                         for rows in self.fabric.learned(server, peer))
        return first if first == second else {"instances differ": (first, second)}

    def advertised(self, server, peer):
        """[{prefix: path} of instance 0, of instance 1]"""
        answer = self.fabric.json("routes", "advertised", server, peer)
        return [{row["network"]: row["asPath"] for row in answer[f"RouteServiceRole_IN_{i}"]}
                for i in (0, 1)]

    def router(self, name):
        """{prefix: (path, communities)} of the best routes of an NVA or site."""
        return {row["network"]: (row["asPath"], row["communities"])
                for row in self.fabric.json("router", "routes", name)["value"] if row["best"]}

    def paths(self, name):
        return {prefix: path for prefix, (path, _) in self.router(name).items()}

    def trace(self, source, target):
        answer = self.fabric.json("trace", source, target, expect=None)
        return answer["verdict"], [hop["node"] for hop in answer["hops"]]


def to_yaml(value):
    """JSON is YAML, all but the value that is not there."""
    return "" if value is None else json.dumps(value)


class ScA(Scenario):
    """SC-A: a firewall attracts the default route; a UDR overrides it."""
    topology = "topologies/firewall.yaml"

    def test_what_the_route_server_and_the_firewall_learn(self):
        self.assertEqual(self.learned_paths("rs1", "fw"), {"0.0.0.0/0": ("10.1.2.4", "65001")})
        vnets = {"10.1.0.0/16": "65515", "10.11.0.0/16": "65515", "10.12.0.0/16": "65515"}
        self.assertEqual(self.advertised("rs1", "fw"), [vnets, vnets])

    def test_every_subnet_follows_the_firewall(self):
        """RS-62, SYS-8, EFF-14, SYS-5: also the hub's; the Internet row and all None rows are gone."""
        for nic, own in [("vm11", "10.11.0.0/16"), ("vm12", "10.12.0.0/16")]:
            self.assertEqual(self.fabric.effective(nic), {
                own: ("Default", "VnetLocal", []),
                "10.1.0.0/16": ("Default", "VNetPeering", []), "0.0.0.0/0": TO_NVA1})
        self.assertEqual(self.fabric.effective("jump1"), {
            "10.1.0.0/16": ("Default", "VnetLocal", []),
            "10.11.0.0/16": ("Default", "VNetPeering", []),
            "10.12.0.0/16": ("Default", "VNetPeering", []), "0.0.0.0/0": TO_NVA1})
        rows = self.fabric.json("routes", "effective", "vm11")["value"]
        self.assertEqual([r["source"] for r in rows if r["addressPrefix"] == ["0.0.0.0/0"]],
                         [GATEWAY])

    def test_spoke_to_spoke_is_inspected_and_spoke_to_hub_is_not(self):
        """PEER-2, EFF-7"""
        self.assertEqual(self.trace("vm11", "vm12"), ("delivered", ["vm11", "fw", "vm12"]))
        self.assertEqual(self.trace("vm11", "jump1"), ("delivered", ["vm11", "jump1"]))

    def test_somebody_adds_a_udr(self):
        """EFF-13: User is Active, the BGP row Invalid."""
        rows = [(r["source"], r["state"], r["nextHopType"], r["nextHopIpAddress"])
                for r in self.fabric.json("routes", "effective", "bypass")["value"]
                if r["addressPrefix"] == ["0.0.0.0/0"]]
        self.assertEqual(sorted(rows), [("User", "Active", "Internet", []),
                                        (GATEWAY, "Invalid", GATEWAY, ["10.1.2.4"])])

    def test_propagation_disabled_falls_back_to_the_internet(self):
        """RS-63, UDR-7"""
        self.assertEqual(self.route("isolated", "0.0.0.0/0"), INTERNET)
        self.assertNotIn(GATEWAY, [row[0] for row in self.fabric.effective("isolated").values()])

    def test_every_row_repeats_the_setting_of_the_subnet(self):
        """EFF-12"""
        for nic, disabled in [("isolated", True), ("vm11", False), ("bypass", False)]:
            rows = self.fabric.json("routes", "effective", nic)["value"]
            self.assertEqual({row["disableBgpRoutePropagation"] for row in rows}, {disabled})
            self.assertEqual([row["name"] for row in rows if row["name"]],
                             ["internet"] if nic == "bypass" else [])

    def test_inspecting_private_traffic_only(self):
        """RS-53: a supernet is programmed; RS-51: a VNet's own prefix is dropped."""
        self.change("nva", "fw", "advertise=[10.0.0.0/8, 10.11.0.0/16, 10.12.0.0/24]")
        self.becomes(lambda: self.learned_paths("rs1", "fw"), {"10.0.0.0/8": ("10.1.2.4", "65001")})
        self.becomes(lambda: self.route("vm11", "10.0.0.0/8"), TO_NVA1)
        self.assertEqual(self.route("vm11", "0.0.0.0/0"), INTERNET)
        self.assertEqual(self.trace("vm11", "vm12"), ("delivered", ["vm11", "fw", "vm12"]))

    def test_the_firewall_stops(self):
        """The default route is withdrawn: Internet and None rows return; the UDR is a black hole."""
        self.kill("fw")
        self.becomes(lambda: self.route("vm11", "0.0.0.0/0"), INTERNET)
        self.assertEqual(self.route("vm11", "10.0.0.0/8"), ("Default", "None", []))
        self.assertEqual(self.route("jump1", "0.0.0.0/0"), INTERNET)
        self.assertEqual(self.route("pinned", "0.0.0.0/0"), ("User", "VirtualAppliance", ["10.1.2.4"]))
        self.assertEqual(self.trace("pinned", "vm12")[0], "blackhole")


class ScB(Scenario):
    """SC-B: an active and a passive NVA by AS path."""
    topology = "topologies/active-passive.yaml"
    NICS = ("vm11", "vm12", "jump1")

    def defaults(self):
        return {self.fabric.next_hops(nic, "0.0.0.0/0")[0] if len(
            self.fabric.next_hops(nic, "0.0.0.0/0") or []) == 1 else None for nic in self.NICS}

    def test_both_are_learned_one_is_used(self):
        """RS-60"""
        self.assertEqual(self.learned_paths("rs1", "nva1"), {"0.0.0.0/0": ("10.1.2.4", "65001")})
        self.assertEqual(self.learned_paths("rs1", "nva2"),
                         {"0.0.0.0/0": ("10.1.2.5", "65001-65001-65001")})
        self.assertEqual(self.defaults(), {"10.1.2.4"})

    def test_the_passive_one_rejects_its_own_asn(self):
        """RS-42, RS-72: the Route Server sends it nva1's route, the AS path keeps it out."""
        for table in self.advertised("rs1", "nva2"):
            self.assertEqual(table["0.0.0.0/0"], "65515-65001")
        rows = self.fabric.json("router", "routes", "nva2")["value"]
        self.assertEqual([r["asPath"] for r in rows if r["network"] == "0.0.0.0/0"], [""])
        self.assertIn("10.11.0.0/16", [r["network"] for r in rows])

    def test_the_active_one_is_killed_and_returns(self):
        """RS-90"""
        self.kill("nva1")
        self.becomes(self.defaults, {"10.1.2.5"})
        self.assertEqual(self.fabric.learned("rs1", "nva1"), [{}, {}])  # RS-113
        self.doCleanups()
        self.becomes(self.defaults, {"10.1.2.4"})

    def test_the_active_one_freezes(self):
        """RS-91: nothing moves before the hold timer has found it: 3 s after the last KEEPALIVE, and
        one comes each second."""
        self.addCleanup(self.fabric.converged)
        self.addCleanup(self.fabric.fabctl, "resume", "nva1")
        begin = time.monotonic()
        self.fabric.fabctl("pause", "nva1")
        self.becomes(self.defaults, {"10.1.2.5"}, timeout=10)
        self.assertGreater(time.monotonic() - begin, 1.9)

    def test_equal_paths_are_both_used(self):
        """SC-C: without the prepends one row has both next hops."""
        self.change("nva", "nva2", "advertise=[0.0.0.0/0]")
        self.becomes(lambda: self.route("vm11", "0.0.0.0/0"),
                     (GATEWAY, GATEWAY, ["10.1.2.4", "10.1.2.5"]))


class ScD(Scenario):
    """SC-D: transit between VPN and ExpressRoute, by an NVA in hub1 and Azure's gateway in hub2."""
    topology = "topologies/vpn-to-expressroute.yaml"
    POOL, BRANCH, DC = "192.168.250.0/24", "172.21.0.0/16", "172.20.0.0/16"

    def msee(self, circuit):
        """{prefix: {(next hop, path)}} of the primary MSEE."""
        table = {}
        for row in self.fabric.json("circuit", "routes", circuit, "primary")["value"]:
            table.setdefault(row["network"], set()).add((row["nextHop"].rstrip("*"), row["path"]))
        return table

    def ibgp(self, gateway):
        """{prefix: {(next hop, path)}} of what the Route Server told an ExpressRoute gateway."""
        table = {}
        for row in self.fabric.json("gateway", "learned", gateway)["value"]:
            if row["origin"] == "IBgp" and row["sourcePeer"] in ("10.1.0.4", "10.1.0.5"):
                table.setdefault(row["network"], set()).add((row["nextHop"], row["asPath"]))
        return table

    def test_the_way_to_express_route(self):
        """B2B-2, B2B-5, ER-11: iBGP keeps the next hop; on premises only 12076 is left."""
        self.assertEqual(self.learned_paths("rs1", "vpn-nva"),
                         {self.POOL: ("10.1.2.4", "65001"), self.BRANCH: ("10.1.2.4", "65001-64901")})
        self.assertEqual(self.ibgp("er1"), {self.POOL: {("10.1.2.4", "65001")},
                                            self.BRANCH: {("10.1.2.4", "65001-64901")}})
        table = self.msee("circuit1")
        for prefix, path in [(self.POOL, "65515 65001 I"), (self.BRANCH, "65515 65001 64901 I")]:
            self.assertEqual(table[prefix], {("10.1.1.12", path), ("10.1.1.13", path)})  # ER-15
            self.assertEqual(self.paths("dc1")[prefix], "12076")

    def test_the_way_from_express_route(self):
        """RS-73"""
        path, communities = self.router("vpn-nva")[self.DC]
        self.assertEqual((path, communities), ("65515-12076-64900", ["65517:65517"]))
        hops = {row["nextHop"] for row in self.fabric.json("router", "routes", "vpn-nva")["value"]
                if row["network"] == self.DC}
        self.assertEqual(hops, {"10.1.0.4", "10.1.0.5"})
        self.assertEqual(self.paths("branch1")[self.DC], "65001-65515-12076-64900")

    def expect_nics(self):
        """ER-19: to ExpressRoute by the MSEEs' addresses, to pool and branch by the NVA."""
        self.assertEqual(self.route("vm11", self.POOL), TO_NVA1)
        self.assertEqual(self.route("vm11", self.BRANCH), TO_NVA1)
        self.assertEqual(self.route("vm11", self.DC),
                         (GATEWAY, GATEWAY, ["10.24.0.4", "10.24.0.5"]))

    def test_nics_and_both_directions(self):
        self.expect_nics()
        answer = self.fabric.json("trace", "dc1", "172.21.0.1", expect=None)
        self.assertEqual(answer["verdict"], "delivered", answer)
        self.assertIn("vpn-nva", [hop["node"] for hop in answer["hops"]])

    def test_branch_to_branch_off(self):
        """B2B-1: no transit, and the NICs do not notice."""
        self.change("route_server", "rs1", "branch_to_branch=false")
        self.becomes(lambda: {self.POOL, self.BRANCH} & set(self.paths("dc1")), set())
        self.becomes(lambda: self.DC in self.paths("vpn-nva"), False)
        self.assertEqual(self.ibgp("er1"), {})
        self.assertEqual(sorted(self.paths("dc1")), ["10.1.0.0/16", "10.11.0.0/16", self.DC])
        self.assertNotIn(self.DC, self.paths("branch1"))
        self.expect_nics()

    def test_azures_vpn_gateway(self):
        """B2B-3, B2B-8: S2S has transit, P2S has not."""
        self.assertEqual(self.paths("dc2")["172.22.0.0/16"], "12076")
        self.assertEqual(self.paths("branch2")["172.23.0.0/16"], "65515-12076-64903")
        for name in ("dc2", "er2"):
            known = self.paths(name) if name == "dc2" else {
                row["network"] for row in self.fabric.json("gateway", "learned", name)["value"]}
            self.assertNotIn("192.168.251.0/24", known)
        self.assertEqual(self.fabric.next_hops("vm21", "192.168.251.0/24"), ["10.2.1.6", "10.2.1.7"])

    def test_an_instance_of_the_vpn_gateway_dies(self):
        """VPN-14, VPN-18: what it carried moves to the tunnel of the other instance."""
        self.assertEqual(self.fabric.next_hops("vm21", "172.22.0.0/16"), ["10.2.1.6", "10.2.1.7"])
        self.kill("vpn2-0")
        self.becomes(lambda: self.fabric.next_hops("vm21", "172.22.0.0/16"), ["10.2.1.7"])
        self.becomes(lambda: {row["nextHop"] for row in self.fabric.json(
            "router", "routes", "branch2")["value"] if row["network"] == "10.21.0.0/16"},
                     {"10.2.1.7"})

    def test_the_route_server_lists_no_gateway_as_peer(self):
        """RS-114: but the gateway lists both instances of the Route Server."""
        self.fabric.fabctl("routes", "learned", "rs1", "er1", expect=4)
        neighbors = {row["neighbor"] for row in self.fabric.json("gateway", "peers", "er1")["value"]}
        self.assertLessEqual({"10.1.0.4", "10.1.0.5"}, neighbors)

    def test_the_same_prefix_from_both(self):
        """HRP-2, HRP-8: ExpressRoute wins; HRP-3: unless the preference is VPN."""
        self.change("nva", "vpn-nva", f"advertise=[{self.DC}]")
        self.becomes(lambda: self.learned_paths("rs1", "vpn-nva").get(self.DC), ("10.1.2.4", "65001"))
        self.assertEqual(self.fabric.next_hops("vm11", self.DC), ["10.24.0.4", "10.24.0.5"])
        self.change("route_server", "rs1", "hub_routing_preference=VpnGateway")
        self.becomes(lambda: self.route("vm11", self.DC), TO_NVA1)

    def test_a_longer_prefix_wins_whatever_its_source(self):
        """HRP-1: longest match comes before the preference for ExpressRoute."""
        self.change("nva", "vpn-nva", "advertise=[172.20.7.0/24]")
        self.becomes(lambda: self.route("vm11", "172.20.7.0/24"), TO_NVA1)
        for address, hops in [("172.20.7.1", ["10.1.2.4"]),
                              ("172.20.8.1", ["10.24.0.4", "10.24.0.5"])]:
            answer = self.fabric.json("nexthop", "vm11", address)
            self.assertIn(answer["nextHopIpAddress"], hops)


SC_E = """
name: sc-e
timing: fast
vnets:
  hub1: {{address_space: [10.1.0.0/16], subnets: {{RouteServerSubnet: 10.1.0.0/26, nva: 10.1.2.0/24}}}}
  s11: {{address_space: {s11}, subnets: {{vms: 10.11.0.0/24}}}}
  s12: {{region: northeurope, address_space: [10.12.0.0/16], subnets: {{vms: 10.12.0.0/24}}}}
peerings:
  - {{hub: hub1, spoke: s11}}
  {s12}
route_servers: {{rs1: {{vnet: hub1, peers: [nva1]}}}}
nvas: {{nva1: {{subnet: hub1/nva, ip: 10.1.2.4, asn: 65001, peers: {{dc1: {{tunnel: true}}}}}}}}
sites: {{dc1: {{asn: 64901, prefixes: [172.21.0.0/16]}}}}
vms: {{vm11: {{subnet: s11/vms, ip: 10.11.0.4}}, vm12: {{subnet: s12/vms, ip: 10.12.0.4}}}}
"""


def sc_e(s11="[10.11.0.0/16]", s12=""):
    return SC_E.format(s11=s11, s12=s12)


class ScE(Scenario):
    """SC-E: a VPN NVA learns VNet prefixes as spokes come and go."""
    topology_text = sc_e()
    BEFORE = {"10.1.0.0/16": "65001-65515", "10.11.0.0/16": "65001-65515"}

    def apply(self, text):
        path = self.files / "next.yaml"
        path.write_text(text)
        self.fabric.fabctl("apply", path)

    def azure(self):
        """What the site knows of Azure."""
        return {prefix: path for prefix, path in self.paths("dc1").items()
                if prefix.startswith("10.")}

    def setUp(self):
        self.apply(sc_e())
        self.becomes(self.azure, self.BEFORE)

    def test_at_first(self):
        """RS-70, RS-71: the spoke's prefix carries its community."""
        rib = self.router("nva1")
        self.assertEqual(rib["10.1.0.0/16"], ("65515", []))
        self.assertEqual(rib["10.11.0.0/16"], ("65515", ["65518:65518"]))
        self.assertNotIn("10.12.0.0/16", rib)
        self.assertNotIn("172.21.0.0/16", self.fabric.effective("vm12"))

    def test_a_spoke_comes_and_goes(self):
        """RS-97: announced and withdrawn; its NICs get and lose the site. PEER-11: over a global
        peering too."""
        self.apply(sc_e(s12="- {hub: hub1, spoke: s12}"))
        self.becomes(lambda: self.route("vm12", "10.1.0.0/16"), ("Default", "VNetGlobalPeering", []))
        self.becomes(self.azure, self.BEFORE | {"10.12.0.0/16": "65001-65515"})
        self.becomes(lambda: self.route("vm12", "172.21.0.0/16"), TO_NVA1)
        self.assertEqual(self.router("nva1")["10.12.0.0/16"], ("65515", ["65518:65518"]))
        self.apply(sc_e())
        self.becomes(self.azure, self.BEFORE)
        self.becomes(lambda: self.route("vm12", "172.21.0.0/16"), None)

    def test_a_peering_without_remote_gateways(self):
        """RS-76: nothing is announced, and its NICs have the peering but no route of BGP."""
        self.apply(sc_e(s12="- {between: [hub1, s12]}"))
        self.becomes(lambda: self.route("vm12", "10.1.0.0/16"), ("Default", "VNetGlobalPeering", []))
        self.fabric.converged()
        self.assertEqual(self.azure(), self.BEFORE)
        self.assertNotIn(GATEWAY, [row[0] for row in self.fabric.effective("vm12").values()])

    def test_a_spoke_gets_another_prefix(self):
        """RS-75, RS-97: one announcement for each entry of the address space."""
        self.apply(sc_e(s11="[10.11.0.0/16, 10.13.0.0/16]"))
        self.becomes(self.azure, self.BEFORE | {"10.13.0.0/16": "65001-65515"})
        self.apply(sc_e())
        self.becomes(self.azure, self.BEFORE)


class ScG(Scenario):
    """SC-G: two regions, NVAs between them, ExpressRoute in both hubs."""
    topology = "topologies/multi-region.yaml"
    REGION2 = ("10.2.0.0/16", "10.21.0.0/16", "10.22.0.0/16")

    def towards_rs1(self, policy):
        for nva in ("nva1", "nva2"):
            self.change("nva", nva, f"to_route_server={{{policy}}}")

    def region2(self, server="rs1", nva="nva1"):
        """{prefix: path} of region 2 that the Route Server learned."""
        return {prefix: path for prefix, (_, path) in self.learned_paths(server, nva).items()
                if prefix in self.REGION2}

    def test_conditions(self):
        """What can be waited for, about routes that are elsewhere and ways of packets."""
        for condition in ("advertised rs1 nva1 10.11.0.0/16", "no advertised rs1 nva1 10.99.0.0/16",
                          "knows dc1 10.11.0.0/16", "no knows dc1 10.99.0.0/16", "knows nva1 10.21.0.0/16 via nva3",
                          "trace vm11 vm12 delivered via nva1", "trace vm11 jump1 delivered via none",
                          "trace vm11 10.21.0.4 delivered via nva1,nva3", "trace dc1 vm11 delivered",
                          "no trace vm11 vm12 delivered via nva2", "symmetric vm11 vm21", "no loop", "no loop vm11 vm21",
                          "learned rs1 nva1 10.21.0.0/16 path 65001-65002 community no-advertise",
                          "advertised rs1 nva1 172.20.0.0/16 path 65515-12076-64900 community 65517:65517",
                          "knows nva1 10.11.0.0/16 path 65515 community 65518:65518 via rs1-0",
                          "no knows nva1 10.11.0.0/16 path none"):
            with self.subTest(condition=condition):
                self.fabric.fabctl("wait", condition, "--timeout", "10s")
        for condition, why in (
                ("knows nva1 10.21.0.0/16 via nva4", "nva1 knows 10.21.0.0/16 from nva3"),
                ("knows dc1 10.99.0.0/16", "dc1 does not know 10.99.0.0/16"),
                ("trace vm11 vm12 delivered via nva2", "vm11 to vm12: delivered via nva1"),
                ("no symmetric vm11 vm12", "vm11 to vm12: delivered via nva1; back: delivered via nva1"),
                ("learned rs1 nva1 10.21.0.0/16 path 65001", "0 of 2 running instances of rs1 have it from nva1"),
                ("knows nva1 10.11.0.0/16 community 65517:65517", "nva1 does not know it so"),
                ("loop", "no packet loops"), ("loop vm11 vm12", "vm11 to vm12: delivered via nva1"),
                ("advertised rs1 nva1 10.99.0.0/16", "0 of 2 running instances of rs1 announce it to nva1")):
            with self.subTest(condition=condition):
                done = self.fabric.fabctl("wait", condition, "--timeout", "10ms", expect=1)
                self.assertIn(why, done.stderr)
        for condition in ("knows rs1 10.0.0.0/8", "knows rs1 10.0.0.0/8 path none", "loop vm99 vm11", "trace vm99 vm11 delivered", "trace 10.99.0.1 vm11 delivered",
                          "symmetric vm11 10.99.0.1"):
            with self.subTest(condition=condition):
                self.fabric.fabctl("wait", condition, expect=4)

    def test_what_the_nva_learns(self):
        """MR-1: from its Route Server its own region, from the other NVA the other one."""
        paths = self.paths("nva1")
        for prefix in ("10.1.0.0/16", "10.11.0.0/16", "10.12.0.0/16"):
            self.assertEqual(paths[prefix], "65515")
        self.assertEqual(paths["172.20.0.0/16"], "65515-12076-64900")
        for prefix in self.REGION2:
            self.assertEqual(paths[prefix], "65002-65515")

    def test_without_a_remedy(self):
        """MR-2: advertised, and missing without an error; 0/0 is all that a spoke has."""
        self.towards_rs1("communities: [no-advertise]")
        self.becomes(self.region2, {})
        self.becomes(lambda: self.route("vm11", "10.21.0.0/16"), None)
        self.assertEqual(self.fabric.effective("vm11")["0.0.0.0/0"][0], GATEWAY)
        self.assertEqual(self.paths("nva1")["10.21.0.0/16"], "65002-65515")

    def test_as_override(self):
        """MR-3: each 65515 is replaced by the NVA's own ASN."""
        self.towards_rs1("as_override: true, communities: [no-advertise]")
        self.becomes(self.region2, {prefix: "65001-65002-65001" for prefix in self.REGION2})
        self.becomes(lambda: self.fabric.next_hops("vm11", "10.21.0.0/16"),
                     ["10.1.2.4", "10.1.2.5"])

    def test_deletion(self):
        """MR-3: 65515 is taken out of the path, as the topology has it."""
        self.assertEqual(self.region2(), {prefix: "65001-65002" for prefix in self.REGION2})
        self.assertEqual(self.route("vm11", "10.21.0.0/16"), TO_NVA1)

    def test_hub_prefixes(self):
        """MR-8: from a spoke over the NVA, from the hub by the peering of the hubs."""
        self.assertEqual(self.route("vm11", "10.2.0.0/16"), TO_NVA1)
        self.assertEqual(self.route("jump1", "10.2.0.0/16"), ("Default", "VNetGlobalPeering", []))
        self.assertEqual(self.trace("jump1", "jump2"), ("delivered", ["jump1", "jump2"]))
        self.assertIn("nva1", self.trace("vm11", "jump2")[1])

    def test_with_and_without_a_tunnel(self):
        """MR-6: through the tunnel; MR-5, RS-81: without, the NIC's table sends it back."""
        self.assertEqual(self.trace("vm11", "vm21"),
                         ("delivered", ["vm11", "nva1", "nva3", "vm21"]))
        self.change("nva", "nva1", "peers={nva3: {tunnel: false}, nva4: {tunnel: false}}")
        self.becomes(lambda: self.trace("vm11", "vm21"), ("loop", ["vm11", "nva1"]))
        self.fabric.fabctl("wait", "loop")

    def test_a_udr_instead_of_the_tunnel(self):
        """MR-7: a route table on the NVAs' subnet leads to the other region's NVA."""
        text = (ROOT / self.topology).read_text()
        for old, new in [
                ("peers: {nva3: {tunnel: true}, nva4: {tunnel: true}}", "peers: [nva3, nva4]"),
                ("10.1.2.0/24, route_table: rt-nva", "10.1.2.0/24, route_table: rt-far"),
                ("route_tables:\n", "route_tables:\n  rt-far: {routes: {region2: {prefix: "
                 "10.21.0.0/16, next_hop: VirtualAppliance 10.2.2.4}}}\n")]:
            self.assertIn(old, text)
            text = text.replace(old, new)
        (self.files / "udr.yaml").write_text(text)
        self.addCleanup(self.fabric.converged)
        self.addCleanup(self.fabric.fabctl, "apply", ROOT / self.topology)
        self.fabric.fabctl("apply", self.files / "udr.yaml")
        nva1 = self.fabric.json("get", "nva", "nva1")["properties"]
        self.assertFalse(any(peer.get("tunnel") for peer in nva1["peers"].values()))
        self.becomes(lambda: self.trace("vm11", "vm21"),
                     ("delivered", ["vm11", "nva1", "nva3", "vm21"]))

    def msees_of(self, prefix):
        """[(next hop on premises, path)]"""
        return sorted((row["nextHop"], row["asPath"])
                      for row in self.fabric.json("router", "routes", "dc1")["value"]
                      if row["network"] == prefix)

    def test_on_premises_sees_only_native_routes(self):
        """RS-78: NO_ADVERTISE towards the Route Server keeps the transit away from circuit1."""
        self.assertEqual(self.msees_of("10.21.0.0/16"),
                         [("192.168.12.2", "12076"), ("192.168.13.2", "12076")])

    def test_on_premises_cannot_tell_native_from_transit(self):
        """ER-11: without NO_ADVERTISE both circuits bring region 2, with the same path."""
        self.towards_rs1("strip_as: [65515, 12076], prepend: 3")
        self.becomes(lambda: self.msees_of("10.21.0.0/16"),
                     [(f"192.168.{n}.2", "12076") for n in (10, 11, 12, 13)])

    def test_the_other_region_fails(self):
        """RS2 withdraws, the sessions between the regions close, RS1 withdraws: two BGP steps."""
        self.kill("nva3", "nva4")
        self.becomes(lambda: (self.region2("rs1", "nva1"), self.region2("rs1", "nva2")), ({}, {}))
        self.becomes(lambda: self.route("vm11", "10.21.0.0/16"), None)
        self.assertEqual(self.route("vm11", "0.0.0.0/0"), TO_NVA1)
        self.becomes(lambda: self.route("vm21", "0.0.0.0/0"), INTERNET)


if __name__ == "__main__":
    unittest.main(verbosity=2)
