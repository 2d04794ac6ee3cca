"""BGP to the letter: every case of bgp_cases.py, said by a raw TCP peer to a running routeserverd. A second peer, the observer,
stays through all of it and sees what is announced to others; a marker route behind each message tells when that is decided.
"""
import os
import socket
import struct
import unittest

import bgp_cases as bgp
from fabric import FabricTestCase, until

LOOP = f"127.{10 + os.getpid() % 200}"
PORT = 1791
RS, SPEAKER, OBSERVER = f"{LOOP}.0.4", f"{LOOP}.2.4", f"{LOOP}.2.5"
WAIT_S = 15


class Peer:
    """One TCP connection; reads whole messages."""

    def __init__(self, source):
        self.sock = socket.create_connection((RS, PORT), WAIT_S, (source, 0))
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

    def say(self, octets):
        self.sock.sendall(octets)

    def last_words(self):
        """(code, subcode) of the NOTIFICATION that ends the connection; None if it just ends."""
        last = None
        while (got := self.read()) is not None:
            last = got
        return tuple(last[1][:2]) if last is not None and last[0] == bgp.NOTIFICATION else None

    def come_up(self, body):
        """Says OPEN, and waits until the other side is Established too: it says KEEPALIVE in OpenConfirm."""
        self.say(bgp.message(bgp.OPEN, body) + bgp.message(bgp.KEEPALIVE))
        got = self.read()
        if got is None or got[0] != bgp.KEEPALIVE:
            raise AssertionError(f"no KEEPALIVE but {got}")


def prefixes(octets):
    while octets:
        size = (octets[0] + 7) // 8
        yield f"{socket.inet_ntoa(octets[1:1 + size].ljust(4, bytes(1)))}/{octets[0]}"
        octets = octets[1 + size:]


def attributes(octets):
    """{type: (flags, value)}"""
    found = {}
    while octets:
        flags, kind = octets[:2]
        head = 4 if flags & 0x10 else 3
        size = int.from_bytes(octets[2:head], "big")
        found[kind] = flags, octets[head:head + size]
        octets = octets[head + size:]
    return found


class Observer(Peer):
    """Another NVA, with AS 65002: what it holds is what the Route Server announces."""

    def __init__(self):
        super().__init__(OBSERVER)
        self.routes = {}

    def take(self, body):
        end = 2 + int.from_bytes(body[:2], "big")
        begin = end + 2 + int.from_bytes(body[end:end + 2], "big")
        for net in prefixes(body[2:end]):
            self.routes.pop(net, None)
        for net in prefixes(body[begin:]):
            self.routes[net] = attributes(body[end + 2:begin])

    def until(self, condition):
        while not condition():
            got = self.read()
            if got is None or got[0] == bgp.NOTIFICATION:
                raise AssertionError(f"the observer's session has ended: {got}")
            if got[0] == bgp.UPDATE:
                self.take(got[1])


class BgpConformance(FabricTestCase):
    wait = "0s"  # the NVAs are this test
    topology_text = f"""
name: bgp-conformance
timing: {{profile: fast, bgp: {{hold: 600s, keepalive: 200s}}}}
vnets:
  hub1:
    address_space: [10.1.0.0/16]
    subnets: {{RouteServerSubnet: 10.1.0.0/26, nva: 10.1.2.0/24}}
route_servers:
  rs1:
    vnet: hub1
    bgp_listen: ["{RS}:{PORT}", "{LOOP}.0.5:{PORT}"]
    peers: {{nva1: {{transport_address: {SPEAKER}}}, nva2: {{transport_address: {OBSERVER}}}}}
nvas:
  nva1: {{subnet: hub1/nva, ip: 10.1.2.4, asn: {bgp.ASN}, run: [sleep, infinity]}}
  nva2: {{subnet: hub1/nva, ip: 10.1.2.5, asn: 65002, run: [sleep, infinity]}}
"""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.observer = cls.greeted(Observer)
        cls.addClassCleanup(cls.observer.sock.close)
        cls.observer.come_up(bgp.open_body(asn=65002, hold=600, router_id="10.1.2.5", options=bgp.parameter(
            2, bgp.IPV4 + bgp.capability(65, bgp.words(65002)))))
        cls.peer, cls.markers = None, 0

    @classmethod
    def greeted(cls, make):
        """A connection on which the daemon said OPEN. The one before may still hold the place."""
        def attempt():
            try:
                peer = make()
            except ConnectionRefusedError:
                return None
            got = peer.read()
            if got is not None and got[0] == bgp.OPEN:
                return peer
            peer.sock.close()
            return None
        return until(attempt, "an OPEN from rs1-0")

    def setUp(self):
        self.addCleanup(self.end)

    def end(self):
        cls = type(self)
        if cls.peer:
            cls.peer.sock.close()
        cls.peer = None
        self.observer.until(lambda: not [net for net in self.observer.routes if not net.startswith("10.1.")])

    def connected(self):
        self.end()
        type(self).peer = self.greeted(lambda: Peer(SPEAKER))
        return self.peer

    def established(self, body=bgp.open_body(hold=600)):
        if not self.peer:
            self.connected().come_up(body)
        return self.peer

    def settle(self):
        """Whatever was said has led to all that it leads to."""
        type(self).markers += 1
        net = f"30.{self.markers // 256}.{self.markers % 256}.0/24"
        self.peer.say(bgp.update(bgp.GOOD, bgp.prefix(net)))
        self.observer.until(lambda: net in self.observer.routes)

    def seen(self, net):
        return self.observer.routes.get(net)

    def check_update(self, net, octets, reaction):
        peer = self.established()
        if isinstance(reaction, tuple):
            peer.say(bgp.update(octets, bgp.prefix(net)))
            self.assertEqual(peer.last_words(), reaction)
            self.end()
            return
        if reaction == bgp.WITHDRAW:
            peer.say(bgp.update(bgp.GOOD, bgp.prefix(net)))
            self.settle()
            self.assertIsNotNone(self.seen(net))
        peer.say(bgp.update(octets, bgp.prefix(net)))
        self.settle()
        if reaction == bgp.WITHDRAW:
            self.assertIsNone(self.seen(net))
            return
        self.assertIsNotNone(self.seen(net))
        got = {kind: value for kind, (_, value) in self.seen(net).items()}
        for kind, want in (reaction if isinstance(reaction, dict) else {}).items():
            self.assertEqual(got.get(kind), want, f"attribute {kind}")

    def test_updates(self):
        for i, (rule, what, octets, reaction) in enumerate(bgp.UPDATES):
            with self.subTest(rule=rule, what=what):
                self.check_update(f"20.0.{i}.0/24", octets, reaction)

    def test_partial_marks_what_a_router_did_not_understand(self):
        """RFC 4271 5: the bit is set for an unknown attribute that is passed on, and stays for a known one."""
        self.established().say(bgp.update(bgp.more(0xc0, 99, b"\1") + bgp.attribute(0xe0, 8, bgp.words(1)),
                                          bgp.prefix("20.1.0.0/24")))
        self.settle()
        self.assertEqual({kind: flags & 0xe0 for kind, (flags, _) in self.seen("20.1.0.0/24").items() if kind in (8, 99)},
                         {8: 0xe0, 99: 0xe0})

    def test_prefixes(self):
        for rule, what, octets, have, lack in bgp.PREFIXES:
            with self.subTest(rule=rule, what=what):
                self.established().say(octets)
                self.settle()
                self.assertEqual([net for net in have if net not in self.observer.routes], [])
                self.assertEqual([net for net in lack if net in self.observer.routes], [])

    def test_what_ends_a_session(self):
        for rule, what, octets, want in bgp.ESTABLISHED:
            with self.subTest(rule=rule, what=what):
                self.end()
                self.established().say(octets)
                self.assertEqual(self.peer.last_words(), want)

    def test_what_is_no_open(self):
        for rule, what, octets, want in bgp.OPENS:
            with self.subTest(rule=rule, what=what):
                self.connected().say(octets)
                self.assertEqual(self.peer.last_words(), want)

    def test_opens(self):
        for i, (rule, what, body) in enumerate(bgp.GOOD_OPENS):
            with self.subTest(rule=rule, what=what):
                self.end()
                peer = self.established(body)
                old = bgp.capability(65)[:1] not in body[10:]
                path = struct.pack("!BBH", 2, 1, bgp.ASN) if old else bgp.path((bgp.SEQUENCE, bgp.ASN))
                peer.say(bgp.update(bgp.ORIGIN + bgp.attribute(0x40, 2, path) + bgp.NEXT_HOP,
                                    bgp.prefix(f"20.2.{i}.0/24")))
                self.observer.until(lambda net=f"20.2.{i}.0/24": net in self.observer.routes)
                self.assertEqual(self.seen(f"20.2.{i}.0/24")[2][1], bgp.OUT)

    def test_one_octet_for_each_segment(self):
        """TCP is a stream: where its segments end does not matter."""
        peer = self.established()
        peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in bgp.update(bgp.GOOD, bgp.prefix("20.3.0.0/24")) + bgp.message(bgp.KEEPALIVE):
            peer.say(bytes([octet]))
        self.settle()
        self.assertIsNotNone(self.seen("20.3.0.0/24"))

    def test_a_thousand_messages_at_once(self):
        self.established().say(b"".join(bgp.update(bgp.GOOD, bgp.prefix(f"22.{i // 256}.{i % 256}.0/24"))
                                        for i in range(1000)))
        self.settle()
        self.assertEqual(sum(net.startswith("22.") for net in self.observer.routes), 1000)


if __name__ == "__main__":
    unittest.main()
