"""A local fabric: fabctl starts it, names its processes, breaks and mends them, changes it, takes it down."""
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import unittest

from fabric import BIN, ROOT, Fabric, FabricTestCase, process_state, processes_using, until

MULTI_REGION = ROOT / "topologies/multi-region.yaml"

# SC-A: a firewall NVA attracts the default route; another one serves for changes.
SMALL = """
name: small
timing: fast
vnets:
  hub1:
    region: westeurope
    address_space: [10.1.0.0/16]
    subnets: {RouteServerSubnet: 10.1.0.0/26, nva: {prefix: 10.1.2.0/24, route_table: rt-nva}}
  spoke11:
    region: westeurope
    address_space: [10.11.0.0/16]
    subnets: {vms: 10.11.0.0/24}
peerings:
  - {hub: hub1, spoke: spoke11}
route_tables:
  rt-nva: {routes: {internet: {prefix: 0.0.0.0/0, next_hop: Internet}}}
route_servers:
  rs1: {vnet: hub1, peers: {nva1: {}}}
nvas:
  nva1: {subnet: hub1/nva, ip: 10.1.2.4, asn: 65001, advertise: [0.0.0.0/0], public_ip: 198.51.100.4, snat: true}
vms:
  vm11: {subnet: spoke11/vms, ip: 10.11.0.4}
"""
# The same with other software as NVA; SLEEP never speaks BGP.
FOREIGN = SMALL.replace("{vnet: hub1, peers: {nva1: {}}}", """
    vnet: hub1
    bgp_listen: ["127.88.0.4:1790", "127.88.0.5:1790"]
    peers: {nva1: {transport_address: 127.88.2.4}}""")
RUN = "asn: 65001, run: "
SLEEP = "[sleep, '600']"
SMALL_NODES = ["fabricd", "nva1", "rs1-0", "rs1-1"]


class Small(FabricTestCase):
    """Each test finds the fabric converged and leaves it so."""

    topology_text = SMALL

    def setUp(self):
        self.fabric.converged()

    def default_of_vm(self):
        return self.fabric.next_hops("vm11", "0.0.0.0/0")

    def states(self):
        return {name: node["state"] for name, node in self.fabric.ps().items()}

    def write(self, text):
        path = self.files / "changed.yaml"
        path.write_text(text)
        return path

    # What runs.

    def test_up_says_what_runs_where(self):
        info = self.fabric.up_info
        self.assertEqual(set(info), {"name", "run_dir", "url", "timing", "converged_ms"})
        self.assertEqual(info["name"], "small")
        self.assertEqual(info["run_dir"], str(self.fabric.run_dir))
        self.assertEqual(info["url"], self.fabric.url)
        self.assertGreater(info["converged_ms"], 0)

    def test_ps(self):
        ps = self.fabric.ps()
        self.assertEqual(sorted(ps), SMALL_NODES)
        for name, node in ps.items():
            with self.subTest(name):
                self.assertEqual(set(node), {"name", "kind", "pid", "state", "uptime_s", "endpoints",
                                             "sessions"})
                self.assertEqual(node["state"], "running")
                self.assertIn(process_state(node["pid"]), "SR")
        self.assertEqual(ps["rs1-0"]["kind"], "route_server")
        self.assertEqual(ps["nva1"]["sessions"], {"up": 2, "configured": 2})

    def test_run_directory_is_private(self):
        self.assertEqual(self.fabric.run_dir.stat().st_mode & 0o777, 0o700)

    def test_processes_survive_their_terminal(self):
        """Each leads a session of its own and holds nothing of who started it."""
        for name, node in self.fabric.ps().items():
            with self.subTest(name):
                self.assertEqual(os.getsid(node["pid"]), node["pid"])
                self.assertEqual(os.readlink(f"/proc/{node['pid']}/fd/0"), "/dev/null")
                self.assertEqual(os.readlink(f"/proc/{node['pid']}/fd/2"),
                                 str(self.fabric.run_dir / f"{name}.log"))

    def test_second_up_changes_nothing(self):
        pids = {name: node["pid"] for name, node in self.fabric.ps().items()}
        done = self.fabric.fabctl("up", self.fabric.topology, "--run-dir", self.fabric.run_dir,
                                  expect=1)
        self.assertRegex(done.stderr, "^fabctl: RUNNING: a fabric runs in .* already")
        self.assertEqual(done.stderr.count("\n"), 1)
        self.assertEqual({name: node["pid"] for name, node in self.fabric.ps().items()}, pids)

    # Answers.

    def test_effective_routes_as_azure_prints_them(self):
        """SC-A, EFF-10..12, EFF-14, SYS-5: the default route of the NVA, no None rows."""
        got = self.fabric.json("routes", "effective", "vm11")
        self.assertEqual(sorted(got["value"], key=lambda r: r["addressPrefix"]), [
            {"name": "", "source": "VirtualNetworkGateway", "state": "Active",
             "addressPrefix": ["0.0.0.0/0"], "nextHopType": "VirtualNetworkGateway",
             "nextHopIpAddress": ["10.1.2.4"], "disableBgpRoutePropagation": False},
            {"name": "", "source": "Default", "state": "Active", "addressPrefix": ["10.1.0.0/16"],
             "nextHopType": "VNetPeering", "nextHopIpAddress": [],
             "disableBgpRoutePropagation": False},
            {"name": "", "source": "Default", "state": "Active", "addressPrefix": ["10.11.0.0/16"],
             "nextHopType": "VnetLocal", "nextHopIpAddress": [],
             "disableBgpRoutePropagation": False},
        ])

    def test_learned_and_advertised(self):
        """SC-A, RS-110, RS-111, RS-70, RS-71"""
        learned = self.fabric.json("routes", "learned", "rs1", "nva1")
        self.assertEqual(learned, {
            f"RouteServiceRole_IN_{i}": [
                {"localAddress": f"10.1.0.{4 + i}", "network": "0.0.0.0/0", "nextHop": "10.1.2.4",
                 "sourcePeer": "10.1.2.4", "origin": "EBgp", "asPath": "65001", "weight": 32768}]
            for i in (0, 1)})
        advertised = self.fabric.json("routes", "advertised", "rs1", "nva1")
        self.assertEqual(advertised, {
            f"RouteServiceRole_IN_{i}": [
                {"localAddress": f"10.1.0.{4 + i}", "network": network,
                 "nextHop": f"10.1.0.{4 + i}", "origin": "Igp", "asPath": "65515", "weight": 0}
                for network in ("10.1.0.0/16", "10.11.0.0/16")]
            for i in (0, 1)})

    def test_peer_by_address(self):
        self.assertEqual(self.fabric.json("routes", "learned", "rs1", "10.1.2.4"),
                         self.fabric.json("routes", "learned", "rs1", "nva1"))

    def test_nics(self):
        """Without a packet path nobody tells of them, but they are there."""
        nic = self.fabric.json("nics", "vm11")["value"][0]
        self.assertEqual((nic["name"], nic["kind"], nic["virtualNetwork"], nic["ipAddress"]),
                         ("vm11", "vm", "spoke11", "10.11.0.4"))
        self.assertIn("nva1", [n["name"] for n in self.fabric.json("nics")["value"]])

    def test_nexthop_explain_trace(self):
        self.assertEqual(self.fabric.json("nexthop", "vm11", "8.8.8.8")["nextHopIpAddress"],
                         "10.1.2.4")
        candidates = self.fabric.json("explain", "vm11", "0.0.0.0/0")["candidates"]
        self.assertEqual([c["source"] for c in candidates], ["VirtualNetworkGateway", "Default"])
        self.assertTrue(all(c["rule"] for c in candidates))
        trace = self.fabric.json("trace", "vm11", "8.8.8.8")
        self.assertEqual((trace["verdict"], [h["node"] for h in trace["hops"]][:2]),
                         ("delivered", ["vm11", "nva1"]))
        self.assertIn("delivered", self.fabric.fabctl("trace", "vm11", "8.8.8.8").stdout)

    def test_unknown_names_are_refused(self):
        for args in [["routes", "effective", "vm99"], ["routes", "learned", "rs9", "nva1"],
                     ["routes", "learned", "rs1", "nva9"], ["nexthop", "vm11", "10.1.2"],
                     ["explain", "vm11", "10.1.2.4/16"], ["trace", "vm99", "vm11"],
                     ["trace", "10.99.0.1", "vm11"], ["gateway", "peers", "er1"],
                     ["circuit", "routes", "c1", "primary"], ["router", "routes", "dc1"],
                     ["get", "apple"], ["get", "vm", "vm99"], ["delete", "vm", "vm99"],
                     ["set", "nva", "nva9", "asn=1"], ["kill", "nva9"], ["start", "../nva1"],
                     ["wait", "nonsense"], ["link", "cut", "nva1", "nva9"]]:
            with self.subTest(args=args):
                done = self.fabric.fabctl(*args, expect=4)
                self.assertEqual(done.stdout, "")
                self.assertRegex(done.stderr, r"^fabctl: \w+: .+\n$")
        self.assertEqual(self.states(), dict.fromkeys(SMALL_NODES, "running"))

    def test_yaml_and_json_say_the_same(self):
        text = self.fabric.fabctl("-o", "yaml", "get", "vm", "vm11").stdout
        self.assertEqual(text.splitlines()[:2], ["kind: vm", "name: vm11"])

    # Faults.

    def test_kill_and_start(self):
        """SC-A, RS-90: the default route goes with the NVA and comes back with it."""
        pid = self.fabric.pid("nva1")
        self.fabric.fabctl("kill", "nva1")
        self.assertIn(process_state(pid), (None, "Z"))
        self.until(lambda: "Internet" in (self.fabric.effective("vm11").get("0.0.0.0/0") or ("", ""))[1],
                   "the system's default route", timeout=5)
        self.assertEqual(self.fabric.ps()["nva1"]["state"], "dead")
        for verb in ("kill", "stop", "pause", "resume"):
            done = self.fabric.fabctl(verb, "nva1", expect=4)
            self.assertRegex(done.stderr, "^fabctl: NOTRUNNING: ")
        self.fabric.fabctl("start", "nva1")
        self.until(lambda: self.default_of_vm() == ["10.1.2.4"], "the NVA's default route")
        self.assertRegex(self.fabric.fabctl("start", "nva1", expect=4).stderr, "^fabctl: RUNNING: ")
        timeline = self.fabric.json("timeline")
        self.assertEqual(timeline["cause"], "start nva1")
        self.assertEqual(timeline["timing"], "fast")
        before = self.fabric.json("timeline", "2")
        self.assertEqual(before["cause"], "kill nva1")
        stages = [s["stage"] for s in before["stages"]]
        for earlier, later in zip(("fault", "detect", "withdraw", "best-path"),
                                  ("detect", "withdraw", "best-path", "layer")):
            self.assertLess(stages.index(earlier), stages.index(later))

    def test_pause_and_resume(self):
        """RS-91: a process that hangs is found by the hold timer (3 s), not before."""
        self.fabric.fabctl("pause", "nva1")
        self.assertEqual(self.states()["nva1"], "paused")
        self.assertEqual(self.default_of_vm(), ["10.1.2.4"])
        self.until(lambda: self.default_of_vm() != ["10.1.2.4"], "expiry of the hold timer", timeout=6)
        waited_ms = self.fabric.json("timeline")["total_us"] / 1000
        self.assertTrue(1900 <= waited_ms <= 4000, waited_ms)
        self.fabric.fabctl("resume", "nva1")
        self.until(lambda: self.default_of_vm() == ["10.1.2.4"], "the NVA's default route")
        self.assertEqual(self.states()["nva1"], "running")

    def test_paused_process_can_be_stopped(self):
        self.fabric.fabctl("pause", "rs1-1")
        self.fabric.fabctl("stop", "rs1-1")
        self.assertEqual(self.states()["rs1-1"], "dead")
        self.fabric.fabctl("start", "rs1-1")

    def test_restart(self):
        pid = self.fabric.pid("rs1-0")
        self.fabric.fabctl("restart", "rs1-0")
        self.assertNotEqual(self.fabric.pid("rs1-0"), pid)
        self.fabric.converged()
        self.assertEqual(self.default_of_vm(), ["10.1.2.4"])

    def test_link_cut_and_restore(self):
        """RS-91: silence on one link; the other instance keeps its session."""
        self.fabric.fabctl("link", "cut", "nva1", "rs1-0")
        self.until(lambda: not self.fabric.learned("rs1", "nva1")[0], "expiry of the hold timer",
                   timeout=8)
        self.assertEqual(list(self.fabric.learned("rs1", "nva1")[1]), ["0.0.0.0/0"])
        self.fabric.fabctl("link", "restore", "nva1", "rs1-0")
        self.until(lambda: self.fabric.learned("rs1", "nva1")[0], "the session")

    def test_fabricd_dead_and_paused(self):
        """ps and faults work without fabricd; everything else says that nobody answers."""
        self.fabric.fabctl("kill", "fabricd")
        self.assertEqual(self.states(), dict.fromkeys(SMALL_NODES, "running") | {"fabricd": "dead"})
        self.fabric.fabctl("routes", "effective", "vm11", expect=3)
        done = self.fabric.fabctl("restart", "nva1")
        self.assertRegex(done.stderr, "^fabctl: fabricd does not answer")
        self.fabric.fabctl("start", "fabricd")
        self.fabric.converged()
        self.fabric.fabctl("pause", "fabricd")
        self.assertEqual(self.states()["fabricd"], "paused")
        self.fabric.fabctl("resume", "fabricd")
        self.fabric.converged()
        self.assertEqual(self.default_of_vm(), ["10.1.2.4"])

    def test_events(self):
        self.fabric.fabctl("restart", "nva1")
        self.fabric.converged()
        lines = self.fabric.fabctl("-o", "json", "events").stdout.splitlines()
        events = [json.loads(line) for line in lines]
        self.assertTrue(events)
        self.assertEqual(set(events[0]), {"seq", "at_us", "kind", "subject", "text"})
        self.assertEqual([e["seq"] for e in events], sorted(e["seq"] for e in events))
        self.assertIn(("fault", "nva1"), [(e["kind"], e["subject"]) for e in events])

    def test_events_follow(self):
        """What happens while somebody watches, across a restart of fabricd, until interrupted."""
        with subprocess.Popen([str(BIN / "fabctl"), "--url", self.fabric.url, "-o", "json", "events",
                               "-f"], stdout=subprocess.PIPE, text=True) as watcher:
            try:
                self.assertTrue(watcher.stdout.readline())  # it is connected before fabricd goes
                self.fabric.fabctl("restart", "fabricd")
                self.fabric.converged()
                self.fabric.fabctl("restart", "nva1")
                for line in watcher.stdout:
                    event = json.loads(line)
                    if event["kind"] == "fault" and event["text"].startswith("restart"):
                        break
                else:
                    self.fail("the stream ended")
                watcher.send_signal(signal.SIGINT)
                self.assertEqual(watcher.wait(timeout=10), 0)
            finally:
                watcher.kill()

    # Changes.

    def test_apply_diff_and_back(self):
        """A new NVA gets a process, a removed one loses it; nobody else is touched."""
        more = SMALL.replace("{nva1: {}}", "{nva1: {}, nva2: {}}").replace(
            "\nvms:", "\n  nva2: {subnet: hub1/nva, ip: 10.1.2.5, asn: 65001, advertise: [0.0.0.0/0]}"
                      "\nvms:")
        path = self.write(more)
        pids = {name: node["pid"] for name, node in self.fabric.ps().items()}
        changes = [{"action": "update", "kind": "route_server", "name": "rs1"},
                   {"action": "create", "kind": "nva", "name": "nva2"}]
        by_name = lambda c: c["name"]
        self.assertEqual(sorted(self.fabric.json("diff", path), key=by_name),
                         sorted(changes, key=by_name))
        self.assertEqual(sorted(self.fabric.json("apply", path), key=by_name),
                         sorted(changes, key=by_name))
        self.fabric.converged()
        self.assertEqual(self.default_of_vm(), ["10.1.2.4", "10.1.2.5"])  # SC-C
        self.assertEqual(self.fabric.json("diff", path), [])
        self.fabric.fabctl("apply", self.write(SMALL))
        self.fabric.converged()
        self.assertEqual(self.default_of_vm(), ["10.1.2.4"])
        self.assertEqual({name: node["pid"] for name, node in self.fabric.ps().items()}, pids)

    def test_apply_refused_changes_nothing(self):
        path = self.write(SMALL.replace("asn: 65001", "asn: 65515"))
        before = self.fabric.json("get", "nva")
        done = self.fabric.fabctl("apply", path, expect=4)
        self.assertRegex(done.stderr, rf"^{path}:\d+: \w+: .*65515.*\n$")  # RS-43
        self.assertEqual(self.fabric.json("get", "nva"), before)

    def test_apply_bad_files(self):
        for text, expect in [("\0garbage", 4), ("", 4), ("name: [", 4)]:
            with self.subTest(text=text):
                done = self.fabric.fabctl("apply", self.write(text), expect=expect)
                self.assertEqual((done.stdout, done.stderr.count("\n")), ("", 1))
        self.fabric.fabctl("apply", self.files / "missing.yaml", expect=2)

    def test_set_and_back(self):
        """nvad announces what it is told at run time."""
        answer = self.fabric.json("set", "nva", "nva1", "advertise=[0.0.0.0/0, 10.99.0.0/16]")
        self.assertEqual((answer["kind"], answer["name"]), ("nva", "nva1"))
        self.until(lambda: self.fabric.next_hops("vm11", "10.99.0.0/16") == ["10.1.2.4"],
                   "the new route on the NIC")
        self.fabric.fabctl("set", "nva", "nva1", "advertise=[0.0.0.0/0]")
        self.until(lambda: self.fabric.next_hops("vm11", "10.99.0.0/16") is None,
                   "the new route gone")

    def test_set_refused(self):
        done = self.fabric.fabctl("set", "nva", "nva1", "asn=65515", expect=4)
        self.assertRegex(done.stderr, r"^fabctl: \w+: .*\n$")

    def test_delete_and_create(self):
        gone = self.fabric.json("delete", "vm", "vm11")
        self.assertEqual(gone["name"], "vm11")
        self.fabric.fabctl("routes", "effective", "vm11", expect=4)
        self.fabric.fabctl("apply", self.write(SMALL))
        self.assertEqual(self.default_of_vm(), ["10.1.2.4"])


class MultiRegion(unittest.TestCase):
    """The seed's design, up and down as a user does it: no --url, no --run-dir."""

    def setUp(self):
        top = tempfile.TemporaryDirectory(prefix="fab-", dir="/tmp")
        self.addCleanup(top.cleanup)
        self.top = pathlib.Path(top.name)
        self.env = os.environ | {"XDG_RUNTIME_DIR": str(self.top), "FAB_URL": ""}
        self.addCleanup(self.nothing_left)

    def nothing_left(self):
        left = processes_using(self.top)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        self.assertEqual(left, [])

    def fabctl(self, *args, expect=0):
        done = subprocess.run([str(BIN / "fabctl"), *map(str, args)], capture_output=True, text=True,
                              timeout=120, check=False, env=self.env, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done

    def test_up_and_down(self):
        out = self.fabctl("up", MULTI_REGION).stdout
        self.assertRegex(out, r"(?m)^fabricd +fabric +\d+ +running")
        self.assertRegex(out, r"multi-region is up in \S+, converged after \d+\.\d\d s\n$")
        run = self.top / f"hubspoke-{os.getuid()}/multi-region"
        self.assertTrue((run / "fabricd.ipc").is_socket())
        ps = json.loads(self.fabctl("-o", "json", "ps").stdout)
        self.assertEqual(len(ps), 18)
        self.fabctl("trace", "vm11", "vm21", "--both")  # SC-G: exit 0, delivered both ways
        self.fabctl("pause", "nva1")                    # down also ends what is stopped
        answer = json.loads(self.fabctl("-o", "json", "down").stdout)
        self.assertEqual(answer, {"name": "multi-region", "run_dir": str(run), "ended": 18,
                                  "killed": 0})
        self.assertEqual(list(self.top.iterdir()), [])
        self.assertEqual([p["pid"] for p in ps if process_state(p["pid"]) not in (None, "Z")], [])

    def test_up_with_another_timing(self):
        self.fabctl("up", MULTI_REGION, "--timing", "slow", expect=2)
        info = json.loads(self.fabctl("-o", "json", "up", MULTI_REGION, "--timing", "azure", "--wait", "0").stdout)
        self.assertRegex(info["timing"], "^azure")
        self.fabctl("down")

    def test_up_that_is_interrupted_takes_all_down(self):
        path = self.top / "stuck.yaml"
        path.write_text(FOREIGN.replace("asn: 65001, ", RUN + SLEEP + ", "))  # an NVA that never comes up
        with subprocess.Popen([str(BIN / "fabctl"), "up", str(path)], env=self.env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as up:
            until(lambda: len(processes_using(self.top)) == 4, "fabctl, fabricd and two instances")
            up.send_signal(signal.SIGINT)
            _, err = up.communicate(timeout=30)
        self.assertEqual(up.returncode, 1)
        self.assertRegex(err, "^fabctl: INTERRUPTED: ")
        self.assertEqual(processes_using(self.top), [])

    def test_up_that_fails_says_what_is_missing(self):
        path = self.top / "stuck.yaml"
        path.write_text(FOREIGN.replace("asn: 65001, ", RUN + SLEEP + ", "))
        done = self.fabctl("up", path, "--wait", "5s", expect=1)
        self.assertRegex(done.stderr, "^fabctl: TIMEOUT: not converged within 5000 ms: .*nva1")
        self.assertRegex(done.stderr, r"(?m)^nva1: foreign, 0 of \d sessions$")
        self.assertEqual(processes_using(self.top), [])
        self.fabctl("up", path, "--wait", "0")  # what is left of the first does not matter
        self.assertEqual(len(processes_using(self.top)), 3)
        self.fabctl("down")

    def test_program_that_ends_fails_at_once(self):
        for run, reason in [("[sh, -c, 'echo no such thing; exit 3']", "ended with exit code 3"),
                            ("[sh, -c, 'kill -9 $$']", "was ended by signal 9")]:
            with self.subTest(run=run):
                path = self.top / "broken.yaml"
                path.write_text(FOREIGN.replace("asn: 65001", RUN + run))
                done = self.fabctl("up", path, expect=1)
                self.assertRegex(done.stderr, f"^fabctl: DIED: nva1 {reason}")
                self.assertEqual(processes_using(self.top), [])
        self.fabctl("down")
        path.unlink()
        self.assertEqual(list(self.top.iterdir()), [])

    def test_program_that_is_not_installed_is_found_before_anything_runs(self):
        path = self.top / "broken.yaml"
        path.write_text(FOREIGN.replace("asn: 65001", RUN + "[no-such-bgpd, -f]"))
        done = self.fabctl("up", path, expect=1)
        self.assertEqual(done.stderr,
                         "fabctl: NOPROGRAM: 'no-such-bgpd', which nva1 runs, is not installed\n")
        self.assertEqual(list(self.top.iterdir()), [path])

    def test_foreign_command_lines(self):
        """{run_dir}, {name} and {dir} are filled in; it runs beside the topology file."""
        path = self.top / "foreign.yaml"
        path.write_text(FOREIGN.replace(
            "asn: 65001", RUN + "[sh, -c, 'pwd; echo $0 $1 $2; exec sleep 600', "
                          "'{run_dir}/x', '{name}', '{dir}']"))
        self.fabctl("up", path, "--wait", "0")
        run = self.top / f"hubspoke-{os.getuid()}/small"
        log = run / "nva1.log"
        want = f"{self.top}\n{run}/x nva1 {self.top}\n"
        until(lambda: log.read_text() == want, lambda: log.read_text())
        self.fabctl("down")

    def test_apply_of_other_software(self):
        """A changed command line, or nvad instead of it, replaces the process; others stay."""
        path = self.top / "foreign.yaml"
        path.write_text(FOREIGN.replace("asn: 65001", RUN + SLEEP))
        self.fabctl("up", path, "--wait", "0")
        run = self.top / f"hubspoke-{os.getuid()}/small"

        def words(name):
            pid = json.loads((run / f"{name}.json").read_text())["pid"]
            return pid, pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")

        before = {name: words(name) for name in SMALL_NODES}
        self.assertEqual(before["nva1"][1][1], b"600")
        self.fabctl("wait", "node rs1 up")
        path.write_text(FOREIGN.replace("asn: 65001", RUN + "[sleep, '601']"))
        self.fabctl("apply", path)
        self.assertEqual(words("nva1")[1][1], b"601")
        path.write_text(SMALL)
        self.fabctl("apply", path)
        self.fabctl("wait", "converged")
        self.assertIn(b"--name", words("nva1")[1])
        for name in ("fabricd", "rs1-0", "rs1-1"):
            self.assertEqual(words(name), before[name])
        self.fabctl("down")

    def test_two_fabrics_side_by_side(self):
        """Each by its own run directory; `current` is the last one."""
        first, second = Fabric(MULTI_REGION), Fabric(MULTI_REGION)
        self.addCleanup(second.down)
        self.addCleanup(first.down)
        first.up()
        second.up()
        second.fabctl("kill", "nva1")
        self.assertEqual(first.ps()["nva1"]["state"], "running")
        self.assertEqual(second.ps()["nva1"]["state"], "dead")


if __name__ == "__main__":
    unittest.main()
