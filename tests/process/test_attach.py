"""Guests are plugged in: fabattach makes or lends namespaces, the attach server of vswitchd (attach_switch.c holds
it) makes their interfaces, and both may be killed at any time. Root only."""
import ctypes
import itertools
import json
import os
import pathlib
import queue
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import unittest

from fabric import BIN, cannot_have_packets, process_state, until

CLONE_NEWNET = 0x40000000
HELLO = struct.Struct("=III64s16s")
ANSWER = struct.Struct("IIi192s")
CANNOT = cannot_have_packets("ip", "nsenter", "setpriv")


class Switch:
    """A process of attach_switch.c."""

    def __init__(self, path):
        self.process = subprocess.Popen([BIN / "attach_switch", path], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)
        self.lines, self.said = queue.Queue(), []
        self.threads = [threading.Thread(target=self.read, args=(self.process.stdout, self.lines.put)),
                        threading.Thread(target=self.read, args=(self.process.stderr, self.said.append))]
        for thread in self.threads:
            thread.start()
        until(lambda: os.path.exists(path) or self.process.poll() is not None, "the socket")

    @staticmethod
    def read(stream, put):
        for line in stream:
            put(line.rstrip())
        stream.close()

    def tell(self, *lines):
        for line in lines:
            self.process.stdin.write(line + "\n")

    def expect(self, *wanted):
        """Reads until all of these lines came, in any order; returns the others."""
        wanted, others = set(wanted), []
        while wanted:
            try:
                line = self.lines.get(timeout=20)
            except queue.Empty:
                raise AssertionError(f"{wanted} did not come; {others}; {self.said[-5:]}") from None
            if line in wanted:
                wanted.remove(line)
            else:
                others.append(line)
        return others

    def end(self, sig=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        self.process.wait(20)
        for thread in self.threads:
            thread.join()
        self.process.stdin.close()
        text = "\n".join(self.said)
        assert "Sanitizer" not in text and "assertion" not in text, text


@unittest.skipIf(CANNOT, CANNOT)
class Attach(unittest.TestCase):
    def setUp(self):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="fab-attach-"))
        self.addCleanup(shutil.rmtree, self.top)
        self.path, self.guests = self.top / "s", self.top / "guests"

    def switch(self):
        if hasattr(self, "last"):
            self.last.end()
        self.last = Switch(self.path)
        self.addCleanup(self.last.end)
        return self.last

    def helper(self, *args):
        err = open(self.top / "helper.log", "a")
        self.addCleanup(err.close)
        process = subprocess.Popen([BIN / "fabattach", "--socket", self.path, *args], stderr=err)
        self.addCleanup(self.end, process)
        return process

    def end(self, process, sig=signal.SIGTERM):
        if process.poll() is None:
            process.send_signal(sig)
        self.assertIn(process.wait(20), (0, -signal.SIGTERM, -signal.SIGKILL), self.log())

    def log(self):
        path = self.top / "helper.log"
        return path.read_text() if path.exists() else ""

    def run_in(self, guest, *command):
        done = subprocess.run(["nsenter", f"--net={self.guests / guest}", *command], capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def interface(self, guest, name="eth0"):
        """(MAC, MTU, addresses, index) of an interface that is up, None if there is none."""
        for link in json.loads(self.run_in(guest, "ip", "-j", "addr")):
            if link.get("ifname") == name and "UP" in link["flags"]:
                addresses = [f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"] if a["family"] == "inet"]
                return link.get("address"), link["mtu"], addresses, link["ifindex"]
        return None

    def routes(self, guest):
        return [(r["dst"], r.get("gateway")) for r in json.loads(self.run_in(guest, "ip", "-j", "route"))]

    def sysctl(self, guest, name):
        return self.run_in(guest, "cat", f"/proc/sys/net/{name}").strip()

    # Made here.

    def test_interface(self):
        switch = self.switch()
        switch.tell("port vm11 10.11.0.4 24 0", "port nva1 10.1.2.4 26 1400")
        self.helper("--make", self.guests, "--router", "nva1", "vm11")
        switch.expect("vm11 attached", "nva1 attached")
        self.assertEqual(self.interface("vm11")[:3], ("02:fa:0a:0b:00:04", 1500, ["10.11.0.4/24"]))
        self.assertEqual(self.interface("nva1")[:3], ("02:fa:0a:01:02:04", 1400, ["10.1.2.4/26"]))
        self.assertEqual(sorted(self.routes("vm11")), [("10.11.0.0/24", None), ("default", "10.11.0.1")])
        self.assertIn("127.0.0.1/8", self.interface("vm11", "lo")[2])
        self.assertEqual(json.loads(self.run_in("vm11", "ip", "-j", "link", "show", "eth0"))[0]["txqlen"], 10000)
        self.assertEqual(self.sysctl("vm11", "ipv4/ip_forward"), "0")
        self.assertEqual(self.sysctl("nva1", "ipv4/ip_forward"), "1")
        for name in ("rp_filter", "send_redirects", "accept_redirects"):
            self.assertEqual(self.sysctl("nva1", f"ipv4/conf/eth0/{name}"), "0", name)

    def test_port_comes_after_the_helper(self):
        switch = self.switch()
        self.helper("--make", self.guests, "vm11")
        until(lambda: os.path.lexists(self.guests / "vm11"), "the guest")
        switch.tell("port other 10.11.0.5 24 0")
        switch.expect("ok")
        self.assertIsNone(self.interface("vm11"))
        switch.tell("port vm11 10.11.0.4 24 0")
        self.assertEqual(switch.expect("vm11 attached", "ok"), [])

    def test_kill_of_the_switch_changes_nothing_in_the_guest(self):
        """Interface, index, addresses and routes stay, those that the guest added itself too."""
        switch = self.switch()
        switch.tell("port vm11 10.11.0.4 24 0")
        self.helper("--make", self.guests, "vm11")
        switch.expect("vm11 attached")
        self.run_in("vm11", "ip", "addr", "add", "192.0.2.1/32", "dev", "eth0")
        self.run_in("vm11", "ip", "route", "add", "198.51.100.0/24", "via", "10.11.0.9")
        before = self.interface("vm11"), self.routes("vm11")
        events, metric = self.top / "monitor", itertools.count(1)
        with open(events, "w") as out:
            monitor = subprocess.Popen(["nsenter", f"--net={self.guests / 'vm11'}", "ip", "monitor", "link", "address",
                                        "route"], stdout=out)
        self.addCleanup(self.end, monitor)
        until(lambda: self.run_in("vm11", "ip", "route", "append", "blackhole", "203.0.113.0/24", "metric",
                                  str(next(metric))) or events.read_text(), "the monitor")
        self.run_in("vm11", "ip", "route", "flush", "203.0.113.0/24")
        until(lambda: "Deleted" in events.read_text(), "the monitor")
        seen = events.read_text()
        for sig in (signal.SIGKILL, signal.SIGTERM):
            switch.end(sig)
            self.assertEqual((self.interface("vm11"), self.routes("vm11")), before)
            switch = self.switch()
            switch.tell("port vm11 10.11.0.4 24 0")
            switch.expect("vm11 attached")
            self.assertEqual((self.interface("vm11"), self.routes("vm11")), before)
            self.assertTrue(any("as it was" in line for line in switch.said), switch.said)
        self.assertEqual(events.read_text(), seen)  # and never went away in between

    def test_new_address_and_mtu(self):
        """While attached, and while vswitchd was away; what the guest added itself stays."""
        switch = self.switch()
        switch.tell("port vm11 10.11.0.4 24 0")
        self.helper("--make", self.guests, "vm11")
        switch.expect("vm11 attached")
        self.run_in("vm11", "ip", "addr", "add", "192.0.2.1/32", "dev", "eth0")
        switch.tell("port vm11 10.11.1.7 25 1400")
        switch.expect("ok")
        self.assertEqual(self.interface("vm11")[:2], ("02:fa:0a:0b:01:07", 1400))
        self.assertEqual(sorted(self.interface("vm11")[2]), ["10.11.1.7/25", "192.0.2.1/32"])
        switch.tell("port vm11 10.11.1.8 25 1400", "port vm11 10.11.1.7 25 1400")  # in the same subnet
        switch.expect("ok")
        switch.expect("ok")
        self.assertFalse([line for line in switch.said if "not attached" in line])
        mac, mtu, addresses, index = self.interface("vm11")
        self.assertEqual((mac, mtu, sorted(addresses)),
                         ("02:fa:0a:0b:01:07", 1400, ["10.11.1.7/25", "192.0.2.1/32"]))
        self.assertIn(("default", "10.11.1.1"), self.routes("vm11"))
        switch.end(signal.SIGKILL)
        switch = self.switch()
        switch.tell("port vm11 10.11.1.7 24 0")
        switch.expect("vm11 attached")
        self.assertEqual(self.interface("vm11")[1:],
                         (1500, ["192.0.2.1/32", "10.11.1.7/24"], index))
        self.assertIn(("default", "10.11.1.1"), self.routes("vm11"))

    def test_port_goes_and_comes_back(self):
        switch = self.switch()
        switch.tell("port vm11 10.11.0.4 24 0")
        self.helper("--make", self.guests, "vm11")
        switch.expect("vm11 attached", "ok")
        switch.tell("gone vm11")
        switch.expect("vm11 detached", "ok")
        switch.tell("port vm11 10.11.0.5 24 0")
        switch.expect("vm11 attached", "ok")
        self.assertEqual(self.interface("vm11")[2], ["10.11.0.5/24"])

    def test_kill_of_the_helper(self):
        """Its namespaces go, vswitchd notices, and the next one makes new ones under the same names."""
        switch = self.switch()
        switch.tell("port vm11 10.11.0.4 24 0")
        helper = self.helper("--make", self.guests, "vm11")
        switch.expect("vm11 attached")
        self.end(helper, signal.SIGKILL)
        switch.expect("vm11 detached")
        self.assertFalse((self.guests / "vm11").exists())
        self.helper("--make", self.guests, "vm11")
        switch.expect("vm11 attached")
        self.assertEqual(self.interface("vm11")[2], ["10.11.0.4/24"])

    def test_clean_end_leaves_nothing(self):
        switch = self.switch()
        switch.tell("port vm11 10.11.0.4 24 0")
        helper = self.helper("--make", self.guests, "vm11")
        switch.expect("vm11 attached")
        self.end(helper)
        switch.expect("vm11 detached")
        switch.end()
        self.assertEqual([p.name for p in self.top.iterdir()], ["helper.log"])
        self.assertNotIn("fabtap", subprocess.run(["ip", "link"], capture_output=True, text=True, check=True).stdout)

    def test_guest_that_removed_its_interface_gets_a_new_one(self):
        switch = self.switch()
        switch.tell("port vm11 10.11.0.4 24 0")
        self.helper("--make", self.guests, "vm11")
        switch.expect("vm11 attached")
        self.run_in("vm11", "ip", "link", "del", "eth0")
        switch.end(signal.SIGKILL)
        switch = self.switch()
        switch.tell("port vm11 10.11.0.4 24 0")
        switch.expect("vm11 attached")
        self.assertEqual(self.interface("vm11")[2], ["10.11.0.4/24"])

    def test_list_file(self):
        names = self.top / "list"
        names.write_text("vm11\nnva1 router\n\n")
        switch = self.switch()
        switch.tell(*(f"port {n} 10.11.0.{i} 24 0" for i, n in enumerate(("vm11", "nva1", "vm12"), 4)))
        helper = self.helper("--make", self.guests, "--list", names)
        switch.expect("vm11 attached", "nva1 attached")
        inode = os.stat(self.guests / "vm11").st_ino
        names.write_text("vm12\nvm11 router\n")
        helper.send_signal(signal.SIGHUP)
        switch.expect("nva1 detached", "vm12 attached")
        self.assertEqual(sorted(os.listdir(self.guests)), ["vm11", "vm12"])
        self.assertEqual(os.stat(self.guests / "vm11").st_ino, inode)
        self.assertEqual(self.sysctl("vm11", "ipv4/ip_forward"), "1")
        names.write_text("vm12\nnot a name\n")  # refused, nothing changes
        helper.send_signal(signal.SIGHUP)
        until(lambda: "line 2 is not NAME" in self.log(), "the complaint")
        self.assertEqual(sorted(os.listdir(self.guests)), ["vm11", "vm12"])

    def test_many(self):
        n = 1000
        switch = self.switch()
        switch.tell(*(f"port vm{i} 10.{i // 200}.{i % 200}.4 24 0" for i in range(n)))
        names = self.top / "list"
        names.write_text("".join(f"vm{i}\n" for i in range(n)))
        self.helper("--make", self.guests, "--list", names)
        switch.expect(*(f"vm{i} attached" for i in range(n)))
        self.assertEqual(self.interface(f"vm{n - 1}")[2], [f"10.{(n - 1) // 200}.{(n - 1) % 200}.4/24"])

    # Lent: a sidecar in somebody's namespace.

    def sidecar(self, name="fw"):
        """A process in a namespace of its own, unprivileged, and its helper."""
        os.makedirs(self.guests, exist_ok=True)
        holder = subprocess.Popen(["unshare", "--net", "sleep", "600"])
        self.addCleanup(self.end, holder)
        until(lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != os.readlink("/proc/self/ns/net"), "a namespace")
        (self.guests / name).symlink_to(f"/proc/{holder.pid}/ns/net")
        return holder

    def test_sidecar_without_privileges(self):
        self.sidecar()
        switch = self.switch()
        os.chmod(self.path, 0o666)
        os.chmod(self.top, 0o711)
        switch.tell("port fw 10.1.2.4 24 0")
        command = ["nsenter", f"--net={self.guests / 'fw'}", "setpriv", "--reuid=65534", "--regid=65534",
                   "--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs",
                   BIN / "fabattach", "--socket", self.path, "--name", "fw"]
        if subprocess.run(command[:9] + ["test", "-x", BIN / "fabattach"], check=False).returncode != 0:
            self.skipTest("the build tree is closed to other users")
        with open(self.top / "helper.log", "a") as err:
            helper = subprocess.Popen(command, stderr=err)
        self.addCleanup(self.end, helper)
        switch.expect("fw attached")
        self.assertEqual(self.interface("fw")[2], ["10.1.2.4/24"])
        self.end(helper)
        switch.expect("fw detached")
        until(lambda: self.interface("fw") is None, "the interface goes with who held it")

    def entry_point(self, *args):
        """fabattach as the first program of a container, in the namespace of fw."""
        return self.spawn_in("fw", BIN / "fabattach", "--socket", self.path, "--name", "fw", *args)

    def spawn_in(self, guest, *command):
        with open(self.top / "helper.log", "a") as err:
            process = subprocess.Popen(["nsenter", f"--net={self.guests / guest}", *command], stderr=err,
                                       stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_software_starts_with_its_interface(self):
        """As a VM boots; not before, and under the name that was asked for."""
        self.sidecar()
        guest = self.entry_point("--interface", "vnet0", "--", "sh", "-c",
                                 "ip -4 -o addr show vnet0; exec tail -f /dev/null")
        switch = self.switch()
        switch.tell("port fw 10.1.2.4 24 0")
        switch.expect("fw attached")
        self.assertIn("10.1.2.4/24", guest.stdout.readline())
        self.assertIsNone(self.interface("fw", "eth0"))
        # Its only interface has the default route; one beside another leaves that alone.
        self.assertNotIn("default", self.run_in("fw", "ip", "-4", "route"))
        self.run_in("fw", "ip", "link", "add", "other", "type", "veth", "peer", "name", "end")
        self.run_in("fw", "ip", "addr", "add", "192.0.2.2/24", "dev", "other")
        self.run_in("fw", "ip", "link", "set", "other", "up")
        self.run_in("fw", "ip", "link", "set", "end", "up")
        self.run_in("fw", "ip", "route", "add", "default", "via", "192.0.2.1")
        for dst, dev in (("10.11.0.4", "vnet0"), ("192.0.2.1", "other"), ("8.8.8.8", "vnet0")):
            self.assertEqual(json.loads(self.run_in("fw", "ip", "-j", "route", "get", dst))[0]["dev"], dev)
        up = [BIN / "fabattach", "--is-up"]
        self.assertEqual(subprocess.run(["nsenter", f"--net={self.guests / 'fw'}", *up, "vnet0"],
                                        check=False).returncode, 0)
        self.assertEqual(subprocess.run(["nsenter", f"--net={self.guests / 'fw'}", *up, "eth0"],
                                        check=False).returncode, 1)
        guest.terminate()  # it is tail by now
        self.assertEqual(guest.wait(timeout=10), -signal.SIGTERM)
        switch.expect("fw detached")

    def test_exit_codes_of_an_entry_point(self):
        self.sidecar()
        switch = self.switch()
        switch.tell("port fw 10.1.2.4 24 0")
        for command, code in ((["sh", "-c", "exit 7"], 7), (["/no/such/program"], 127), (["/dev/null"], 126)):
            with self.subTest(command):
                self.assertEqual(self.entry_point("--", *command).wait(timeout=20), code)

    def test_entry_point_that_waits_can_be_stopped(self):
        self.sidecar()
        guest = self.entry_point("--", "true")
        until(lambda: "not attached" in (self.top / "helper.log").read_text(), "it waits for vswitchd")
        guest.terminate()
        self.assertEqual(guest.wait(timeout=10), 128 + signal.SIGTERM)

    def test_own_namespace_is_refused(self):
        """Or the default route of this machine would change."""
        switch = self.switch()
        switch.tell("port fw 10.1.2.4 24 0")
        self.helper("--name", "fw")
        until(lambda: any("network namespace is vswitchd's own" in line for line in switch.said), lambda: switch.said)

    def test_name_is_its_first_bearers(self):
        self.sidecar("a")
        switch = self.switch()
        switch.tell("port vm11 10.11.0.4 24 0")
        first = self.helper("--make", self.guests / "x", "vm11")
        switch.expect("vm11 attached")
        self.helper("--make", self.guests / "y", "vm11")
        until(lambda: any("another helper has attached" in line for line in switch.said), lambda: switch.said)
        self.assertEqual(self.interface("x/vm11")[2], ["10.11.0.4/24"])
        self.end(first, signal.SIGKILL)
        switch.expect("vm11 detached", "vm11 attached")  # the second one's turn
        self.assertEqual(self.interface("y/vm11")[2], ["10.11.0.4/24"])

    def test_interface_in_the_way(self):
        self.sidecar()
        self.run_in("fw", "ip", "tuntap", "add", "eth0", "mode", "tap")
        switch = self.switch()
        switch.tell("port fw 10.1.2.4 24 0")
        with open(self.top / "helper.log", "a") as err:
            helper = subprocess.Popen(["nsenter", f"--net={self.guests / 'fw'}", BIN / "fabattach", "--socket",
                                       self.path, "--name", "fw"], stderr=err)
        self.addCleanup(self.end, helper)
        until(lambda: any("has one of that name already" in line for line in switch.said), lambda: switch.said)
        self.run_in("fw", "ip", "link", "del", "eth0")
        switch.expect("fw attached")

    def test_router_of_the_platform_has_no_interface(self):
        switch = self.switch()
        switch.tell("router gw1")
        self.helper("--make", self.guests, "gw1")
        until(lambda: any("not a guest" in line for line in switch.said), lambda: switch.said)

    # Guests that lie.

    def hello(self, name, fds, magic=0x46414231, version=2, flags=None, iface=b"eth0"):
        """Says hello in Python; (status, text) of the answer, None if the connection was closed."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.connect(str(self.path))
            flags = (1 if len(fds) == 3 else 0) if flags is None else flags
            socket.send_fds(s, [HELLO.pack(magic, version, flags, name, iface)], fds)
            s.settimeout(20)
            data, got, _, _ = socket.recv_fds(s, 512, 4)
            for fd in got:
                os.close(fd)
            return ANSWER.unpack(data)[2:] if data else None

    def refused(self, want, *args, **kwargs):
        status, text = self.hello(*args, **kwargs)
        text = text.rstrip(b"\0").decode()
        self.assertLess(status, 0)
        self.assertIn(want, text)

    def test_wrong_descriptors(self):
        """None may touch our own namespace, whatever is handed over."""
        self.sidecar("a"), self.sidecar("b")
        switch = self.switch()
        switch.tell("port fw 10.1.2.4 24 0")
        null = os.open("/dev/null", os.O_RDWR)
        guest, other, own = (os.open(p, os.O_RDONLY)
                             for p in (self.guests / "a", self.guests / "b", "/proc/self/ns/net"))
        users = os.open("/proc/self/ns/user", os.O_RDONLY)
        ours = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        theirs = self.socket_in(guest)
        tun = os.open("/dev/net/tun", os.O_RDWR)
        for fd in (null, guest, other, own, users, tun):
            self.addCleanup(os.close, fd)
        for s in (ours, udp, theirs):
            self.addCleanup(s.close)
        cases = [
            ("not a network namespace", [null, theirs.fileno()]),
            ("not a network namespace", [users, theirs.fileno()]),
            ("vswitchd's own", [own, ours.fileno()]),
            ("not an rtnetlink socket", [guest, null]),
            ("not an rtnetlink socket", [guest, udp.fileno()]),
            ("not in the guest's namespace", [guest, ours.fileno()]),
            ("not in the guest's namespace", [other, theirs.fileno()]),
            ("not a TAP", [guest, theirs.fileno(), null]),
            ("number of descriptors", [guest]),
            ("number of descriptors", [guest, theirs.fileno(), null], 0x46414231, 2, 0),
            ("too many descriptors", [guest] * 5),
            ("proper name", None),
            ("version 1", [guest, theirs.fileno()], 0x46414231, 1),
            ("not the attach protocol", [guest, theirs.fileno()], 7),
        ]
        for want, fds, *rest in cases:
            with self.subTest(want, fds=fds):
                if fds is None:
                    self.refused(want, b"../../etc", [guest, theirs.fileno()])
                else:
                    self.refused(want, b"fw", fds, *rest)
        # A TAP without an interface is not kept, but no reason to refuse: there will be a new one.
        self.assertEqual(self.hello(b"fw", [guest, theirs.fileno(), tun])[0], 0)
        # One of another guest is refused.
        tap = self.tap_in(other)
        self.addCleanup(os.close, tap)
        self.refused("TAP", b"fw", [guest, theirs.fileno(), tap])

    def socket_in(self, netns):
        return self.inside(netns, lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE))

    def tap_in(self, netns):
        """A TAP as vswitchd makes them, in another namespace."""
        def make():
            import fcntl
            fd = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", b"x0", 0x0002 | 0x1000 | 0x4000))
            return fd
        return self.inside(netns, make)

    def inside(self, netns, make):
        """Runs make() in a thread that is in netns and ends there."""
        libc, out = ctypes.CDLL(None, use_errno=True), []

        def run():
            assert libc.setns(netns, CLONE_NEWNET) == 0
            out.append(make())
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        return out[0]

    def test_silence_and_chatter(self):
        switch = self.switch()
        switch.tell("port vm11 10.11.0.4 24 0")
        silent = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(50)]
        for s in silent:
            self.addCleanup(s.close)
            s.connect(str(self.path))
        self.helper("--make", self.guests, "vm11")
        switch.expect("vm11 attached")  # they are in nobody's way
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.connect(str(self.path))
            for junk in (b"x", b"x" * 76, b"\0" * 5000):
                try:
                    s.send(junk)
                except (BrokenPipeError, ConnectionResetError):
                    break
            until(lambda: any("(no name)" in line for line in switch.said), lambda: switch.said)
        for s in silent:  # and do not stay for ever
            s.settimeout(20)
            self.assertIn(b"no hello came", s.recv(512))
        self.assertIsNotNone(process_state(switch.process.pid))


class Usage(unittest.TestCase):
    """What needs no root."""

    def run_helper(self, *args):
        return subprocess.run([BIN / "fabattach", *args], capture_output=True, text=True, check=False, timeout=20)

    def test_usage(self):
        s = ("--socket", "/nowhere")
        for args in ((), s, ("--name", "a"), s + ("--name", "a", "--make", "/x"), s + ("--make", "/x"),
                     s + ("--name", "a", "b"), s + ("--name", "../a"), s + ("--make", "/x", "--list", "/none"),
                     s + ("--name", "a", "--log-level", "loud"), s + ("--what",)):
            with self.subTest(args=args):
                done = self.run_helper(*args)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertEqual(self.run_helper("--help").returncode, 0)
        self.assertRegex(self.run_helper("--version").stdout, r"^fabattach \d")


if __name__ == "__main__":
    unittest.main()
