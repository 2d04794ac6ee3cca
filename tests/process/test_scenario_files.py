"""fabctl test: scenarios that hold, that do not, and that are not understood."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import textwrap
import unittest
import xml.etree.ElementTree as ElementTree

from fabric import BIN, ROOT, Fabric, cannot_have_packets, processes_using, until

CANNOT = cannot_have_packets("nsenter")
INSIDE = """
topology:
  name: inside
  timing: fast
  vnets:
    hub: {address_space: [10.1.0.0/16], subnets: {RouteServerSubnet: 10.1.0.0/26, nva: 10.1.2.0/24, vms: 10.1.3.0/24}}
  route_servers: {rs1: {vnet: hub, peers: [nva1]}}
  nvas: {nva1: {subnet: hub/nva, ip: 10.1.2.4, asn: 65001, advertise: [10.50.0.0/16]}}
  vms: {vm1: {subnet: hub/vms, ip: 10.1.3.4}, vm2: {subnet: hub/vms, ip: 10.1.3.5}}
"""
EVERYTHING = """
  - routes: vm1
    contains: {10.50.0.0/16: 10.1.2.4, 10.1.0.0/16: VnetLocal}
    lacks: [10.60.0.0/16]
  - announce: nva1 10.60.0.0/16
  - routes: vm1
    contains: {10.60.0.0/16: VirtualNetworkGateway 10.1.2.4}
  - withdraw: nva1 10.50.0.0/16
  - routes: vm1
    lacks: {10.50.0.0/16: 10.1.2.4}
  - cut: nva1 rs1
  - expect: [session nva1 rs1 down, no effective vm1 10.60.0.0/16]
    stays: 300ms
  - restore: nva1 rs1
  - expect: effective vm1 10.60.0.0/16 via 10.1.2.4
    within: 20s
  - set: [nva, nva1, "to_route_server={prepend: 2}"]
  - stop: nva1
  - expect: node nva1 down
  - start: nva1
  - expect: effective vm1 10.60.0.0/16 via 10.1.2.4
    within: 20s
"""
CHANGES = """
  - learned: rs1 nva1
    equals: {10.50.0.0/16: via 10.1.2.4 path 65001 from 10.1.2.4 origin EBgp}
  - advertised: rs1 nva1
    equals: {10.1.0.0/16: path 65515}
    lacks: [10.50.0.0/16]
  - apply:
      vnets: {spoke: {address_space: [10.11.0.0/16], subnets: {vms: 10.11.0.0/24}}}
      peerings: [{hub: hub, spoke: spoke}]
      nvas: {nva1: {advertise: [{prefix: 10.50.0.0/16, prepend: 2}]}}
      vms: {vm1: null, vm11: {subnet: spoke/vms, ip: 10.11.0.4}}
  - expect: [event config vm1 delete vm vm1, event config nva1, no event fault nva1, no event session * down]
    stays: 300ms
  - knows: nva1
    contains: {10.11.0.0/16: via 10.1.0.4 10.1.0.5 path 65515 community 65518:65518, 10.50.0.0/16: path none}
    lacks: {10.1.0.0/16: community 65518:65518}
  - routes: vm11
    contains: {10.50.0.0/16: 10.1.2.4, 10.1.0.0/16: VNetPeering, 10.11.0.0/16: VnetLocal, 0.0.0.0/0: Default Internet}
  - set: [nva, nva1, advertise.0.prepend=1]
  - learned: rs1 nva1
    equals: {10.50.0.0/16: path 65001-65001}
  - apply: {peerings: {hub/spoke: null, spoke/hub: null}, route_tables: {rt: {routes: {a: {prefix: 0.0.0.0/0, next_hop: None}}}},
      vnets: {hub: {subnets: {vms: {route_table: rt}}}}}
  - routes: vm2
    contains: {0.0.0.0/0: User None, 10.50.0.0/16: VirtualNetworkGateway}
    lacks: {0.0.0.0/0: Default, 10.11.0.0/16: ""}
    stays: 200ms
  - routes: vm2
    contains: {0.0.0.0/0: Invalid Internet}
  - pause: nva1
  - wait: 100ms
  - expect: ["event session rs1-0 session nva1 down: hold timer", event fault nva1 pause]
"""


class Files(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="fab-files-"))
        self.addCleanup(shutil.rmtree, self.dir)
        self.kept = set()
        self.addCleanup(lambda: [shutil.rmtree(path) for path in self.kept])

    def write(self, name, steps, head=INSIDE):
        path = self.dir / f"{name}.yaml"
        path.write_text(f"scenario: {name}\n{head}\nsteps:\n{steps}\n")
        return path

    def run_test(self, *args, expect=0, env=None):
        done = subprocess.run([BIN / "fabctl", "test", *map(str, args)], capture_output=True, text=True, check=False,
                              timeout=900, env=env)
        self.kept |= {line.split("kept: ")[1] for line in done.stdout.splitlines() if "kept: " in line}
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done

    def test_shipped(self):
        """The files in scenarios/ hold, several at a time: SC-A to SC-J, MR-10, MR-12, and what each names in its head."""
        files = sorted((ROOT / "scenarios").glob("*.yaml"))
        self.assertIn(f"{len(files)} of {len(files)} scenarios hold", self.run_test(*files).stdout)

    def test_every_kind_of_step(self):
        before = set(pathlib.Path("/tmp").glob("fab-test-*"))
        files = [self.write("everything", EVERYTHING), self.write("changes", CHANGES)]
        self.assertIn("2 of 2 scenarios hold", self.run_test(*files).stdout)
        self.assertEqual(set(pathlib.Path("/tmp").glob("fab-test-*")), before)

    def test_what_fails_is_told_and_kept(self):
        bad = self.write("bad", "  - expect: converged\n  - routes: vm1\n    equals: {0.0.0.0/0: 10.1.2.4}\n"
                                "    within: 100ms\n  - kill: nva1")
        good = self.write("good", "  - expect: converged")
        junit = self.dir / "junit.xml"
        out = self.run_test(bad, good, "--junit", junit, expect=1).stdout
        self.assertIn("1 of 2 scenarios hold", out)
        self.assertIn(f"{bad}:14: routes vm1", out)
        for line in ("- 0.0.0.0/0 10.1.2.4", "+ 0.0.0.0/0 Internet", "+ 10.1.0.0/16 VnetLocal",
                     "+ 10.50.0.0/16 VirtualNetworkGateway 10.1.2.4"):
            self.assertIn(f"        {line}\n", out)
        (kept,) = self.kept
        names = {path.name for path in pathlib.Path(kept).iterdir()}
        self.assertLessEqual({"events.txt", "timeline.txt", "ps.txt", "mrt", "fabricd.log", "nva1.log", "rs1-0.log"}, names)
        self.assertEqual(processes_using(pathlib.Path(kept) / "run"), [])
        suite = ElementTree.parse(junit).getroot()
        self.assertEqual((suite.get("tests"), suite.get("failures")), ("2", "1"))
        (failure,) = suite.iter("failure")
        self.assertEqual(failure.get("message"), "line 14: routes vm1")

    @unittest.skipUnless(shutil.which("bgpdump"), "bgpdump is not installed")
    def test_what_was_said_in_bgp_is_kept(self):
        """Each node's messages, over NNG too, as bgpdump reads them; also those after a restart."""
        bad = self.write("bad", "  - announce: nva1 10.60.0.0/16\n  - learned: rs1 nva1\n    contains: [10.60.0.0/16]\n"
                                "  - restart: nva1\n  - expect: session nva1 rs1 up\n  - set: [nva, nva1, asn=65003]\n"
                                "  - expect: trace vm1 vm2 loop\n    within: 1ms")
        self.run_test(bad, expect=1)
        (kept,) = self.kept
        said = {}
        for name in ("nva1", "rs1-0", "rs1-1"):
            done = subprocess.run(["bgpdump", "-m", f"{kept}/mrt/{name}.mrt"], capture_output=True, text=True, check=True)
            said[name] = [line.split("|") for line in done.stdout.splitlines()]
            long = subprocess.run(["bgpdump", f"{kept}/mrt/{name}.mrt"], capture_output=True, text=True, check=True).stdout
            for kind in ("Open", "Keepalive", "Notify", "Update"):
                self.assertIn(f"TYPE: BGP4MP_ET/MESSAGE/{kind}\n", long)
        for name in said:
            updates = {tuple(row[i] for i in (2, 3, 4, 5, 6)) for row in said[name] if row[2] == "A"}
            self.assertIn(("A", "10.1.2.4", "65001", "10.60.0.0/16", "65001"), updates)
            states = {(row[3], row[5], row[6]) for row in said[name] if row[2] == "STATE"}
            peers = {"10.1.0.4", "10.1.0.5"} if name == "nva1" else {"10.1.2.4"}
            self.assertLessEqual({(peer, "5", "6") for peer in peers}, states)

    def test_tap_and_json(self):
        good = self.write("good", "  - expect: converged")
        self.assertEqual(self.run_test(good, "--tap").stdout, "1..1\nok 1 - good\n")
        (result,) = json.loads(self.run_test(good, "-o", "json").stdout)
        self.assertEqual((result["ok"], result["steps"], result["file"]), (True, 1, str(good)))

    def test_commands_of_the_shell(self):
        """They find the fabric and the file's directory, are tried again in time, and may say that they cannot."""
        good = self.write("good", f"  - run: '\"{BIN}/fabctl\" nexthop vm1 10.50.0.1 && ls'\n    output: good.yaml\n"
                                  "  - run: echo x >>tries; test $(wc -l <tries) -gt 2\n    within: 5s")
        self.run_test(good)
        self.assertEqual((self.dir / "tries").read_text(), "x\n" * 3)
        bad = self.write("bad", "  - run: echo y\n    output: z")
        self.assertIn("'z' is not in what it prints:\n      y\n", self.run_test(bad, expect=1).stdout)
        bad = self.write("bad", "  - run: echo because >&2; false")
        self.assertIn("exit 1: because", self.run_test(bad, expect=1).stdout)
        cannot = self.write("cannot", "  - run: echo no tools >&2; exit 77\n  - kill: nobody")
        junit = self.dir / "junit.xml"
        self.assertIn("skip  cannot", self.run_test(cannot, "--junit", junit).stdout)
        self.assertEqual(self.run_test(cannot, "--tap").stdout, "1..1\nok 1 - cannot # SKIP no tools\n")
        suite = ElementTree.parse(junit).getroot()
        self.assertEqual((suite.get("failures"), suite.get("skipped")), ("0", "1"))
        self.assertEqual(next(suite.iter("skipped")).get("message"), "no tools")

    def test_the_seed_orders(self):
        files = [self.write(name, "  - kill: nobody") for name in "abcde"]
        orders = set()
        for seed in (1, 1, 2):
            out = self.run_test(*files, "--tap", "--jobs", 1, "--seed", seed, expect=1).stdout
            self.assertIn(f"\n# seed {seed}\n", out)
            orders.add((seed, tuple(line.split(" - ")[1] for line in out.splitlines() if line.startswith("not ok"))))
        self.assertEqual(len(orders), 2)
        self.assertEqual(len({order for _, order in orders}), 2)
        self.run_test(files[0], "--seed", 0, expect=2)
        asks = self.write("asks", f"  - run: '\"{BIN}/fabctl\" -o json get fabric fabric'\n    output: '\"seed\": 77'")
        self.run_test(asks, "--seed", 77)
        self.run_test(asks, "--seed", 78, expect=1)

    def test_azures_timing(self):
        """The delays are the platform's (section 6), and what is expected gets time for them."""
        file = self.write("slow", f"""
  - run: '"{BIN}/fabctl" -o json get fabric fabric'
    output: '"profile": "azure"'
  - announce: nva1 10.60.0.0/16
  - expect: effective vm1 10.60.0.0/16 via 10.1.2.4
    within: 500ms""")
        self.run_test(file, expect=1)
        self.run_test(file, "--timing", "azure")
        self.run_test(file, "--timing", "slow", expect=2)

    def test_a_condition_that_does_not_hold(self):
        bad = self.write("bad", "  - expect: trace vm1 vm2 blackhole\n    within: 50ms")
        self.assertIn("trace vm1 vm2 blackhole: not within ", self.run_test(bad, expect=1).stdout)
        bad = self.write("bad", "  - expect: session nva1 rs1 up\n    stays: 20s", head=INSIDE)
        killer = self.write("killer", "  - expect: node nva1 up\n    stays: 100ms\n  - kill: nva9")
        out = self.run_test(killer, expect=1).stdout
        self.assertIn("kill nva9", out)
        self.assertIn("exit 4: NOT_FOUND", out)

    def test_tables_and_events_that_differ(self):
        """Each instance of a Route Server is a table of its own."""
        for steps, want in (
                ("  - learned: rs1 nva1\n    equals: {10.50.0.0/16: path 65001-65001}",
                 ["- RouteServiceRole_IN_0 10.50.0.0/16 path 65001-65001",
                  "+ RouteServiceRole_IN_0 10.50.0.0/16 via 10.1.2.4 path 65001 origin EBgp"]),
                ("  - knows: nva1\n    equals: {10.50.0.0/16: path none, 10.60.0.0/16: via 10.1.0.4}",
                 ["- 10.60.0.0/16 via 10.1.0.4", "+ 10.1.0.0/16 via 10.1.0.4 10.1.0.5 path 65515"]),
                ("  - knows: nva1\n    contains: {10.1.0.0/16: via 10.1.0.4}", ["- 10.1.0.0/16 via 10.1.0.4"]),
                ("  - knows: nva1\n    contains: {10.1.0.0/16: community 1:1}", ["- 10.1.0.0/16 community 1:1"]),
                ("  - routes: vm1\n    lacks: {10.50.0.0/16: 10.1.2.4}",
                 ["+ 10.50.0.0/16 VirtualNetworkGateway 10.1.2.4"]),
                ("  - kill: nva1\n  - expect: event node nva1 lost\n  - expect: no event fault nva1",
                 ["no event fault nva1: it happened"]),
                ("  - expect: event node nva1 lost", ["event node nva1 lost: nothing like that happened"]),
                ("  - apply: {vms: {vm1: {ip: 10.9.9.9}}}", ["PrivateIPAddressNotInSubnet"])):
            with self.subTest(steps=steps):
                path = self.write("bad", steps + ("" if "apply" in steps or "no event" in steps else "\n    within: 300ms"))
                out = self.run_test(path, expect=1).stdout
                for line in want:
                    self.assertIn(line, out)

    def test_mistakes_are_told_before_anything_runs(self):
        path = self.write("wrong", "  - explode: nva1\n  - kill: [a, b, c]\n  - expect: converged\n    lost: 5\n"
                                   "  - routes: vm1\n  - expect: converged\n    within: soon\n"
                                   "  - probe: vm1 vm2\n  - routes: vm1\n    lacks: [10.1.0.1/16]\n", head="topology: x\n")
        said = self.run_test(path, self.write("good", "  - expect: converged"), expect=4).stderr
        self.assertEqual([line.split(": ", 2)[0::2] for line in said.splitlines()], [
            [f"{path}:5", "no step begins with 'explode'; see docs/scenarios.md"],
            [f"{path}:6", "kill a, b, c: expected NAME"],
            [f"{path}:7", "expect converged: 'lost' does not go with it"],
            [f"{path}:9", "routes vm1: one of contains, equals and lacks is expected"],
            [f"{path}:11", "'soon' is not a time such as 5s"],
            [f"{path}:12", "probe vm1 vm2: 'lost' or 'during' is expected"],
            [f"{path}:14", "'10.1.0.1/16' is not a prefix such as 10.1.0.0/16"]])
        for text, want in (("[]", "a scenario is a map of"), ("scenario: x", "'steps' is missing"),
                           ("scenario: x\nsteps: [expect: converged]", "'topology' is missing"),
                           ("a: [", ""), ("scenario: x\ntopology: y\nsteps: []", "steps: a list of steps")):
            path = self.dir / "file.yaml"
            path.write_text(text)
            self.assertIn(want, self.run_test(path, expect=4).stderr)
        bad = self.write("bad", "  - expect: converged", head=INSIDE.replace("asn: 65001", "asn: 65515"))
        self.assertRegex(self.run_test(bad, expect=4).stderr, rf"^{bad}:8: \w+: .*65515")
        self.run_test(self.dir / "absent.yaml", expect=2)
        self.run_test(path, "--jobs", "many", expect=2)
        out = self.run_test(self.write("nowhere", "  - expect: converged", head="topology: absent.yaml"), expect=1).stdout
        self.assertIn("the fabric does not come up: FILE: cannot read absent.yaml", out)

    def test_in_a_fabric_that_runs(self):
        """Which stays, whatever comes out; the files need no topology, and each goes on where the last one stopped."""
        topology = self.dir / "topology.yaml"
        topology.write_text(textwrap.dedent(INSIDE.replace("\ntopology:\n", "")))
        fabric = Fabric(topology)
        self.addCleanup(fabric.down)
        fabric.up()
        first = self.write("first", "  - announce: nva1 10.60.0.0/16\n  - expect: effective vm1 10.60.0.0/16", head="")
        second = self.write("second", "  - expect: effective vm1 10.60.0.0/16\n  - expect: node nva1 down", head="")
        answer = self.run_test(first, second, "--running", "--url", fabric.url, "-o", "json", expect=1)
        results = json.loads(answer.stdout)
        self.kept.update(pathlib.Path(r["kept"]) for r in results if "kept" in r)
        self.assertEqual([r["ok"] for r in results], [True, False])
        self.assertIn("node nva1 down", results[1]["message"])
        fabric.fabctl("wait", "converged")
        self.run_test(first, "--running", "--timing", "fast", "--url", fabric.url, expect=2)
        self.run_test(first, "--running", "--url", f"ipc://{self.dir}/nobody.ipc", expect=1)

    def test_interrupted(self):
        """What was started ends, and the user's own current fabric is not touched."""
        path = self.write("long", "  - expect: node nva1 down\n    within: 1h")
        env = dict(os.environ, XDG_RUNTIME_DIR=str(self.dir))
        for sig in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(sig=sig.name):
                before = set(pathlib.Path("/tmp").glob("fab-test-*"))
                with subprocess.Popen([BIN / "fabctl", "test", path], stdout=subprocess.PIPE, text=True, env=env) as run:
                    (top,) = until(lambda: set(pathlib.Path("/tmp").glob("fab-test-*")) - before, "a fabric")
                    self.kept.add(top)
                    until(lambda: (top / "run/nva1.json").exists(), "its NVA")
                    run.send_signal(sig)
                    out = run.communicate()[0]
                self.assertEqual(run.returncode, 1)
                self.assertIn("FAIL  long", out)
                self.assertEqual(processes_using(top / "run"), [])
        self.assertEqual([path.name for path in self.dir.iterdir()], ["long.yaml"])

    @unittest.skipIf(CANNOT, CANNOT)
    def test_probe(self):
        """RS-90: packets through the active NVA while its BGP process dies; its machine forwards on."""
        head = f"topology: {ROOT}/topologies/active-passive.yaml\npackets: on"
        good = self.write("good", "  - probe: vm11 vm12 --pps 200\n    lost: at most 0\n    during:\n      - kill: nva1\n"
                                  "      - expect: effective vm11 0.0.0.0/0 via 10.1.2.5\n"
                                  "  - exec: vm11 cat /proc/net/dev\n    output: 'eth0:'\n  - probe: vm11 vm12 --duration 200ms\n    lost: 0", head)
        self.run_test(good)
        bad = self.write("bad", "  - set: [vm, vm12, running=false]\n  - probe: vm11 vm12 --duration 200ms\n    lost: 5",
                         head)
        self.assertRegex(self.run_test(bad, expect=1).stdout, r"probe vm11 vm12 --duration 200ms\n +200 of 200 packets lost")


if __name__ == "__main__":
    unittest.main()
