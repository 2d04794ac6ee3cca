"""The examples of compose/ on a real Docker engine: built, started, healthy, broken and healed, gone without leftovers."""
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
import pathlib
import unittest

from fabric import BIN, ROOT, until

EXAMPLES = ["active-passive", "multi-region", "nva-under-test", "vpn-to-expressroute"]
HTTP_IMAGE = "hubspoke-example-http"  # has ping and curl


def engine_answers():
    return shutil.which("docker") and subprocess.run(
        ["docker", "info"], capture_output=True, check=False, timeout=30).returncode == 0


def compose_command():
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    if not shutil.which("docker"):
        return None
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return ["docker", "compose"] if plugin.returncode == 0 else None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def docker(*args, check=True, timeout=120):
    done = subprocess.run(["docker", *map(str, args)], capture_output=True, text=True, check=False, timeout=timeout)
    if check and done.returncode != 0:
        raise AssertionError(f"docker {args}: {done.stdout}{done.stderr}")
    return done.stdout


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


@unittest.skipUnless(engine_answers(), "no Docker engine answers")
@unittest.skipUnless(compose_command(), "neither docker-compose nor the compose plugin is installed")
class Estate(unittest.TestCase):
    """One example; skipped by itself."""

    example = None
    env = {}
    up_by_class = True

    @classmethod
    def compose(cls, *args, timeout=120, check=True):
        path = getattr(cls, "file", ROOT / f"compose/{cls.example}/docker-compose.yaml")
        done = subprocess.run([*compose_command(), "-p", cls.project, "-f", str(path), *args], capture_output=True,
                              text=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL,
                              env=dict(os.environ, FAB_PORT=str(cls.port), **cls.env))
        if check and done.returncode != 0:
            raise AssertionError(f"compose {args}: {done.stdout}{done.stderr}")
        return done.stdout

    @classmethod
    def setUpClass(cls):
        if cls.example is None:
            raise unittest.SkipTest("what the examples have in common")
        cls.project = f"fab{os.getpid()}"
        cls.port = free_port()
        cls.links = cls.bridges()
        cls.addClassCleanup(cls.gone)
        cls.addClassCleanup(cls.compose, "down", "-v", "--timeout", "2", check=False)
        if cls.up_by_class:
            cls.compose("build", "-q", timeout=900)
            begin = time.monotonic()
            cls.compose("up", "-d", timeout=300)
            until(lambda: all(cls.health().values()), lambda: f"every service healthy: {cls.health()}", timeout=60)
            print(f"{cls.example}: {len(cls.ids())} services healthy after {time.monotonic() - begin:.1f} s")

    @staticmethod
    def bridges():
        return {path.name for path in pathlib.Path("/sys/class/net").iterdir() if path.name.startswith("br-")}

    @classmethod
    def gone(cls):
        """Nothing is left behind."""
        label = f"label=com.docker.compose.project={cls.project}"
        for kind in (["ps", "-aq"], ["network", "ls", "-q"], ["volume", "ls", "-q"]):
            left = docker(*kind, "--filter", label)
            if left:
                raise AssertionError(f"left of {cls.example}: {kind[0]} {left}")
        until(lambda: not cls.bridges() - cls.links, lambda: f"no network is left: {cls.bridges() - cls.links}")

    @classmethod
    def ids(cls):
        return cls.compose("ps", "-q").split()

    @classmethod
    def inspect(cls):
        """{service: what docker inspect says}"""
        found = json.loads(docker("inspect", *cls.ids()))
        return {c["Config"]["Labels"]["com.docker.compose.service"]: c for c in found}

    @classmethod
    def health(cls):
        """{service: runs, and is healthy if it tells}"""
        return {name: c["State"]["Running"] and c["State"].get("Health", {}).get("Status", "healthy") == "healthy"
                for name, c in cls.inspect().items()}

    def whole(self, timeout=60):
        until(lambda: all(self.health().values()), lambda: f"every service healthy: {self.health()}", timeout=timeout)

    def fabctl(self, *args, check=True):
        """From the host, over the published port."""
        done = subprocess.run([BIN / "fabctl", "--url", f"tcp://127.0.0.1:{self.port}", "-o", "json", *args],
                              capture_output=True, text=True, check=check, timeout=60)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def converged(self):
        """Of the fabric as a whole, sooner than docker asks; its NICs are all plugged in."""
        nics = self.fabctl("health", check=False) and self.fabctl("nics", check=False)
        return nics is not None and all(nic["attached"] for nic in nics["value"])

    def default_of(self, nic):
        rows = self.fabctl("routes", "effective", nic)["value"]
        return [r["nextHopIpAddress"] for r in rows
                if r["addressPrefix"] == ["0.0.0.0/0"] and r["state"] == "Active"]

    def pings(self, service, address):
        """From the network namespace of a service."""
        return subprocess.run(["docker", "run", "--rm", "--network", f"container:{self.inspect()[service]['Id']}",
                               HTTP_IMAGE, "ping", "-n", "-q", "-c", "1", "-W", "2", address], capture_output=True,
                              check=False, timeout=60).returncode == 0

    def rights(self, expected):
        """No more than what is written down: {service: capabilities} of those that have any."""
        for name, container in self.inspect().items():
            host = container["HostConfig"]
            with self.subTest(name):
                self.assertFalse(host["Privileged"])
                self.assertEqual(host["PidMode"], "")
                self.assertEqual(host["CapDrop"], ["ALL"])
                self.assertEqual(sorted(c.removeprefix("CAP_") for c in host["CapAdd"] or []),
                                 sorted(expected.get(name, [])))
                self.assertEqual([m for m in container["Mounts"] if m["Type"] != "volume"], [])
                self.assertEqual([d["PathOnHost"] for d in host["Devices"] or []],
                                 ["/dev/net/tun"] if name == "vswitchd" else [])
                if container["Config"]["Image"] == "hubspoke":
                    self.assertTrue(host["ReadonlyRootfs"])
                    self.assertEqual(container["Config"]["User"], "0:0" if name in expected else "65532:65532")

    def restart_each(self, check):
        """Whoever is killed and started again, the estate is whole afterwards, and no other service was touched."""
        started = {}
        for name, container in sorted(self.inspect().items()):
            with self.subTest(name):
                docker("kill", container["Id"])
                docker("start", container["Id"])
                started[name] = docker("inspect", "-f", "{{.State.StartedAt}}", container["Id"]).strip()
                until(lambda: self.converged() and check(), f"the estate works after the kill of {name}", timeout=60)
        self.whole()
        self.assertEqual({name: c["State"]["StartedAt"] for name, c in self.inspect().items()}, started)


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


class WithoutCapability(Estate):
    """Each capability is needed: without it the estate does not become whole."""

    example = "multi-region"
    up_by_class = False

    def test_each(self):
        text = (ROOT / "compose/multi-region/docker-compose.yaml").read_text()
        for service, missing in (("vswitchd", "no guest is plugged in"), ("nva1", "kernel routes are not set")):
            with self.subTest(service), tempfile.TemporaryDirectory(dir=ROOT / "compose") as place:
                at = text.index(f"\n  {service}:\n")
                type(self).file = pathlib.Path(place) / "docker-compose.yaml"
                self.addCleanup(delattr, type(self), "file")
                self.file.write_text(text[:at] + text[at:].replace("    cap_add: [NET_ADMIN]\n", "", 1))
                self.compose("build", "-q", timeout=900)
                self.addCleanup(self.compose, "down", "-v", "--timeout", "2")
                self.compose("up", "-d", timeout=300)
                until(lambda: "CAP_NET_ADMIN is missing" in self.compose("logs", "--no-color", service) or
                      "not permitted" in self.compose("logs", "--no-color", service), missing, timeout=30)
                self.doCleanups()


class MultiRegion(Estate):
    example = "multi-region"

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


class VpnToExpressRoute(Estate):
    example = "vpn-to-expressroute"

    def sites_meet(self):
        return self.fabctl("trace", "branch1", "dc1")["verdict"] == "delivered"

    def test_transit(self):
        until(self.sites_meet, "branch-to-branch carries them", timeout=30)

    def test_every_service_heals(self):
        self.restart_each(self.sites_meet)


class NvaUnderTest(Estate):
    """The verdict is the exit code of one service."""

    example = "nva-under-test"
    up_by_class = False

    def verdict(self, nva):
        type(self).env = {"NVA": nva}
        self.addCleanup(setattr, type(self), "env", {})
        self.addCleanup(self.compose, "down", "-v", "--timeout", "2")
        self.compose("build", "-q", timeout=900)
        path = ROOT / f"compose/{self.example}/docker-compose.yaml"
        done = subprocess.run([*compose_command(), "-p", self.project, "-f", path, "up", "--no-color", "--exit-code-from", "test"],
                              capture_output=True, text=True, timeout=400, check=False, stdin=subprocess.DEVNULL,
                              env=dict(os.environ, FAB_PORT=str(self.port), NVA=nva))
        said = "\n".join(line.split("| ", 1)[1] for line in done.stdout.splitlines() if re.match(r"test(_1|-1) ", line))
        self.doCleanups()
        return done.returncode, said

    def test_right(self):
        for nva in ("bird", "frr", "gobgp"):
            with self.subTest(nva):
                code, said = self.verdict(nva)
                self.assertEqual(code, 0, said)
                self.assertIn("6 of 6 scenarios hold", said)

    def test_wrong(self):
        """RS-21, RS-31, RS-50, RS-96: each for its reason."""
        for nva, reason in (("frr-single-hop", r"FAIL  it has a session.*(?s:.*)session nva rs1-0 up: "),
                            ("frr-5000-routes", r"FAIL  it has a session.*(?s:.*)maximum number of prefixes: "),
                            ("frr-azure-asn", r"FAIL  it passes the routes.*without Azure's ASN.*(?s:.*)- .*10\.11\.0\.0/16"),
                            ("frr-no-refresh", r"FAIL  a new spoke makes.*(?s:.*)session nva down: it happened")):
            with self.subTest(nva):
                code, said = self.verdict(nva)
                self.assertEqual(code, 1, said)
                self.assertRegex(said, reason)


if __name__ == "__main__":
    unittest.main(verbosity=2)
