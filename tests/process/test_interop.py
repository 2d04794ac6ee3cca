"""BGP software that we did not write runs as NVA against the Route Server: BIRD, FRR, GoBGP, OpenBGPD
and ExaBGP, each with its own configuration and each asked with its own tool.

Every class proves the same: sessions with both instances (RS-30), routes both ways as RS-70, RS-71,
RS-72 and RS-74 say, withdrawal on kill (RS-90), hold timer on SIGSTOP (RS-32, RS-91), route refresh in
both directions (RS-33, RS-96).
"""
import json
import os
import pathlib
import re
import signal
import subprocess
import textwrap
import unittest

from fabric import FabricTestCase, find_program, process_state, until

# A /16 of the loopback network for this run, so that two runs do not meet.
LOOP = f"127.{10 + os.getpid() % 200}"
PORT = 1790
RS = (f"{LOOP}.0.4", f"{LOOP}.0.5")
FW = f"{LOOP}.2.4"
HOLD_S = 3


def topology(run, transport_port=0, spokes=("spoke11",)):
    vnets = "".join(f"""
  {name}:
    region: westeurope
    address_space: [10.{number}.0.0/16]
    subnets: {{vms: 10.{number}.0.0/24}}""" for name, number in
                    ((s, int(s.removeprefix("spoke"))) for s in spokes))
    peerings = "".join(f"\n  - {{hub: hub1, spoke: {name}}}" for name in spokes)
    port = f", transport_port: {transport_port}" if transport_port else ""
    return f"""
name: interop
timing: fast
vnets:
  hub1:
    region: westeurope
    address_space: [10.1.0.0/16]
    subnets: {{RouteServerSubnet: 10.1.0.0/26, nva: 10.1.2.0/24}}{vnets}
peerings:{peerings}
route_servers:
  rs1:
    vnet: hub1
    bgp_listen: ["{RS[0]}:{PORT}", "{RS[1]}:{PORT}"]
    peers: {{fw: {{transport_address: {FW}{port}}}, nva2: {{}}}}
nvas:
  fw: {{subnet: hub1/nva, ip: 10.1.2.4, asn: 65001, run: {json.dumps(run)}}}
  nva2:
    subnet: hub1/nva
    ip: 10.1.2.5
    asn: 65002
    advertise: [{{prefix: 10.99.0.0/16, communities: ["65002:7"]}}]
vms:
  vm11: {{subnet: spoke11/vms, ip: 10.11.0.4}}
"""


class Interop:
    """The behaviour; a subclass says how its software is configured, started and asked."""

    transport_port = 0
    needs_root = False

    @classmethod
    def setUpClass(cls):
        missing = [p for p in cls.programs if not find_program(p)]
        if missing:
            raise unittest.SkipTest(f"{missing[0]} is not installed")
        if cls.needs_root and os.geteuid() != 0:
            raise unittest.SkipTest(f"{cls.programs[0]} needs root")
        cls.work = pathlib.Path(f"/tmp/fab-interop-{os.getpid()}-{cls.__name__}")
        cls.work.mkdir(mode=0o755)
        cls.addClassCleanup(subprocess.run, ["rm", "-rf", str(cls.work)], check=False)
        cls.topology_text = topology(cls.configure(), cls.transport_port)
        super().setUpClass()

    @classmethod
    def write(cls, name, text, mode=0o644):
        path = cls.work / name
        path.write_text(textwrap.dedent(text))
        path.chmod(mode)
        return str(path)

    @staticmethod
    def tool(*command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        return done.stdout if done.returncode == 0 else ""

    def wait_for_route(self, instance, prefix):
        self.until(lambda: prefix in self.received(instance),
                   f"{prefix} from instance {instance} in the peer's table")
        return self.received(instance)[prefix]

    def wait_learned(self, present=True, timeout=15.0):
        self.until(lambda: all(("10.98.0.0/16" in rows) == present
                               for rows in self.fabric.learned("rs1", "fw")),
                   f"10.98.0.0/16 {'in' if present else 'gone from'} both instances", timeout)

    def apply_spokes(self, *spokes):
        path = self.files / "spokes.yaml"
        path.write_text(topology(self.configure(), self.transport_port, spokes))
        self.fabric.fabctl("apply", path)

    def pause_pid(self):
        return self.fabric.pid("fw")

    def test_1_route_server_learns_from_both_sessions(self):
        """RS-30, RS-110: both instances hold the NVA's route; RS-62, RS-65: it is on the NIC."""
        self.wait_learned()
        for row in self.fabric.learned("rs1", "fw"):
            self.assertEqual(row["10.98.0.0/16"]["asPath"], "65001")
            self.assertEqual(row["10.98.0.0/16"]["nextHop"], "10.1.2.4")
        self.until(lambda: self.fabric.next_hops("vm11", "10.98.0.0/16") == ["10.1.2.4"],
                   "10.98.0.0/16 on vm11")

    def test_2_peer_sees_azure_routes(self):
        """RS-70 ... RS-72, RS-74: as the peer's own tool shows them, from each instance."""
        for instance, next_hop in enumerate(("10.1.0.4", "10.1.0.5")):
            hub = self.wait_for_route(instance, "10.1.0.0/16")
            self.assertEqual(hub, ([65515], next_hop, set()))
            spoke = self.wait_for_route(instance, "10.11.0.0/16")
            self.assertEqual(spoke, ([65515], next_hop, {"65518:65518"}))
            other = self.wait_for_route(instance, "10.99.0.0/16")
            self.assertEqual(other, ([65515, 65002], next_hop, {"65002:7", "65517:65517"}))
            self.assertNotIn("0.0.0.0/0", self.received(instance))
            # RS-77: its own route does not come back.
            self.assertNotIn("10.98.0.0/16", self.received(instance))

    def test_3_route_refresh_from_the_peer(self):
        """RS-33: the Route Server answers a ROUTE-REFRESH by sending its table again."""
        self.wait_for_route(0, "10.99.0.0/16")
        before = self.updates_received(0)
        self.refresh(0)
        self.until(lambda: self.updates_received(0) > before, "UPDATEs after a refresh")
        self.wait_for_route(0, "10.99.0.0/16")

    def test_4_kill_withdraws_at_once(self):
        """RS-90: the process is killed, both instances and the NIC lose its routes; start heals."""
        self.wait_learned()
        self.fabric.fabctl("kill", "fw")
        self.wait_learned(present=False, timeout=HOLD_S - 1)
        self.until(lambda: self.fabric.next_hops("vm11", "10.98.0.0/16") is None,
                   "10.98.0.0/16 gone from vm11")
        self.fabric.fabctl("start", "fw")
        self.wait_learned()
        self.wait_for_route(1, "10.99.0.0/16")

    def test_5_hold_timer_finds_a_frozen_peer(self):
        """RS-32, RS-91: the peer's hold time of 3 s is honoured; its routes stay until it expires."""
        self.wait_learned()
        pid = self.pause_pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            self.until(lambda: process_state(pid) == "T", "stopped")
            self.wait_learned(present=False, timeout=HOLD_S + 4)
        finally:
            os.kill(pid, signal.SIGCONT)
        self.wait_learned()

    def test_6_new_spoke_reaches_the_peer(self):
        """RS-96, RS-97: a new peering is announced; the session survives the ROUTE-REFRESH."""
        self.wait_learned()
        self.apply_spokes("spoke11", "spoke12")
        self.wait_for_route(0, "10.12.0.0/16")
        self.wait_for_route(1, "10.12.0.0/16")
        self.wait_learned()


class Bird(Interop, FabricTestCase):
    programs = ("bird", "birdc")

    @classmethod
    def configure(cls):
        sessions = "".join(f"""
            protocol bgp rs_{i} from route_server {{ neighbor {ip} port {PORT} as 65515; }}"""
                           for i, ip in enumerate(RS))
        conf = cls.write("bird.conf", f"""
            log stderr all;
            router id 10.1.2.4;
            protocol device {{ }}
            protocol static origin {{ ipv4; route 10.98.0.0/16 unreachable; }}
            template bgp route_server {{
                local {FW} port {PORT} as 65001;
                multihop; strict bind;
                hold time {HOLD_S}; keepalive time 1;
                connect retry time 1; connect delay time 1; error wait time 1, 2;
                ipv4 {{
                    import all;
                    export filter {{
                        if proto != "origin" then reject;
                        bgp_next_hop = 10.1.2.4;
                        accept;
                    }};
                }};
            }}{sessions}
            """)
        return [find_program("bird"), "-f", "-c", conf, "-s", f"{cls.work}/bird.ctl", "-P",
                f"{cls.work}/bird.pid"]

    def birdc(self, *command):
        return self.tool(find_program("birdc"), "-r" if command[0] == "show" else "-v", "-s",
                         f"{self.work}/bird.ctl", *command)

    def received(self, instance):
        routes = {}
        prefix = None
        for line in self.birdc("show", "route", "all", "protocol", f"rs_{instance}").splitlines():
            start = re.match(r"(\d+\.\d+\.\d+\.\d+/\d+)", line)
            if start:
                prefix = start.group(1)
                routes[prefix] = ([], "", set())
            elif "BGP.as_path:" in line:
                path = [int(asn) for asn in line.split(":")[1].split()]
                routes[prefix] = (path, *routes[prefix][1:])
            elif "BGP.next_hop:" in line:
                routes[prefix] = (routes[prefix][0], line.split(":")[1].strip(), routes[prefix][2])
            elif "BGP.community:" in line:
                found = re.findall(r"\((\d+),(\d+)\)", line)
                routes[prefix] = (*routes[prefix][:2], {f"{a}:{b}" for a, b in found})
        return routes

    def updates_received(self, instance):
        text = self.birdc("show", "protocols", "all", f"rs_{instance}")
        found = re.search(r"Import updates:\s+(\d+)", text)
        return int(found.group(1)) if found else 0

    def refresh(self, instance):
        self.birdc("reload", "in", f"rs_{instance}")


class Frr(Interop, FabricTestCase):
    programs = ("/usr/lib/frr/bgpd", "vtysh")

    @classmethod
    def configure(cls):
        conf = cls.write("frr.conf", f"""\
            frr defaults traditional
            hostname fw
            route-map OUT permit 10
             match ip address prefix-list OWN
             set ip next-hop 10.1.2.4
            ip prefix-list OWN permit 10.98.0.0/16
            router bgp 65001
             bgp router-id 10.1.2.4
             no bgp ebgp-requires-policy
             no bgp network import-check
             neighbor RS peer-group
             neighbor RS remote-as 65515
             neighbor RS ebgp-multihop 2
             neighbor RS update-source {FW}
             neighbor RS timers 1 {HOLD_S}
             neighbor RS timers connect 1
             neighbor {RS[0]} peer-group RS
             neighbor {RS[0]} port {PORT}
             neighbor {RS[1]} peer-group RS
             neighbor {RS[1]} port {PORT}
             address-family ipv4 unicast
              network 10.98.0.0/16
              neighbor RS route-map OUT out
             exit-address-family
            """)
        user = ["-S"] if os.geteuid() != 0 else ["-S", "-u", "root", "-g", "root"]
        return ["/usr/lib/frr/bgpd", "-f", conf, "-Z", *user, "-p", str(PORT), "-l", FW, "-i",
                f"{cls.work}/bgpd.pid", "--vty_socket", str(cls.work), "-P", "0", "--log", "stdout"]

    def vtysh(self, command):
        text = self.tool("vtysh", "-d", "bgpd", "--vty_socket", str(self.work), "-c", command)
        return json.loads(text) if text.strip().startswith("{") else {}

    def received(self, instance):
        routes = {}
        table = self.vtysh("show bgp ipv4 unicast json detail").get("routes", {})
        for prefix, (_, *paths) in table.items():
            for path in paths:
                if path["peer"]["peerId"] == RS[instance]:
                    segments = path["aspath"]["segments"]
                    routes[prefix] = ([asn for s in segments for asn in s["list"]],
                                      path["nexthops"][0]["ip"],
                                      set(path.get("community", {}).get("list", [])))
        return routes

    def updates_received(self, instance):
        answer = self.vtysh(f"show bgp neighbors {RS[instance]} json")
        return answer.get(RS[instance], {}).get("messageStats", {}).get("updatesRecv", 0)

    def refresh(self, instance):
        self.vtysh(f"clear bgp {RS[instance]} soft in")


class GoBgp(Interop, FabricTestCase):
    programs = ("gobgpd", "gobgp")
    API_PORT = "50551"

    @classmethod
    def configure(cls):
        neighbours = "".join(f"""
            [[neighbors]]
              [neighbors.config]
                neighbor-address = "{ip}"
                peer-as = 65515
              [neighbors.transport.config]
                remote-port = {PORT}
                local-address = "{FW}"
              [neighbors.timers.config]
                connect-retry = 1
                hold-time = {HOLD_S}
                keepalive-interval = 1
              [neighbors.ebgp-multihop.config]
                enabled = true
                multihop-ttl = 4
            """ for ip in RS)
        conf = cls.write("gobgp.toml", f"""
            [global.config]
              as = 65001
              router-id = "10.1.2.4"
              port = {PORT}
              local-address-list = ["{FW}"]
            [[defined-sets.prefix-sets]]
              prefix-set-name = "own"
              [[defined-sets.prefix-sets.prefix-list]]
                ip-prefix = "10.98.0.0/16"
            [[policy-definitions]]
              name = "own"
              [[policy-definitions.statements]]
                [policy-definitions.statements.conditions.match-prefix-set]
                  prefix-set = "own"
                [policy-definitions.statements.actions]
                  route-disposition = "accept-route"
                [policy-definitions.statements.actions.bgp-actions]
                  set-next-hop = "10.1.2.4"
            [global.apply-policy.config]
              export-policy-list = ["own"]
              default-export-policy = "reject-route"
            {neighbours}
            """)
        # GoBGP takes routes by its API only: a companion adds ours as soon as the API answers.
        script = cls.write("gobgp.sh", f"""\
            #!/bin/sh
            (i=0; until gobgp -u {FW} -p {cls.API_PORT} global rib add 10.98.0.0/16 \\
                nexthop 10.1.2.4 2>/dev/null || [ $i -gt 100 ]; do i=$((i + 1)); sleep 0.1; done) &
            exec gobgpd -t toml -f {conf} --api-hosts {FW}:{cls.API_PORT}
            """, 0o755)
        return [script]

    def gobgp(self, *command):
        return self.tool("gobgp", "-u", FW, "-p", self.API_PORT, *command)

    def received(self, instance):
        text = self.gobgp("neighbor", RS[instance], "adj-in", "-j")
        routes = {}
        for prefix, paths in (json.loads(text) if text.strip().startswith("{") else {}).items():
            as_path, next_hop, communities = [], "", set()
            for attr in paths[0]["attrs"]:
                if attr["type"] == 2:
                    as_path = [asn for s in attr["as_paths"] for asn in s["asns"]]
                elif attr["type"] == 3:
                    next_hop = attr["nexthop"]
                elif attr["type"] == 8:
                    communities = {f"{c >> 16}:{c & 0xffff}" for c in attr["communities"]}
            routes[prefix] = (as_path, next_hop, communities)
        return routes

    def messages(self, instance):
        """What the session has carried: (ROUTE-REFRESHs received, UPDATEs sent)."""
        text = self.gobgp("neighbor", RS[instance], "-j")
        state = json.loads(text)["state"] if text.strip().startswith("{") else {}
        count = state.get("messages", {})
        return (count.get("received", {}).get("refresh", 0), count.get("sent", {}).get("update", 0))

    def test_3_route_refresh_from_the_peer(self):
        """RS-96: the other direction, because no command of gobgp sends a ROUTE-REFRESH. A new
        peering makes both instances ask; GoBGP answers with its table and the sessions stay."""
        self.wait_learned()
        before = [self.messages(instance) for instance in (0, 1)]
        self.apply_spokes("spoke11", "spoke13")
        self.addCleanup(self.apply_spokes, "spoke11")
        for instance, (refreshes, updates) in enumerate(before):
            self.until(lambda i=instance, n=refreshes: self.messages(i)[0] > n,
                       f"a ROUTE-REFRESH from instance {instance}")
            self.until(lambda i=instance, n=updates: self.messages(i)[1] > n,
                       f"an UPDATE to instance {instance}")
            self.wait_for_route(instance, "10.13.0.0/16")
        self.wait_learned()


class OpenBgpd(Interop, FabricTestCase):
    programs = ("bgpctl", "/usr/sbin/bgpd")
    needs_root = True
    transport_port = PORT  # it cannot dial another port than 179, so the Route Server dials it

    @classmethod
    def configure(cls):
        pathlib.Path("/run/openbgpd").mkdir(exist_ok=True)  # its privilege-separation chroot
        neighbours = "".join(f"""
            neighbor {ip} {{
                remote-as 65515
                multihop 4
                local-address {FW}
                holdtime {HOLD_S}
                passive
            }}""" for ip in RS)
        conf = cls.write("openbgpd.conf", f"""
            AS 65001
            router-id 10.1.2.4
            fib-update no
            listen on {FW} port {PORT}
            socket "{cls.work}/bgpd.sock"
            network 10.98.0.0/16
            nexthop qualify via default
            {neighbours}
            allow from any
            allow to any prefix 10.98.0.0/16 set nexthop 10.1.2.4
            """, 0o600)
        return ["/usr/sbin/bgpd", "-d", "-f", conf]

    def bgpctl(self, *command):
        text = self.tool("bgpctl", "-j", "-s", f"{self.work}/bgpd.sock", *command)
        return json.loads(text) if text.strip().startswith("{") else {}

    def received(self, instance):
        routes = {}
        for row in self.bgpctl("show", "rib", "detail", "in", "neighbor",
                               RS[instance]).get("rib", []):
            communities = {f"{c}" for c in row.get("communities", [])}
            routes[row["prefix"]] = ([int(asn) for asn in row["aspath"].split()],
                                     row["true_nexthop"], communities)
        return routes

    def updates_received(self, instance):
        for row in self.bgpctl("show", "neighbor", RS[instance]).get("neighbors", []):
            return row["stats"]["update"]["received"]["updates"]
        return 0

    def refresh(self, instance):
        self.bgpctl("neighbor", RS[instance], "refresh")

    def pause_pid(self):
        """Keepalives come from the session engine, a child of the daemon."""
        parent = self.fabric.pid("fw")
        children = pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        for child in children:
            if b"-S" in pathlib.Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
                return int(child)
        raise AssertionError(f"no session engine among {children}")


class ExaBgp(Interop, FabricTestCase):
    programs = ("exabgp",)

    @classmethod
    def configure(cls):
        # ExaBGP keeps no table: its API writes what it receives into a file, from which the table is
        # rebuilt here, and reads commands from a FIFO.
        helper = cls.write("helper.py", f"""\
            import os, sys, threading
            def commands():
                while True:
                    with open("{cls.work}/commands") as fifo:
                        for line in fifo:
                            print(line.strip(), flush=True)
            threading.Thread(target=commands, daemon=True).start()
            with open("{cls.work}/received", "a") as out:
                for line in sys.stdin:
                    out.write(line)
                    out.flush()
            """)
        fifo = cls.work / "commands"
        if not fifo.exists():
            os.mkfifo(fifo)
        neighbours = "".join(f"""
            neighbor {ip} {{
                router-id 10.1.2.4;
                local-address {FW};
                local-as 65001;
                peer-as 65515;
                hold-time {HOLD_S};
                connect {PORT};
                capability {{ route-refresh enable; }}
                family {{ ipv4 unicast; }}
                static {{ route 10.98.0.0/16 next-hop 10.1.2.4; }}
                api {{ processes [ helper ]; neighbor-changes; receive {{ parsed; update; }} }}
            }}""" for ip in RS)
        conf = cls.write("exabgp.conf", f"""
            process helper {{ run {find_program("python3")} {helper}; encoder json; }}
            {neighbours}
            """)
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout
        return [find_program("env"), f"exabgp.daemon.user={user.strip()}",
                "exabgp.log.destination=stdout", "exabgp.api.cli=false", find_program("exabgp"),
                conf]

    def events(self, instance):
        path = self.work / "received"
        for line in path.read_text().splitlines() if path.exists() else []:
            try:
                event = json.loads(line)
            except ValueError:
                continue  # a line cut by the kill of an earlier test
            if event.get("neighbor", {}).get("address", {}).get("peer") == RS[instance]:
                yield event

    def received(self, instance):
        routes = {}
        for event in self.events(instance):
            if event["type"] == "state":
                routes = {}
            update = event["neighbor"].get("message", {}).get("update", {})
            attributes = update.get("attribute", {})
            for next_hop, prefixes in update.get("announce", {}).get("ipv4 unicast", {}).items():
                for prefix in prefixes:
                    communities = {f"{a}:{b}" for a, b in attributes.get("community", [])}
                    path = attributes.get("as-path", [])
                    routes[prefix["nlri"]] = (path, next_hop, communities)
            for prefix in update.get("withdraw", {}).get("ipv4 unicast", []):
                routes.pop(prefix["nlri"], None)
        return routes

    def updates_received(self, instance):
        return sum(1 for event in self.events(instance) if event["type"] == "update")

    def refresh(self, instance):
        with open(self.work / "commands", "w", encoding="ascii") as fifo:
            fifo.write(f"neighbor {RS[instance]} announce route-refresh ipv4 unicast\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
