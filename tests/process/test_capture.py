"""Captures of NICs, read by tshark. Root only."""
import contextlib
import json
import signal
import subprocess
import threading
import unittest

from fabric import BIN, FabricTestCase, cannot_have_packets, find_program
from test_packets import Guests

CANNOT = cannot_have_packets("ip", "ping")


@unittest.skipIf(CANNOT, CANNOT)
class Captures(Guests, FabricTestCase):
    topology = "topologies/active-passive.yaml"
    packets = "on"
    wait = "60s"

    def setUp(self):
        self.fabric.converged()
        self.until_pings("vm11", "10.12.0.4")

    @contextlib.contextmanager
    def capture(self, *args, **how):
        """Runs until the block is done, or ends by itself; yields the process once it captures."""
        command = [BIN / "fabctl", "--url", self.fabric.url, *how.pop("globals", []), "capture", *args]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                self.assertEqual(process.stderr.readline(), b"fabctl: capturing %s; Ctrl-C ends\n" % args[0].encode())
                yield process
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGINT)

    def read(self, path, *fields):
        tshark = find_program("tshark")
        if tshark is None:
            self.skipTest("tshark is not installed")
        done = subprocess.run([tshark, "-n", "-r", path, "-T", "fields", "-E", "separator=|",
                               *[word for field in fields for word in ("-e", field)]],
                              capture_output=True, text=True, check=True)
        return [tuple(line.split("|")) for line in done.stdout.splitlines()]

    def test_file(self):
        """Both directions, the interface's name, and why a packet was dropped."""
        path = self.files / "vm11.pcapng"
        with self.capture("vm11", "-w", path) as process:
            self.run_in("vm11", "ping", "-n", "-q", "-c", "3", "-i", "0.01", "10.12.0.4")
            self.assertFalse(self.pings("vm11", "10.11.0.77"))
        self.assertEqual(process.wait(timeout=20), 0)
        rows = self.read(path, "frame.interface_name", "frame.packet_flags_direction", "icmp.type", "frame.comment",
                         "ip.src", "ip.dst")
        pings = [row for row in rows if row[2] != ""]
        there = ("vm11", "0x00000002", "8", "", "10.11.0.4", "10.12.0.4")
        back = ("vm11", "0x00000001", "0", "", "10.12.0.4", "10.11.0.4")
        lost = ("vm11", "0x00000002", "8", "dropped: no-owner", "10.11.0.4", "10.11.0.77")
        self.assertEqual((pings.count(there), pings.count(back), pings.count(lost)), (3, 3, 1))
        self.assertEqual(len(pings), 7)

    def test_pipe(self):
        """With a count it ends by itself."""
        path = self.files / "pipe.pcapng"
        with self.capture("nva1", "-w", "-", "--count", "4") as process:
            self.run_in("vm11", "ping", "-n", "-q", "-c", "5", "-i", "0.01", "10.12.0.4")
            path.write_bytes(process.stdout.read())
            self.assertEqual(process.stderr.read(), b"fabctl: 4 packets, 0 missed\n")
        self.assertEqual(process.returncode, 0)
        self.assertEqual(len(self.read(path, "frame.number")), 4)

    def test_lines(self):
        with self.capture("vm12", "--count", "2") as process:
            self.run_in("vm11", "ping", "-n", "-q", "-c", "1", "10.12.0.4")
            lines = process.stdout.read().decode().splitlines()
        self.assertRegex(lines[0], r"^\d\d:\d\d:\d\d\.\d{6}  in   10.11.0.4 > 10.12.0.4 ICMP echo request, id \d+, seq 1$")
        self.assertEqual(len(lines), 2)
        with self.capture("vm11", "--count", "1", globals=["-o", "json"]) as process:
            self.assertFalse(self.pings("vm11", "10.11.0.77"))
            told = json.loads(process.stdout.read())
        self.assertEqual(told["direction"], "out")
        self.assertIn(told["drop"], ("no-owner", ""))  # ARP may come first

    def test_of_a_link_that_loses(self):
        self.fabric.fabctl("link", "set", "vm11", "--loss", "100%")
        self.addCleanup(self.fabric.fabctl, "link", "clear", "vm11")
        self.until(lambda: not self.pings("vm11", "10.12.0.4"), "nothing passes")
        path = self.files / "loss.pcapng"
        with self.capture("vm11", "-w", path) as process:
            self.assertFalse(self.pings("vm11", "10.12.0.4"))
        self.assertEqual(process.wait(timeout=20), 0)
        rows = self.read(path, "icmp.type", "frame.comment")
        self.assertIn(("8", "dropped: impairment"), rows)

    def test_a_reader_that_does_not_read(self):
        """It loses packets and is told how many; nobody else notices."""
        read = []
        with self.capture("vm11", "-w", "-") as process:
            self.run_in("vm11", "ping", "-n", "-q", "-f", "-c", "600", "-s", "60000", "10.12.0.4")
            self.assertTrue(self.pings("vm11", "10.12.0.4"))
            reader = threading.Thread(target=lambda: read.extend(iter(lambda: process.stdout.read1(1 << 20), b"")))
            reader.start()
            mark = bytes.fromhex("cafe" * 8)
            self.until(lambda: self.pings("vm11", "10.12.0.4", "-p", "cafe") and mark in b"".join(read[-3:]),
                       "it has caught up", timeout=60)
            process.send_signal(signal.SIGINT)
            self.assertRegex(process.stderr.read().decode(), r"^fabctl: \d+ packets, [1-9]\d* missed\n")
            reader.join()
        self.assertEqual(process.returncode, 0)
        path = self.files / "slow.pcapng"
        path.write_bytes(b"".join(read))
        self.assertGreater(len(self.read(path, "frame.number")), 0)

    def test_several_at_once(self):
        with self.capture("vm11", "--count", "2") as one, self.capture("vm11", "--count", "2") as other:
            self.run_in("vm11", "ping", "-n", "-q", "-c", "2", "-i", "0.01", "10.12.0.4")
            self.assertEqual(one.stdout.read(), other.stdout.read())

    def test_what_cannot_be_captured(self):
        for args, status, want in [
                (["vm99"], 4, "NOT_FOUND: nobody is plugged in as 'vm99'"),
                (["vm11", "--count", "0"], 2, "USAGE: --count '0' is not a number from 1 on"),
                (["vm11", "-w", "/nonexistent/x"], 2, "FILE: cannot write /nonexistent/x: "),
                ([], 2, "USAGE: ")]:
            with self.subTest(args=args):
                done = self.fabric.fabctl("capture", *args, expect=status)
                self.assertRegex(done.stderr, f"^fabctl: {want}")
                self.assertEqual(done.stderr.count("\n"), 1)


if __name__ == "__main__":
    unittest.main()
