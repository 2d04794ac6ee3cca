"""Guests that mean no good: other guests keep their share, what they send is counted, nothing falls over."""
import contextlib
import signal
import subprocess
import unittest

from fabric import BIN, FabricTestCase, cannot_have_packets

CANNOT = cannot_have_packets("nsenter")
SHARE = 0.8  # of what they would get alone
# kind -> why its packets are dropped; None: some are carried, what is not has several reasons
KINDS = {"udp": None, "spoofed": "source", "arp": None, "broadcast": "not-unicast", "fragments": None,
         "oversized": None, "malformed": "bad-frame"}


@unittest.skipIf(CANNOT, CANNOT)
class HostileGuests(FabricTestCase):
    topology = "topologies/multi-region.yaml"
    packets = "on"
    wait = "60s"
    # Not with veths: packets of all guests share the kernel's queue of a processor, and the tens of thousands of
    # fragments that a guest's kernel makes of each of these at once fill it before any rule or program sees them.
    kinds = {kind: why for kind, why in KINDS.items() if kind != "oversized"}

    @contextlib.contextmanager
    def flood(self, kind, guest="vm11", own="10.11.0.4", other="10.1.10.4"):
        """The guest sends that kind of frames; ends when the block does, and must have sent some."""
        command = ["nsenter", f"--net={self.fabric.run_dir}/guests/{guest}", BIN / "hostile_guest", kind, own, other]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            yield process
            self.assertIsNone(process.poll(), "it floods to the end")
        finally:
            process.send_signal(signal.SIGTERM)
            sent, _ = process.communicate()
        self.assertEqual(process.returncode, 0)
        self.assertGreater(int(sent), 100)

    def nic(self, name):
        row = self.fabric.json("nics", name)["value"][0]
        return row | {"drops": {d["name"]: int(d["value"]) for d in row["drops"]}}

    def heard(self, before):
        now = self.nic("vm11")
        return now["rxPackets"] != before["rxPackets"] or now["drops"] != before["drops"]

    def test_others_keep_their_share(self):
        """UDR-3 for what is spoofed."""
        pid = self.fabric.pid("vswitchd")
        for kind, why in self.kinds.items():
            with self.subTest(kind=kind):
                before = self.nic("vm11")
                with self.flood(kind):
                    self.until(lambda start=before: self.heard(start), f"the switch hears {kind}")
                    told = self.fabric.json("probe", "jump2", "vm21", "--pps", "1000", "--duration", "2s")
                self.assertGreaterEqual(told["received"], SHARE * told["sent"], told)
                if why is not None:
                    self.until(lambda: self.nic("vm11")["drops"].get(why, 0) > before["drops"].get(why, 0),
                               f"drops of {kind} are counted")
        self.assertEqual(self.fabric.pid("vswitchd"), pid)

    def test_routes_still_change(self):
        """The control plane is heard while guests flood: NVA and VMs of one region at once."""
        with self.flood("udp"), self.flood("arp", "vm12", "10.12.0.4"):
            self.fabric.fabctl("kill", "nva1")
            self.fabric.fabctl("wait", "effective vm11 0.0.0.0/0 via 10.1.2.5", "--timeout", "30s")
            self.fabric.fabctl("start", "nva1")
            self.fabric.converged("60s")


@unittest.skipIf(CANNOT, CANNOT)
class HostileGuestsByTaps(HostileGuests):
    """A guest's queue is its own there."""

    engine = "taps"
    kinds = KINDS


if __name__ == "__main__":
    unittest.main()
