"""Route maps of a Route Server with real daemons (SC-M, RM-*): who has what, and that no session notices."""
import json
import unittest

from test_scenarios import TO_NVA1, Scenario

NETWORKS = [f"10.200.{n}.0/24" for n in (1, 2, 3)]


class ScM(Scenario):
    topology = "topologies/filtering.yaml"

    def sessions_lost(self):
        lines = self.fabric.fabctl("events", json_output=True).stdout.splitlines()
        return [e for e in map(json.loads, lines) if e["kind"] == "session" and " up" not in e["text"]]

    def networks(self, nic):
        return {prefix: hop for prefix, hop in self.fabric.effective(nic).items() if prefix.startswith("10.200.")}

    def advertised_by_er(self):
        """{prefix: path} that er1 sends to the primary MSEE, VNet prefixes left out."""
        rows = self.fabric.json("gateway", "advertised", "er1", "circuit1-primary")["value"]
        return {r["network"]: r["asPath"] for r in rows if r["network"].startswith("10.200.")}

    def test_only_the_third_network_arrives(self):
        """RS-112: the listing is from before the map; RM-2, RM-7: the advertisement changes, nothing else."""
        self.assertEqual(self.learned_paths("rs1", "nva1"), {n: ("10.1.2.4", "65001") for n in NETWORKS})
        self.assertEqual(self.networks("vm11"), {NETWORKS[2]: TO_NVA1})
        self.assertEqual(self.networks("nva1"), {NETWORKS[2]: TO_NVA1})
        gateway = {r["network"] for r in self.fabric.json("gateway", "learned", "er1")["value"]}
        self.assertIn(NETWORKS[2], gateway)
        self.assertFalse(gateway & {NETWORKS[0], NETWORKS[1]})
        self.assertEqual(self.advertised_by_er(), {"10.200.0.0/16": "65515"})
        self.assertEqual(self.paths("dc1"), {"172.20.0.0/16": "", "10.1.0.0/16": "12076", "10.11.0.0/16": "12076",
                                             "10.200.0.0/16": "12076"})

    def test_maps_change_under_running_sessions(self):
        """RM-13"""
        lost = self.sessions_lost()
        self.change("route_map", "from-nva1", "rules=[]")
        self.becomes(lambda: self.networks("vm11"), {n: TO_NVA1 for n in NETWORKS})
        self.becomes(self.advertised_by_er, {"10.200.0.0/16": "65515"})
        self.change("gateway", "er1", "circuits.circuit1.outbound_map=")
        self.becomes(self.advertised_by_er, {n: "65515-65001" for n in NETWORKS})
        self.change("route_server", "rs1", "peers.nva1.inbound_map=to-dc1", "peers.nva1.outbound_map=from-nva1")
        self.becomes(lambda: self.networks("vm11"), {"10.200.0.0/16": TO_NVA1})
        self.assertEqual(self.learned_paths("rs1", "nva1"), {n: ("10.1.2.4", "65001") for n in NETWORKS})
        self.becomes(self.advertised_by_er, {"10.200.0.0/16": "65515"})
        self.assertEqual(self.sessions_lost(), lost)

    def test_vnet_prefixes_are_left_alone(self):
        """RM-9"""
        self.change("route_map", "to-dc1", "rules=[{actions: Drop}]")
        self.becomes(self.advertised_by_er, {})
        vnets = {"10.1.0.0/16": "12076", "10.11.0.0/16": "12076"}
        self.becomes(lambda: self.paths("dc1"), {"172.20.0.0/16": "", **vnets})
        self.change("route_server", "rs1", "peers.nva1.outbound_map=to-dc1")
        self.becomes(lambda: {p: a for p, a in self.paths("nva1").items() if a},
                     {"10.1.0.0/16": "65515", "10.11.0.0/16": "65515"})

    def test_what_is_refused(self):
        """RM-8, ERR-10: Azure's codes, and nothing changes."""
        for words, code in [
                (("route_map", "to-dc1", "rules=[{actions: {type: Add, as_path: 65001}}]"), "InvalidRouteMapAsn"),
                (("route_map", "to-dc1", "route_server=rs9"), "UnknownReference"),
                (("route_server", "rs1", "peers.nva1.inbound_map=nothing"), "UnknownReference")]:
            with self.subTest(code):
                done = self.fabric.fabctl("set", *words, expect=4)
                self.assertIn(code, done.stderr)
        done = self.fabric.fabctl("delete", "route_map", "to-dc1", expect=4)
        self.assertIn("UnknownReference", done.stderr)


if __name__ == "__main__":
    unittest.main()
