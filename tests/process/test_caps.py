"""What vswitchd may do: an ordinary user with CAP_NET_ADMIN, and CAP_BPF for the BPF engine. Root only."""
import os
import pathlib
import subprocess
import unittest

from fabric import BIN, FabricTestCase, cannot_have_packets
from test_packets import Guests

CANNOT = cannot_have_packets("ip", "ping", "setpriv", "nsenter")
NOBODY = 65534
NET_ADMIN, BPF = 1 << 12, 1 << 39
# /dev/net/tun, as machines have it that let users make TAPs: seen by the command behind it only.
OPEN_TUN = ["unshare", "--mount", "sh", "-c",
            'mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200 && exec "$@"', "sh"]


def status(pid):
    return dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())


@unittest.skipIf(CANNOT, CANNOT)
class Capabilities(Guests, FabricTestCase):
    topology_text = """
name: caps
timing: fast
vnets: {hub1: {address_space: [10.1.0.0/16], subnets: {vms: 10.1.3.0/24}}}
vms: {vm11: {subnet: hub1/vms, ip: 10.1.3.4}, vm12: {subnet: hub1/vms, ip: 10.1.3.5}}
"""
    packets = "on"

    @classmethod
    def setUpClass(cls):
        if subprocess.run(["setpriv", f"--reuid={NOBODY}", "--clear-groups", "test", "-x", BIN / "vswitchd"],
                          check=False).returncode != 0:
            raise unittest.SkipTest("the build tree is closed to other users")
        super().setUpClass()

    def setUp(self):
        self.log = self.files / "nobody.log"

    def as_nobody(self, *caps, engine="userspace"):
        """vswitchd in the place of the fabric's own, as an ordinary user with these capabilities."""
        run_dir = self.fabric.run_dir
        self.fabric.fabctl("stop", "vswitchd", expect=None)
        self.addCleanup(self.fabric.converged)
        self.addCleanup(self.fabric.fabctl, "start", "vswitchd", expect=None)
        for path in (self.fabric.top, run_dir, run_dir / "fabricd.ipc"):
            os.chown(path, NOBODY, -1)
            self.addCleanup(os.chown, path, 0, -1)
        wanted = ",".join(f"+{cap}" for cap in caps)
        all_caps = "-all" + (f",{wanted}" if wanted else "")
        with open(self.log, "wb") as log:
            process = subprocess.Popen(
                [*OPEN_TUN, "nsenter", f"--net={run_dir}/guests/vswitchd", "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
                 "--clear-groups", f"--inh-caps={all_caps}", f"--ambient-caps={all_caps}", f"--bounding-set={all_caps}",
                 BIN / "vswitchd", "--fabric", self.fabric.url, "--name", "vswitchd", "--listen",
                 f"ipc://{run_dir}/vswitchd.ipc", "--attach", run_dir / "vswitchd.attach", "--engine", engine],
                stdout=log, stderr=log, cwd="/")
        self.addCleanup(process.wait, 20)
        self.addCleanup(process.terminate)
        return process

    def refusal(self, *caps, engine="userspace"):
        process = self.as_nobody(*caps, engine=engine)
        self.assertNotEqual(process.wait(20), 0)
        return self.log.read_text()

    def carries(self, process, caps):
        self.until_pings("vm11", "10.1.3.5")
        self.assertIsNone(process.poll())
        now = status(process.pid)
        self.assertEqual(now["Uid"].split(), [str(NOBODY)] * 4)
        for which in ("CapPrm", "CapEff", "CapBnd"):
            self.assertEqual(int(now[which], 16), caps, which)
        self.assertEqual((int(now["CapInh"], 16), int(now["CapAmb"], 16), now["NoNewPrivs"]), (0, 0, "1"))

    def test_net_admin_is_enough(self):
        self.carries(self.as_nobody("net_admin"), NET_ADMIN)

    def test_without_net_admin(self):
        self.assertIn("CAP_NET_ADMIN is missing: no guest can be plugged in", self.refusal())

    def test_bpf_engine(self):
        process = self.as_nobody("net_admin", "bpf", engine="bpf")
        self.until(lambda: process.poll() is not None or self.pings("vm11", "10.1.3.5"), "packets, or an end")
        if process.poll() is not None:  # a kernel without
            self.assertNotRegex(self.log.read_text(), "CAP_")
            self.skipTest(self.log.read_text().strip())
        self.carries(process, NET_ADMIN | BPF)

    def test_bpf_engine_without_bpf(self):
        self.assertIn("the BPF engine is not possible here: CAP_BPF is missing",
                      self.refusal("net_admin", engine="bpf"))

    def test_root_lets_the_rest_go(self):
        """And fabattach, which makes namespaces, is another process."""
        now = status(self.fabric.pid("vswitchd"))
        for which in ("CapPrm", "CapEff"):
            self.assertEqual(int(now[which], 16) & ~(NET_ADMIN | BPF), 0, which)
            self.assertTrue(int(now[which], 16) & NET_ADMIN, which)
        self.assertEqual((int(now["CapInh"], 16), now["NoNewPrivs"]), (0, "1"))
        self.until_pings("vm11", "10.1.3.5")


if __name__ == "__main__":
    unittest.main()
