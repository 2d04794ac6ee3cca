"""A hostile BGP peer against a running routeserverd, over TCP: it answers with the NOTIFICATION that the
RFC asks for, stays up, and the session with the well-behaved NVA beside it stays Established.
"""
import json
import os
import socket
import struct
import time
import unittest

from fabric import FabricTestCase

LOOP = f"127.{10 + os.getpid() % 200}"
PORT = 1791
RS = f"{LOOP}.0.4"
FW = f"{LOOP}.2.4"
STRANGER = f"{LOOP}.9.9"
HOLD_S = 3
WAIT_S = 15

MARKER = b"\xff" * 16
OPEN, UPDATE, NOTIFICATION, KEEPALIVE = 1, 2, 3, 4


def message(kind, body=b"", length=None):
    return MARKER + struct.pack("!HB", 19 + len(body) if length is None else length, kind) + body


def open_message(version=4, asn=65001, hold=90, router_id="10.1.2.4"):
    capabilities = struct.pack("!BBHBB", 1, 4, 1, 0, 1) + struct.pack("!BBI", 65, 4, asn)
    options = struct.pack("!BB", 2, len(capabilities)) + capabilities
    return message(OPEN, struct.pack("!BHH4sB", version, asn, hold, socket.inet_aton(router_id),
                                     len(options)) + options)


def update_message(attributes):
    return message(UPDATE, struct.pack("!HH", 0, len(attributes)) + attributes + b"\x10\x0a\x62")


ORIGIN = b"\x40\x01\x01\x00"
AS_PATH = b"\x40\x02\x06\x02\x01" + struct.pack("!I", 65001)
NEXT_HOP = b"\x40\x03\x04" + socket.inet_aton("10.1.2.4")
GARBAGE = bytes(range(1, 65))


class Peer:
    """One TCP connection; reads whole messages."""

    def __init__(self, source=FW):
        self.sock = socket.socket()
        self.sock.bind((source, 0))
        self.sock.settimeout(WAIT_S)
        self.sock.connect((RS, PORT))
        self.buffer = b""

    def read(self):
        """(kind, body) of the next message, None when the other side has closed."""
        while len(self.buffer) < 19 or len(self.buffer) < struct.unpack("!H", self.buffer[16:18])[0]:
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self.buffer += data
        length, kind = struct.unpack("!HB", self.buffer[16:19])
        body, self.buffer = self.buffer[19:length], self.buffer[length:]
        return kind, body

    def notification(self):
        """(code, subcode) that ends the connection; None if it just ends."""
        last = None
        while (got := self.read()) is not None:
            last = got
        return tuple(last[1][:2]) if last is not None and last[0] == NOTIFICATION else None

    def close(self):
        self.sock.close()


class Hostile(FabricTestCase):
    wait = "0s"  # fw is this test: nobody brings its sessions up
    topology_text = f"""
name: hostile
timing: fast
vnets:
  hub1:
    address_space: [10.1.0.0/16]
    subnets: {{RouteServerSubnet: 10.1.0.0/26, nva: 10.1.2.0/24}}
route_servers:
  rs1:
    vnet: hub1
    bgp_listen: ["{RS}:{PORT}", "{LOOP}.0.5:{PORT}"]
    peers: {{fw: {{transport_address: {FW}}}, nva2: {{transport: tcp}}}}
nvas:
  fw: {{subnet: hub1/nva, ip: 10.1.2.4, asn: 65001, run: [sleep, infinity]}}
  nva2:
    subnet: hub1/nva
    ip: 10.1.2.5
    asn: 65002
    transport: tcp
    bgp_listen: "{LOOP}.2.5:{PORT}"
    advertise: [10.99.0.0/16]
"""

    def setUp(self):
        for instance in ("rs1-0", "rs1-1"):
            self.fabric.fabctl("wait", f"session {instance} nva2 up", "--timeout", "30s")
        self.before = self.good_session()
        self.addCleanup(self.check_good_session)

    def good_session(self):
        """What the well-behaved NVA and the Route Server have lived through so far."""
        lines = self.fabric.fabctl("-o", "json", "events").stdout.splitlines()
        events = [json.loads(line) for line in lines]
        return ([e for e in events if e["kind"] == "session" and "nva2" in e["subject"] + e["text"]],
                {name: node["pid"] for name, node in self.fabric.ps().items()})

    def check_good_session(self):
        """Still the same session: no change of its state, no process replaced."""
        self.assertTrue(self.before[0])
        self.assertEqual(self.good_session(), self.before)
        self.assertEqual(self.fabric.ps()["nva2"]["sessions"], {"up": 2, "configured": 2})
        self.assertIn("10.99.0.0/16", self.fabric.learned("rs1", "nva2")[0])

    def connect(self):
        """A connection that the daemon has greeted with its OPEN. After an error it refuses the peer
        for a moment, and a connection that ends may still hold the place."""
        def attempt():
            peer = Peer()
            got = peer.read()
            if got is not None and got[0] == OPEN:
                self.addCleanup(peer.close)
                return peer
            peer.close()
            return None
        return self.until(attempt, "an OPEN from rs1-0")

    def establish(self):
        peer = self.connect()
        peer.sock.sendall(open_message() + message(KEEPALIVE))
        self.fabric.fabctl("wait", "session rs1-0 fw up", "--timeout", "10s")
        return peer

    def test_errors_before_established(self):
        """RFC 4271 6.1, 6.2, 6.6; RFC 6608."""
        for what, octets, want in [
            ("garbage", GARBAGE, (1, 1)),
            ("a length beyond 4096", message(OPEN, length=65535), (1, 2)),
            ("a length below the header's", message(KEEPALIVE, length=18), (1, 2)),
            ("a type that is none", message(9), (1, 3)),
            ("another version", open_message(version=3), (2, 1)),
            ("another AS", open_message(asn=64999), (2, 2)),
            ("an identifier of zero", open_message(router_id="0.0.0.0"), (2, 3)),
            ("a hold time of 1 s", open_message(hold=1), (2, 6)),
            ("UPDATE instead of OPEN", update_message(ORIGIN + AS_PATH + NEXT_HOP), (5, 1)),
            ("OPEN, then garbage", open_message() + GARBAGE, (1, 1)),
            ("OPEN twice", open_message() * 2, (5, 2)),
        ]:
            with self.subTest(what):
                peer = self.connect()
                peer.sock.sendall(octets)
                self.assertEqual(peer.notification(), want)

    def test_errors_when_established(self):
        """RFC 4271 6.1, 6.3; RFC 7606 3 (j): what cannot be parsed ends the session."""
        for what, octets, want in [
            ("garbage", GARBAGE, (1, 1)),
            ("a length beyond 4096", message(UPDATE, length=4097), (1, 2)),
            ("attributes longer than the message",
             message(UPDATE, struct.pack("!HH", 0, 400) + ORIGIN), (3, 1)),
            ("withdrawn routes longer than the message",
             message(UPDATE, struct.pack("!HH", 400, 0)), (3, 1)),
        ]:
            with self.subTest(what):
                peer = self.establish()
                peer.sock.sendall(octets)
                self.assertEqual(peer.notification(), want)

    def test_one_octet_at_a_time(self):
        peer = self.connect()
        peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in (open_message() + message(KEEPALIVE) +
                      update_message(ORIGIN + AS_PATH + NEXT_HOP)):
            peer.sock.send(bytes([octet]))
        self.until(lambda: "10.98.0.0/16" in self.fabric.learned("rs1", "fw")[0], "its route")
        peer.close()
        self.until(lambda: "10.98.0.0/16" not in self.fabric.learned("rs1", "fw")[0], "it gone")

    def test_half_an_open_then_silence(self):
        """The hold timer runs from the start: who says nothing does not keep a connection."""
        peer = self.connect()
        start = time.monotonic()
        peer.sock.sendall(open_message()[:25])
        self.assertEqual(peer.notification(), (4, 0))
        self.assertGreater(time.monotonic() - start, HOLD_S - 1)

    def test_many_strangers(self):
        """Only configured peers are heard; others hear nothing at all, not even an OPEN."""
        peers = [Peer(STRANGER) for _ in range(200)]
        for peer in peers:
            self.assertIsNone(peer.read())
            self.assertEqual(peer.buffer, b"")
            peer.close()

    def test_many_connections_of_a_peer(self):
        """A session has two places; who finds both taken, or is taken for a collision, is told so."""
        peers = [Peer() for _ in range(200)]
        for peer in peers:
            self.addCleanup(peer.close)
        ends = [peer.notification() for peer in peers]
        refused = [end for end in ends if end in ((6, 5), (6, 7))]
        self.assertGreaterEqual(len(refused), len(peers) - 2)
        self.assertLessEqual(set(ends) - set(refused), {(4, 0)})
        self.establish()


if __name__ == "__main__":
    unittest.main(verbosity=2)
