"""Packets without root: everything of the data plane in one user namespace. Root runs it as nobody, with a
/dev/net/tun that nobody may open in a mount namespace of the test's own."""
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import tempfile
import unittest

from fabric import BIN, ROOT, find_program, processes_using, until

NOBODY = 65534
TOPOLOGY = ROOT / "topologies/multi-region.yaml"
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all"]


def cannot():
    """Why this cannot be tried here, or None."""
    missing = [name for name in ("unshare", "setpriv", "ping", "mount") if find_program(name) is None]
    if missing:
        return f"{', '.join(missing)} not installed"
    if os.geteuid() != 0:
        if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
            return "/dev/net/tun is not open to this user"
    elif not os.path.exists("/dev/net/tun"):
        return "packets need /dev/net/tun"
    user = AS_NOBODY if os.geteuid() == 0 else []
    if subprocess.run([*user, "test", "-x", BIN / "fabctl"], check=False).returncode != 0:
        return "the build tree is closed to other users"
    if subprocess.run([*user, "unshare", "--user", "--map-root-user", "--net", "true"], capture_output=True,
                      check=False).returncode != 0:
        return "user namespaces cannot be made here"
    return None


CANNOT = cannot()


@unittest.skipIf(CANNOT, CANNOT)
class Rootless(unittest.TestCase):
    def setUp(self):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="fab-"))
        self.addCleanup(shutil.rmtree, self.top, ignore_errors=True)
        self.run_dir = self.top / "run"
        self.prefix = self.tun = []
        if os.geteuid() == 0:
            os.chown(self.top, NOBODY, NOBODY)
            self.prefix = AS_NOBODY
            self.tun = ["unshare", "--mount", "sh", "-c", f'mount --bind {self.device()} /dev/net/tun && exec "$@"', "sh"]
        self.addCleanup(self.end)

    def device(self):
        """A node of the device that everybody may open."""
        place = pathlib.Path(tempfile.mkdtemp(prefix="fab-tun-"))
        self.addCleanup(shutil.rmtree, place, ignore_errors=True)
        os.mknod(place / "tun", stat.S_IFCHR | 0o666, os.makedev(10, 200))
        os.chmod(place / "tun", 0o666)
        return place / "tun"

    def fabctl(self, *args, expect=0, tun=False):
        done = subprocess.run([*(self.tun if tun else []), *self.prefix, BIN / "fabctl", "-o", "json", "--run-dir",
                               self.run_dir, *args], capture_output=True, text=True, check=False, timeout=120,
                              stdin=subprocess.DEVNULL, cwd="/")
        if expect is not None:
            self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done

    def json(self, *args):
        return json.loads(self.fabctl(*args).stdout)

    def end(self):
        self.fabctl("down", expect=None)
        self.assertEqual(processes_using(self.run_dir), [])

    def until_pings(self):
        until(lambda: self.fabctl("exec", "vm11", "ping", "-n", "-q", "-c", "1", "-W", "2", "10.12.0.4",
                                  expect=None).returncode == 0, "vm11 reaches vm12")

    def probe(self):
        told = self.json("probe", "vm11", "vm12", "--pps", "200", "--duration", "500ms")
        self.assertEqual(told["lost"], 0)
        return told["path_after"]

    def detours(self):
        """Packets that the kernel gave to the userspace engine."""
        text = self.fabctl("exec", "vswitchd", "cat", "/proc/net/dev").stdout
        return int(re.search(r"^ *fabtrunk[0-9]+:(.*)$", text, re.M).group(1).split()[9])

    def test_packets_of_an_ordinary_user(self):
        """exec, probe, faults of processes, machines, the switch and the guests: as with root."""
        done = self.fabctl("up", TOPOLOGY, "--packets", "auto", "--wait", "60s", tun=True)
        self.assertEqual(done.stderr, "")
        ps = {node["name"]: node for node in self.json("ps")}
        spaces = {name: os.readlink(f"/proc/{ps[name]['pid']}/ns/user") for name in ps}
        inside = {spaces[name] for name in ("guests", "vswitchd", "nva1")}
        self.assertEqual(len(inside), 1)  # one for all
        self.assertNotIn(spaces["fabricd"], inside)
        uids = pathlib.Path(f"/proc/{ps['vswitchd']['pid']}/status").read_text()
        self.assertIn(f"Uid:\t{NOBODY if os.geteuid() == 0 else os.geteuid()}\t", uids)
        self.until_pings()
        self.assertEqual(ps["vswitchd"]["engine"], "userspace+nft")
        self.assertEqual(self.probe(), ["vm11", "nva1", "vm12"])
        before = self.detours()
        self.assertEqual(self.probe(), ["vm11", "nva1", "vm12"])
        self.assertLess(self.detours() - before, 100)  # of 400 packets and as many that nva1 sends on
        self.fabctl("kill", "nva1", "--guest")
        self.fabctl("wait", "effective vm11 0.0.0.0/0 via 10.1.2.5", "--timeout", "20s")
        self.assertEqual(self.probe(), ["vm11", "nva2", "vm12"])
        self.fabctl("start", "nva1")
        self.fabctl("kill", "vswitchd")
        self.fabctl("start", "vswitchd", tun=True)
        self.fabctl("wait", "converged", "--timeout", "60s")
        self.until_pings()
        self.fabctl("kill", "guests")
        self.fabctl("start", "guests", tun=True)
        self.fabctl("wait", "converged", "--timeout", "60s")
        self.until_pings()

    @unittest.skipUnless(os.geteuid() == 0, "as another user than root")
    def test_without_the_device(self):
        """It says why in one line, and the control plane runs alone."""
        with_mode = ["unshare", "--mount", "sh", "-c",
                     f'mount --bind {self.device()} /dev/net/tun && chmod 600 /dev/net/tun && exec "$@"', "sh"]
        self.tun = with_mode
        done = self.fabctl("up", TOPOLOGY, "--packets", "auto", "--wait", "0", tun=True)
        self.assertEqual(done.stderr, "fabctl: control plane only, no packets: /dev/net/tun cannot be opened\n")
        self.assertNotIn("vswitchd", [node["name"] for node in self.json("ps")])


if __name__ == "__main__":
    unittest.main()
