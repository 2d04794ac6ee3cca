"""fabricd as a process: start-up, refusals and their exit codes, the store, and its end."""
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import unittest

from fabric import BIN, ROOT, until

TOPOLOGY = ROOT / "topologies/multi-region.yaml"
STANDBY = """
name: standby
timing: fast
vnets:
  hub:
    region: r
    address_space: [10.1.0.0/16]
    subnets: {GatewaySubnet: 10.1.1.0/26, work: 10.1.10.0/24}
gateways: {vpn: {vnet: hub, type: Vpn, active_active: false, connections: {b1: {}}}}
sites: {b1: {asn: 64901, prefixes: [172.21.0.0/16]}}
vms: {vm1: {subnet: hub/work, ip: 10.1.10.4}}
"""
BROKEN = """name: broken
vnets:
  hub: {region: r, address_space: [10.1.0.0/16], subnets: {work: 10.9.0.0/24}}
vms:
  vm1: {subnet: hub/nowhere, ip: 10.1.10.4}
"""


class FabricdTestCase(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="fabricd-", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.url = f"ipc://{self.dir}/fabricd.ipc"

    def command(self, *args):
        return [str(BIN / "fabricd"), "--listen", self.url, *map(str, args)]

    def refused(self, code, *args):
        """Starts fabricd, which must end by itself with this code; returns its lines of complaint."""
        done = subprocess.run(self.command(*args), capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return [line for line in done.stderr.splitlines() if " info fabricd: " not in line]

    def start(self, *args):
        log = open(self.dir / "log", "ab")
        self.addCleanup(log.close)
        process = subprocess.Popen(self.command(*args), stderr=log, stdin=subprocess.DEVNULL)
        self.addCleanup(self.reap, process)
        until(lambda: process.poll() is not None or self.fabctl("get", "fabric", expect=None).returncode == 0,
              lambda: (self.dir / "log").read_text())
        self.assertIsNone(process.poll(), (self.dir / "log").read_text())
        return process

    @staticmethod
    def reap(process):
        process.kill()
        process.wait()

    def fabctl(self, *args, expect=0):
        done = subprocess.run([str(BIN / "fabctl"), "--url", self.url, *map(str, args)], capture_output=True,
                              text=True, timeout=60, check=False)
        if expect is not None:
            self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done

    def topology(self, text):
        path = self.dir / "topology.yaml"
        path.write_text(text)
        return path

    def stop(self, process):
        """SIGTERM; a leak or any other finding of the sanitizers would not be exit code 0."""
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(10), 0, (self.dir / "log").read_text())


class Refusals(FabricdTestCase):
    def test_all_errors_of_the_topology_at_once(self):
        path = self.topology(BROKEN)
        lines = self.refused(4, "--topology", path)
        self.assertEqual(len(lines), 2, lines)
        self.assertRegex(lines[0], rf"^{path}:3: NetcfgInvalidSubnet: ")
        self.assertRegex(lines[1], rf"^{path}:5: UnknownReference: ")

    def test_no_such_topology(self):
        lines = self.refused(4, "--topology", self.dir / "none.yaml")
        self.assertEqual(len(lines), 1, lines)
        self.assertIn("none.yaml", lines[0])

    def test_refused_topology_leaves_an_empty_store(self):
        self.refused(4, "--topology", self.topology(BROKEN))
        self.start("--topology", TOPOLOGY)
        self.assertIn("vm11", self.fabctl("get", "vm").stdout)

    def test_somebody_listens_there(self):
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(self.dir / "fabricd.ipc"))
            other.listen()
            lines = self.refused(3)
        self.assertEqual(lines, [f"fabricd: {self.url}: already exists"])

    def test_store_of_another_fabric(self):
        self.start()
        lines = self.refused(3, "--listen", f"ipc://{self.dir}/other.ipc")
        self.assertEqual(lines, [f"fabricd: {self.dir}/fabric.db: cannot use the store: database is locked"])

    def test_store_that_is_none(self):
        (self.dir / "fabric.db").write_text("no store " * 1000)
        lines = self.refused(3)
        self.assertEqual(lines,
                         [f"fabricd: {self.dir}/fabric.db: cannot use the store: file is not a database"])

    def test_store_of_a_newer_version(self):
        with sqlite3.connect(self.dir / "fabric.db") as db:
            db.execute("PRAGMA user_version=99")
        lines = self.refused(3)
        self.assertEqual(len(lines), 1, lines)
        self.assertIn("schema 99", lines[0])

    def test_store_that_cannot_be_made(self):
        lines = self.refused(3, "--store", self.dir / "none/fabric.db")
        self.assertEqual(len(lines), 1, lines)

    def test_usage(self):
        self.assertEqual(len(self.refused(2, "--node-url", "tcp://host:1")), 1)
        self.assertEqual(len(self.refused(2, "stray")), 1)


class Life(FabricdTestCase):
    def test_the_store_wins_over_the_file(self):
        first = self.start("--topology", TOPOLOGY)
        self.fabctl("delete", "vm", "vm22")
        self.stop(first)
        second = self.start("--topology", self.topology(STANDBY))
        vms = self.fabctl("get", "vm").stdout
        self.assertIn("vm11", vms)
        self.assertNotIn("vm22", vms)
        self.stop(second)

    def test_ends_cleanly_with_everybody_still_there(self):
        process = self.start("--topology", TOPOLOGY)
        follower = subprocess.Popen([str(BIN / "fabctl"), "--url", self.url, "events", "-f"],
                                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        waiter = subprocess.Popen([str(BIN / "fabctl"), "--url", self.url, "wait", "converged"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        node = subprocess.Popen([str(BIN / "nvad"), "--fabric", self.url, "--name", "nva1", "--listen",
                                 f"ipc://{self.dir}/nva1.ipc"], stderr=subprocess.DEVNULL)
        for child in (follower, waiter, node):
            self.addCleanup(self.reap, child)
        self.addCleanup(follower.stdout.close)
        self.addCleanup(waiter.stderr.close)
        follower.stdout.readline()
        self.fabctl("wait", "node nva1 up")
        self.stop(process)
        self.assertNotEqual(waiter.wait(20), 0)
        self.assertIsNone(node.poll())  # a node outlives fabricd
        left = {path.name for path in self.dir.iterdir()} - {"log", "nva1.ipc", "nva1.bgp"}
        self.assertEqual(left, {"fabric.db"})

    def test_a_second_start_after_kill_9(self):
        first = self.start("--topology", TOPOLOGY)
        self.fabctl("set", "nva", "nva1", "asn=65011")
        first.kill()
        first.wait()
        second = self.start()  # the socket file of the first one is still there
        self.assertIn("65011", self.fabctl("get", "nva", "nva1").stdout)
        self.stop(second)


class Standby(FabricdTestCase):
    """VPN-1: nobody waits for the instance that waits; it takes over when its sibling dies."""

    def node(self, program, name, *args):
        log = open(self.dir / f"{name}.log", "ab")
        self.addCleanup(log.close)
        process = subprocess.Popen([str(BIN / program), "--fabric", self.url, "--name", name, "--listen",
                                    f"ipc://{self.dir}/{name}.ipc", *args], stderr=log)
        self.addCleanup(self.reap, process)
        return process

    def test_active_standby_gateway(self):
        self.start("--topology", self.topology(STANDBY))
        active = self.node("gatewayd", "vpn-0", "--role", "vpn")
        self.node("gatewayd", "vpn-1", "--role", "vpn")
        self.node("nvad", "b1")
        self.fabctl("wait", "converged")
        self.fabctl("wait", "session vpn-0 b1 up")
        self.fabctl("wait", "session vpn-1 b1 down")
        self.fabctl("wait", "effective vm1 172.21.0.0/16")
        active.kill()
        active.wait()
        self.fabctl("wait", "session vpn-1 b1 up")
        self.fabctl("wait", "effective vm1 172.21.0.0/16")


if __name__ == "__main__":
    unittest.main()
