"""The examples of compose/ on a real Docker engine: as fabctl writes them, broken and healed."""
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

from estate import HTTP_IMAGE, Estate, compose_command, docker, engine_answers
from fabric import BIN, ROOT, until

EXAMPLES = ["active-passive", "multi-region", "nva-under-test", "vpn-to-expressroute"]


def written_by(text):
    """The command line in the head of a compose file."""
    return shlex.split(re.search(r"^#   fabctl (compose .*)$", text, re.M).group(1))


class Files(unittest.TestCase):
    """What fabctl writes, without an engine."""

    def fabctl(self, *args, expect=0):
        done = subprocess.run([BIN / "fabctl", *map(str, args)], capture_output=True, text=True, check=False, cwd=ROOT,
                              timeout=60)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done

    def test_examples_are_as_written(self):
        for name in EXAMPLES:
            with self.subTest(name):
                text = (ROOT / f"compose/{name}/docker-compose.yaml").read_text()
                command = written_by(text)
                at = command.index("-o")
                self.assertEqual(command[at + 1], f"compose/{name}")
                with tempfile.TemporaryDirectory(dir=ROOT / "compose") as other:
                    command[at + 1] = os.path.relpath(other, ROOT)
                    self.fabctl(*command)
                    fresh = (pathlib.Path(other) / "docker-compose.yaml").read_text()
                    fresh = fresh.replace(f"-o {command[at + 1]}", f"-o compose/{name}")
                    fresh = fresh.replace(f"../{name}/", "")  # images are built beside the file
                    self.assertEqual(fresh, text)

    @unittest.skipUnless(compose_command(), "neither docker-compose nor the compose plugin is installed")
    def test_examples_are_clean(self):
        for name in EXAMPLES:
            with self.subTest(name):
                path = ROOT / f"compose/{name}/docker-compose.yaml"
                done = subprocess.run([*compose_command(), "-f", path, "config", "-q"], capture_output=True, text=True,
                                      check=False)
                self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
                self.assertNotRegex(re.sub("no-new-privileges", "", path.read_text()), r"(?m)^version:|privileged: true|docker\.sock|pid: *host")

    def topology(self, nva, head="packets: true"):
        path = pathlib.Path(tempfile.mkdtemp(prefix="fab-files-")) / "estate.yaml"
        self.addCleanup(shutil.rmtree, path.parent)
        path.write_text(f"""name: estate
{head}
vnets:
  hub: {{address_space: [100.64.0.0/11], subnets: {{RouteServerSubnet: 100.64.0.0/26, nva: 100.64.2.0/24}}}}
route_servers: {{rs1: {{vnet: hub, peers: [fw]}}}}
nvas: {{fw: {{subnet: hub/nva, ip: 100.64.2.4, asn: 65001, {nva}}}}}
""")
        return path

    def test_what_an_nva_is(self):
        """Each key of the topology ends in its service; values are taken literally."""
        path = self.topology("""image: "my/nva:1.2", build: nva, command: [run, "a $b \\"c\\""], environment: [A=$x],
      volumes: ["./conf:/etc/nva:ro"], cap_add: [NET_RAW]""")
        text = self.fabctl("compose", path).stdout
        service = text[text.index("\n  fw:"):text.index("\n  internet:")]
        for line in ('image: "my/nva:1.2"', 'command: ["run", "a $$b \\"c\\""]', 'environment: ["A=$$x"]',
                     'volumes: ["run:/run/hubspoke:ro", "./conf:/etc/nva:ro"]', "cap_drop: [ALL]", 'cap_add: ["NET_RAW"]',
                     '--name, "fw", "--"]', "sysctls: *router"):
            self.assertIn(line, service)
        self.assertNotIn("fw-nic", text)
        # Its own entry point: beside a sidecar that has the NIC.
        text = self.fabctl("compose", self.topology("image: my/nva")).stdout
        self.assertIn('network_mode: "service:fw-nic"', text)
        # The network for RPC keeps away from what the topology has.
        subnet = re.search(r"FAB_CONTROL_SUBNET:-([0-9.]+)/20", text).group(1)
        self.assertRegex(subnet, r"^100\.(9[6-9]|1[0-2][0-9])\.")

    def test_refused(self):
        for nva, head, want in (
                ("run: [bird]", "packets: true", "fw has a 'run' of its own, which is for a local process"),
                ("command: [x]", "packets: true", "give an image")):
            with self.subTest(nva):
                path = self.topology(nva, head)
                self.assertIn(want, self.fabctl("compose", path, expect=4).stderr)
        path = self.topology("image: my/nva", "")  # BGP over loopback, which containers do not share
        path.write_text(path.read_text().replace(
            "peers: [fw]", "bgp_listen: ['127.0.0.1:1790', '127.0.0.2:1790'], peers: {fw: {transport_address: 127.0.0.3}}"))
        self.assertIn("'packets: true'", self.fabctl("compose", path, expect=4).stderr)
        path = self.topology("image: my/nva, command: [x]")
        self.assertIn("cannot make", self.fabctl("compose", path, "-o", "/proc/nowhere", expect=2).stderr)
        self.assertIn("cannot read", self.fabctl("compose", path.parent / "absent.yaml", expect=2).stderr)
        path.write_text(path.read_text() + "#" * 130000 + "\n")
        self.assertIn("TooLarge", self.fabctl("compose", path, expect=4).stderr)
        # An image is no local process.
        self.assertIn("fabctl compose", self.fabctl("up", self.topology("image: my/nva"), "--packets", "on", "--run-dir",
                                                    path.parent / "run", expect=1).stderr)


class ActivePassive(Estate):
    example = "active-passive"

    def report(self):
        """What the client said: [{at, sent, lost, longest_gap_ms}], a line for each second."""
        return [json.loads(line[line.index("{"):]) for line in self.compose("logs", "--no-color", "client").splitlines()
                if "{" in line]

    def load_runs(self):
        lines = self.report()[-2:]
        return len(lines) == 2 and all(line["lost"] == 0 and line["sent"] > 0 for line in lines)

    def loss(self, fault, moved):
        """What the HTTP load loses from the fault until two quiet seconds later: requests, longest gap in s."""
        until(self.load_runs, lambda: f"the load runs: {self.report()[-3:]}", timeout=60)
        before = len(self.report())
        self.compose(*fault)
        until(moved, "the other firewall is at work", timeout=30)
        until(lambda: len(self.report()) >= before + 5 and self.load_runs(), "the load runs again", timeout=60)
        lines = self.report()[before - 1:]
        return sum(line["lost"] for line in lines), max(line["longest_gap_ms"] for line in lines) / 1000

    def test_failover(self):
        def works(nva):
            return lambda: self.fabctl("trace", "client", "server")["hops"][1]["node"] == nva
        until(works("nva1"), "nva1 is at work")
        for fault, heal, bound in ((["kill", "nva1"], ["start", "nva1"], 1.0), (["pause", "nva1"], ["unpause", "nva1"], 4.0),
                                   (["stop", "-t", "2", "nva1"], ["start", "nva1"], 1.0)):
            with self.subTest(fault[0]):
                lost, gap = self.loss(fault, works("nva2"))
                print(f"{' '.join(fault)}: {lost} requests lost, longest gap {gap:.2f} s")
                self.assertLessEqual(gap, bound)
                self.compose(*heal)
                until(works("nva1"), "nva1 is at work again", timeout=60)
        events = self.compose("exec", "-T", "fabricd", "fabctl", "events")
        self.assertRegex(events, r"session nva1 down: (connection closed by the peer|the peer's link is down)")
        self.assertRegex(events, r"session nva1 down: hold timer expired")

    def test_network_is_cut(self):
        """docker network disconnect: fabricd says who does not answer any more, packets go on."""
        container = self.inspect()["rs1-0"]
        network = next(n for n in container["NetworkSettings"]["Networks"] if n.endswith("_control"))
        docker("network", "disconnect", network, container["Id"])
        until(lambda: any(n["name"] == "rs1-0" and n["state"] != "running" for n in self.fabctl("ps")),
              "fabricd misses rs1-0", timeout=30)
        self.assertTrue(self.load_runs() or until(self.load_runs, "the load goes on", timeout=10) is not None)
        docker("network", "connect", "--alias", "rs1-0", network, container["Id"])
        self.whole()

    def test_from_inside(self):
        nodes = json.loads(self.compose("exec", "-T", "fabricd", "fabctl", "-o", "json", "ps"))
        self.assertEqual([n["name"] for n in nodes], [n["name"] for n in self.fabctl("ps")])

    def test_rights(self):
        self.rights({"vswitchd": ["NET_ADMIN"], "ping": ["NET_RAW"]})

    def test_every_service_heals(self):
        self.restart_each(self.load_runs)


class MultiRegion(Estate):
    example = "multi-region"

    @classmethod
    def setUpClass(cls):
        if engine_answers():
            docker("build", "-q", "-t", HTTP_IMAGE, ROOT / "compose/active-passive/http", timeout=600)
        super().setUpClass()

    def test_packets_follow_routes(self):
        self.assertEqual(self.default_of("vm11"), [["10.1.2.4"]])
        until(lambda: self.pings("vm11", "10.21.0.4"), "spokes of both regions reach each other", timeout=20)
        self.compose("kill", "nva1")
        until(lambda: self.default_of("vm11") == [["10.1.2.5"]], "default over nva2", timeout=20)
        until(lambda: self.pings("vm11", "10.21.0.4"), "over nva2, too", timeout=20)
        self.compose("start", "nva1")
        until(lambda: self.default_of("vm11") == [["10.1.2.4"]], "default over nva1", timeout=30)

    def test_every_service_heals(self):
        self.restart_each(lambda: self.fabctl("trace", "vm11", "vm21", check=False) is not None)
        until(lambda: self.pings("vm11", "10.21.0.4"), "spokes of both regions reach each other", timeout=20)

    def test_rights(self):
        self.rights({"vswitchd": ["NET_ADMIN"], **{f"nva{i}": ["NET_ADMIN"] for i in range(1, 5)}})


if __name__ == "__main__":
    unittest.main(verbosity=2)
