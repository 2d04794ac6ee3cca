"""What a BGP peer may say, and what must follow: data for test_bgp_conformance.py.

An UPDATE case is (rule, what, attributes, reaction). The UPDATE announces a prefix of its own with those attributes.
Reactions:

    PASS      the observer, another eBGP peer of the Route Server, gets the route
    {T: V}    the same, and attribute type T of it has the value V (None: it is not there)
    WITHDRAW  the session stays; the route that was there before is withdrawn (RFC 7606 2: treat-as-withdraw)
    IGNORE    the session stays, and nothing comes of it
    (C, S)    NOTIFICATION with code C and subcode S
"""
import socket
import struct

PASS, WITHDRAW, IGNORE = "pass", "withdraw", "ignore"
MARKER = b"\xff" * 16
OPEN, UPDATE, NOTIFICATION, KEEPALIVE, REFRESH = 1, 2, 3, 4, 5
ASN, RS_ASN, ADDRESS = 65001, 65515, "10.1.2.4"


def message(kind, body=b"", length=None, marker=MARKER):
    return marker + struct.pack("!HB", 19 + len(body) if length is None else length, kind) + body


def capability(code, value=b""):
    return struct.pack("!BB", code, len(value)) + value


def parameter(kind, value):
    return struct.pack("!BB", kind, len(value)) + value


IPV4 = capability(1, b"\x00\x01\x00\x01")
AS4 = capability(65, struct.pack("!I", ASN))
REFRESHES = capability(2)


def open_body(version=4, asn=ASN, hold=90, router_id=ADDRESS, options=None, length=None):
    if options is None:
        options = parameter(2, IPV4 + REFRESHES + AS4)
    return struct.pack("!BHH4sB", version, asn, hold, socket.inet_aton(router_id),
                       len(options) if length is None else length) + options


def attribute(flags, kind, value=b"", length=None):
    size = len(value) if length is None else length
    if flags & 0x10:
        return struct.pack("!BBH", flags, kind, size) + value
    return struct.pack("!BBB", flags, kind, size) + value


def path(*segments):
    """(type, asn...) each."""
    return b"".join(struct.pack("!BB", kind, len(asns)) + b"".join(struct.pack("!I", a) for a in asns)
                    for kind, *asns in segments)


def words(*values):
    return b"".join(struct.pack("!I", v) for v in values)


def prefix(text):
    address, length = text.split("/")
    return bytes([int(length)]) + socket.inet_aton(address)[:(int(length) + 7) // 8]


def update(attributes=b"", announced=b"", withdrawn=b""):
    return message(UPDATE, struct.pack("!H", len(withdrawn)) + withdrawn + struct.pack("!H", len(attributes)) +
                   attributes + announced)


SET, SEQUENCE, CONFED_SEQUENCE, CONFED_SET = 1, 2, 3, 4
ORIGIN = attribute(0x40, 1, b"\0")
AS_PATH = attribute(0x40, 2, path((SEQUENCE, ASN)))
NEXT_HOP = attribute(0x40, 3, socket.inet_aton(ADDRESS))
GOOD = ORIGIN + AS_PATH + NEXT_HOP
OUT = path((SEQUENCE, RS_ASN, ASN))
# What the Route Server makes of each route for an NVA (RS-72).
INSTANCE, MARK = socket.inet_aton("10.1.0.4"), 0xffedffed


def origin(value, flags=0x40):
    return attribute(flags, 1, value) + AS_PATH + NEXT_HOP


def as_path(value, flags=0x40):
    return ORIGIN + attribute(flags, 2, value) + NEXT_HOP


def next_hop(value, flags=0x40):
    return ORIGIN + AS_PATH + attribute(flags, 3, value)


def more(flags, kind, value=b"", length=None):
    return GOOD + attribute(flags, kind, value, length)


def mp_reach(afi, safi, hop, nlri, flags=0x80):
    return attribute(flags, 14, struct.pack("!HBB", afi, safi, len(hop)) + hop + b"\0" + nlri)


IPV6_HOP = bytes.fromhex("20010db8000000000000000000000001")
IPV6_NET = b"\x20\x20\x01\x0d\xb8"

UPDATES = [
    # The three that must be there.
    ("RFC 4271 5", "mandatory attributes", GOOD, {1: b"\0", 2: OUT, 3: INSTANCE}),
    ("RFC 4271 5", "in another order", NEXT_HOP + ORIGIN + AS_PATH, {2: OUT}),
    ("RFC 7606 3 d", "no ORIGIN", AS_PATH + NEXT_HOP, WITHDRAW),
    ("RFC 7606 3 d", "no AS_PATH", ORIGIN + NEXT_HOP, WITHDRAW),
    ("RFC 7606 3 d", "no NEXT_HOP", ORIGIN + AS_PATH, WITHDRAW),
    ("RFC 7606 3 d", "no attributes", b"", WITHDRAW),
    # ORIGIN
    ("RFC 4271 5.1.1, RS-58", "EGP", origin(b"\1"), {1: b"\0"}),
    ("RFC 4271 5.1.1, RS-58", "INCOMPLETE", origin(b"\2"), {1: b"\0"}),
    ("RFC 7606 7.1", "ORIGIN 3", origin(b"\3"), WITHDRAW),
    ("RFC 7606 7.1", "ORIGIN 255", origin(b"\xff"), WITHDRAW),
    ("RFC 7606 7.1", "ORIGIN of no octet", origin(b""), WITHDRAW),
    ("RFC 7606 7.1", "ORIGIN of two octets", origin(b"\0\0"), WITHDRAW),
    ("RFC 7606 3 c", "ORIGIN that is optional", origin(b"\0", 0xc0), WITHDRAW),
    ("RFC 7606 3 c", "ORIGIN that is not transitive", origin(b"\0", 0x00), WITHDRAW),
    ("RFC 4271 4.3", "ORIGIN with an extended length", attribute(0x50, 1, b"\0") + AS_PATH + NEXT_HOP, PASS),
    ("RFC 4271 4.3", "flags' lower bits are ignored", attribute(0x4f, 1, b"\0") + AS_PATH + NEXT_HOP, PASS),
    # AS_PATH
    ("RFC 6793 4.1", "an AS of four octets", as_path(path((SEQUENCE, ASN, 4200000001))),
     {2: path((SEQUENCE, RS_ASN, ASN, 4200000001))}),
    ("RFC 4271 5.1.2", "two sequences", as_path(path((SEQUENCE, ASN), (SEQUENCE, 65100))), PASS),
    ("RFC 4271 5.1.2", "an AS_SET at the end", as_path(path((SEQUENCE, ASN), (SET, 65100, 65101))),
     {2: path((SEQUENCE, RS_ASN, ASN), (SET, 65100, 65101))}),
    ("RFC 4271 5.1.2", "a full sequence", as_path(path((SEQUENCE, *[ASN] * 255)), 0x50), PASS),
    ("RFC 4271 9.1.2, RS-50", "the Route Server's AS in it", as_path(path((SEQUENCE, ASN, RS_ASN))), WITHDRAW),
    ("RFC 4271 9.1.2, RS-50", "the Route Server's AS in a set", as_path(path((SEQUENCE, ASN), (SET, 65100, RS_ASN))),
     WITHDRAW),
    ("RFC 7606 7.2", "a segment of type 0", as_path(path((0, ASN))), WITHDRAW),
    ("RFC 7606 7.2", "a segment of type 5", as_path(path((5, ASN))), WITHDRAW),
    ("RFC 7606 7.2", "a segment of no AS", as_path(path((SEQUENCE,))), WITHDRAW),
    ("RFC 7606 7.2", "a segment that overruns", as_path(b"\x02\x02" + words(ASN)), WITHDRAW),
    ("RFC 7606 7.2", "a segment that underruns", as_path(path((SEQUENCE, ASN)) + b"\x02"), WITHDRAW),
    ("RFC 7606 7.2", "an odd octet", as_path(path((SEQUENCE, ASN)) + b"\0"), WITHDRAW),
    ("RFC 7607 2", "AS 0 in it", as_path(path((SEQUENCE, ASN, 0))), WITHDRAW),
    ("RFC 5065 5", "a confederation's sequence", as_path(path((CONFED_SEQUENCE, 65100), (SEQUENCE, ASN))), WITHDRAW),
    ("RFC 5065 5", "a confederation's set", as_path(path((SEQUENCE, ASN), (CONFED_SET, 65100))), WITHDRAW),
    ("RFC 7606 3 c", "AS_PATH that is optional", as_path(path((SEQUENCE, ASN)), 0xc0), WITHDRAW),
    ("RFC 7606 3 c", "AS_PATH that is not transitive", as_path(path((SEQUENCE, ASN)), 0x00), WITHDRAW),
    # NEXT_HOP
    ("RS-56", "somebody else's address", next_hop(socket.inet_aton("10.1.2.77")), {3: INSTANCE}),
    ("RFC 7606 7.3", "three octets", next_hop(b"\x0a\1\2"), WITHDRAW),
    ("RFC 7606 7.3", "five octets", next_hop(b"\x0a\1\2\4\0"), WITHDRAW),
    ("RFC 7606 7.3", "no octet", next_hop(b""), WITHDRAW),
    ("RFC 7606 3 c", "NEXT_HOP that is optional", next_hop(socket.inet_aton(ADDRESS), 0xc0), WITHDRAW),
    # MULTI_EXIT_DISC
    ("RFC 4271 5.1.4", "MED", more(0x80, 4, words(77)), PASS),
    ("RFC 7606 7.4", "MED of three octets", more(0x80, 4, b"\0\0\0"), WITHDRAW),
    ("RFC 7606 7.4", "MED of no octet", more(0x80, 4), WITHDRAW),
    ("RFC 7606 3 c", "MED that is transitive", more(0xc0, 4, words(77)), WITHDRAW),
    ("RFC 7606 3 c", "MED that is well-known", more(0x40, 4, words(77)), WITHDRAW),
    # LOCAL_PREF, from an external peer
    ("RFC 4271 5.1.5, RFC 7606 7.5", "LOCAL_PREF", more(0x40, 5, words(500)), {5: None}),
    ("RFC 7606 7.5", "LOCAL_PREF of two octets", more(0x40, 5, b"\0\0"), {5: None}),
    # ATOMIC_AGGREGATE, AGGREGATOR
    ("RFC 4271 5.1.6", "ATOMIC_AGGREGATE", more(0x40, 6), {6: b""}),
    ("RFC 7606 7.6", "ATOMIC_AGGREGATE of one octet", more(0x40, 6, b"\0"), {6: None}),
    ("RFC 4271 5.1.7", "AGGREGATOR", more(0xc0, 7, words(ASN) + b"\x0a\1\2\4"), {7: words(ASN) + b"\x0a\1\2\4"}),
    ("RFC 6793 4.1", "AGGREGATOR with two octets of AS", more(0xc0, 7, b"\xfd\xe9\x0a\1\2\4"), {7: None}),
    ("RFC 7606 7.7", "AGGREGATOR of no octet", more(0xc0, 7), {7: None}),
    ("RFC 7607 2", "AGGREGATOR with AS 0", more(0xc0, 7, words(0) + b"\x0a\1\2\4"), {7: None}),
    ("RFC 7606 3 c", "AGGREGATOR that is not transitive", more(0x80, 7, words(ASN) + b"\x0a\1\2\4"), WITHDRAW),
    # COMMUNITIES
    ("RFC 1997", "a community", more(0xc0, 8, words(0xfde90001)), {8: words(0xfde90001, MARK)}),
    ("RFC 1997", "sixty communities", more(0xc0, 8, words(*range(0xfde90000, 0xfde9003c))),
     {8: words(*range(0xfde90000, 0xfde9003c), MARK)}),
    ("RFC 1997, RS-78", "NO_ADVERTISE", more(0xc0, 8, words(0xffffff02)), WITHDRAW),
    ("RFC 1997, RS-79", "NO_EXPORT", more(0xc0, 8, words(0xffffff01)), WITHDRAW),
    ("RFC 7606 7.8", "COMMUNITIES of three octets", more(0xc0, 8, b"\0\0\0"), WITHDRAW),
    ("RFC 7606 7.8", "COMMUNITIES of no octet", more(0xc0, 8), WITHDRAW),
    ("RFC 7606 7.8", "COMMUNITIES of five octets", more(0xc0, 8, words(1) + b"\0"), WITHDRAW),
    ("RFC 7606 3 c", "COMMUNITIES that are not transitive", more(0x80, 8, words(0xfde90001)), WITHDRAW),
    ("RFC 7606 3 c", "COMMUNITIES that are well-known", more(0x40, 8, words(0xfde90001)), WITHDRAW),
    # Reflection, from an external peer
    ("RFC 7606 7.9", "ORIGINATOR_ID", more(0x80, 9, words(1)), {9: None}),
    ("RFC 7606 7.9", "ORIGINATOR_ID of two octets", more(0x80, 9, b"\0\0"), {9: None}),
    ("RFC 7606 7.10", "CLUSTER_LIST", more(0x80, 10, words(1)), {10: None}),
    ("RFC 7606 7.10", "CLUSTER_LIST of two octets", more(0x80, 10, b"\0\0"), {10: None}),
    # Extended and large communities
    ("RFC 4360", "an extended community", more(0xc0, 16, b"\0\2" + b"\xfd\xe9" + words(1)),
     {16: b"\0\2" + b"\xfd\xe9" + words(1)}),
    ("RFC 7606 7.14", "seven octets", more(0xc0, 16, bytes(7)), WITHDRAW),
    ("RFC 7606 7.14", "no octet", more(0xc0, 16), WITHDRAW),
    ("RFC 7606 3 c", "extended communities that are not transitive", more(0x80, 16, bytes(8)), WITHDRAW),
    ("RFC 8092 3", "a large community", more(0xc0, 32, words(ASN, 1, 2)), {32: words(ASN, 1, 2)}),
    ("RFC 8092 6", "eleven octets", more(0xc0, 32, bytes(11)), WITHDRAW),
    ("RFC 8092 6", "no octet", more(0xc0, 32), WITHDRAW),
    ("RFC 7606 7.15", "IPv6 address specific communities", more(0xc0, 25, bytes(20)), {25: bytes(20)}),
    ("RFC 7606 7.15", "nineteen octets", more(0xc0, 25, bytes(19)), WITHDRAW),
    # Attributes of old speakers, from a new one
    ("RFC 6793 6", "AS4_PATH", more(0xc0, 17, path((SEQUENCE, ASN))), {17: None, 2: OUT}),
    ("RFC 6793 6", "AS4_PATH that is malformed", more(0xc0, 17, b"\x02\x09"), {17: None, 2: OUT}),
    ("RFC 6793 6", "AS4_AGGREGATOR", more(0xc0, 18, words(ASN) + b"\x0a\1\2\4"), {18: None}),
    # What nobody here knows
    ("RFC 4271 5", "an unknown transitive attribute gets Partial", more(0xc0, 99, b"\1\2\3"), {99: b"\1\2\3"}),
    ("RFC 4271 5", "an unknown transitive attribute, 300 octets", more(0xd0, 99, bytes(300)), {99: bytes(300)}),
    ("RFC 4271 5", "an unknown attribute that is not transitive", more(0x80, 99, b"\1"), {99: None}),
    ("RFC 4271 6.3", "an unknown well-known attribute", more(0x40, 99, b"\1"), (3, 2)),
    ("RFC 4271 6.3", "an unknown attribute without any flag", more(0x00, 99, b"\1"), (3, 2)),
    # Twice
    ("RFC 7606 3 g", "ORIGIN twice: the first counts", GOOD + attribute(0x40, 1, b"\2"), {1: b"\0"}),
    ("RFC 7606 3 g", "COMMUNITIES twice", more(0xc0, 8, words(0xfde90001)) + attribute(0xc0, 8, words(0xfde90002)),
     {8: words(0xfde90001, MARK)}),
    ("RFC 7606 3 g", "the same, the second malformed", GOOD + attribute(0x40, 3, b"\1"), PASS),
    ("RFC 7606 3 g", "MP_REACH_NLRI twice", GOOD + mp_reach(2, 1, IPV6_HOP, IPV6_NET) * 2, (3, 1)),
    # Lengths
    ("RFC 7606 4", "an attribute that overruns all", GOOD + attribute(0xc0, 8, words(1), 200), WITHDRAW),
    ("RFC 7606 4", "half a header at the end", GOOD + b"\xc0", WITHDRAW),
    ("RFC 7606 4", "an extended length that is cut", GOOD + b"\xd0\x08\x00", WITHDRAW),
    # Other families
    ("RFC 4760 3", "IPv6 beside IPv4", GOOD + mp_reach(2, 1, IPV6_HOP, IPV6_NET), PASS),
    ("RFC 7606 7.11", "MP_REACH_NLRI of three octets", more(0x80, 14, b"\0\2\1"), (3, 9)),
    ("RFC 7606 7.11", "a next hop that overruns", more(0x80, 14, b"\0\2\1\x40" + bytes(4)), (3, 9)),
    ("RFC 7606 7.11", "an IPv6 next hop of four octets", GOOD + mp_reach(2, 1, bytes(4), IPV6_NET), (3, 9)),
    ("RFC 7606 7.12", "MP_UNREACH_NLRI of two octets", more(0x80, 15, b"\0\2"), (3, 9)),
    ("RFC 4760 6", "a family that was not negotiated", GOOD + mp_reach(25, 65, bytes(4), bytes(8)), PASS),
]

# (rule, what, octets after OPEN and KEEPALIVE, NOTIFICATION)
ESTABLISHED = [
    ("RFC 4271 6.1", "a marker with a zero", message(KEEPALIVE, marker=b"\0" + b"\xff" * 15), (1, 1)),
    ("RFC 4271 6.1", "a length of 18", message(KEEPALIVE, length=18), (1, 2)),
    ("RFC 4271 6.1", "a length of 0", message(KEEPALIVE, length=0), (1, 2)),
    ("RFC 4271 6.1", "a length of 4097", message(UPDATE, length=4097), (1, 2)),
    ("RFC 4271 6.1", "KEEPALIVE of 20 octets", message(KEEPALIVE, b"\0"), (1, 2)),
    ("RFC 4271 6.1", "UPDATE of 22 octets", message(UPDATE, bytes(3)), (1, 2)),
    ("RFC 4271 6.1", "type 0", message(0), (1, 3)),
    ("RFC 4271 6.1", "type 6", message(6), (1, 3)),
    ("RFC 4271 6.1", "type 255", message(255), (1, 3)),
    ("RFC 6608", "OPEN again", message(OPEN, open_body()), (5, 3)),
    ("RFC 7606 3 b", "withdrawn routes longer than the message", message(UPDATE, b"\x01\x00\0\0"), (3, 1)),
    ("RFC 7606 3 b", "attributes longer than the message", message(UPDATE, b"\0\0\x01\x00"), (3, 1)),
    ("RFC 7606 5.3", "a prefix of /33", update(GOOD, b"\x21\x0a\0\0\0\0"), (3, 10)),
    ("RFC 7606 5.3", "a prefix that is cut", update(GOOD, b"\x18\x0a\0"), (3, 10)),
    ("RFC 7606 5.3", "a withdrawn prefix of /33", update(b"", b"", b"\x21\x0a\0\0\0\0"), (3, 10)),
    ("RFC 4271 6.1", "ROUTE-REFRESH of 22 octets", message(REFRESH, b"\0\1\0"), (1, 2)),
]

# (rule, what, octets instead of OPEN, NOTIFICATION)
OPENS = [
    ("RFC 4271 6.1", "a marker with a zero", message(OPEN, open_body(), marker=b"\xff" * 15 + b"\0"), (1, 1)),
    ("RFC 4271 6.1", "OPEN of 28 octets", message(OPEN, bytes(9)), (1, 2)),
    ("RFC 4271 6.1", "a type that is none", message(9), (1, 3)),
    ("RFC 4271 6.2", "version 3", message(OPEN, open_body(version=3)), (2, 1)),
    ("RFC 4271 6.2", "version 5", message(OPEN, open_body(version=5)), (2, 1)),
    ("RFC 4271 6.2", "another AS", message(OPEN, open_body(options=parameter(2, IPV4 + capability(65, words(65099))),
                                                            asn=65099)), (2, 2)),
    ("RFC 7607 2", "AS 0", message(OPEN, open_body(asn=0, options=b"")), (2, 2)),
    ("RFC 6793 4.1", "AS 0 in the capability", message(OPEN, open_body(options=parameter(2, capability(65, words(0))))),
     (2, 2)),
    ("RFC 4271 6.2, RFC 6286 2.2", "identifier 0.0.0.0", message(OPEN, open_body(router_id="0.0.0.0")), (2, 3)),
    ("RFC 4271 6.2", "a hold time of 1 s", message(OPEN, open_body(hold=1)), (2, 6)),
    ("RFC 4271 6.2", "a hold time of 2 s", message(OPEN, open_body(hold=2)), (2, 6)),
    ("RFC 4271 6.2", "an unknown parameter", message(OPEN, open_body(options=parameter(99, b"\0"))), (2, 4)),
    ("RFC 5492 3", "authentication, which is gone", message(OPEN, open_body(options=parameter(1, b"\0"))), (2, 4)),
    ("RFC 4271 6.2", "parameters longer than the message", message(OPEN, open_body(length=200)), (2, 0)),
    ("RFC 4271 6.2", "a parameter that overruns", message(OPEN, open_body(options=b"\x02\x20\0")), (2, 0)),
    ("RFC 6608", "UPDATE instead of OPEN", update(GOOD, prefix("10.98.0.0/16")), (5, 1)),
    ("RFC 6608", "KEEPALIVE instead of OPEN", message(KEEPALIVE), (5, 1)),
    ("RFC 6608", "UPDATE instead of KEEPALIVE", message(OPEN, open_body()) + update(GOOD, prefix("10.98.0.0/16")), (5, 2)),
    ("RFC 6608", "OPEN instead of KEEPALIVE", message(OPEN, open_body()) * 2, (5, 2)),
]

# (rule, what, body of OPEN): the session comes up, and a route passes.
GOOD_OPENS = [
    ("RFC 5492 3", "no capabilities", open_body(options=b"")),
    ("RFC 5492 4", "a parameter for each capability", open_body(options=b"".join(
        parameter(2, c) for c in (IPV4, AS4, REFRESHES)))),
    ("RFC 5492 4", "a capability twice", open_body(options=parameter(2, IPV4 + IPV4 + AS4))),
    ("RFC 5492 3", "an unknown capability", open_body(options=parameter(2, IPV4 + AS4 + capability(200, b"\1\2\3")))),
    ("RFC 4271 4.2", "a hold time of zero", open_body(hold=0)),
    ("RFC 4271 4.2", "a hold time of 65535 s", open_body(hold=65535)),
    ("RFC 6793 4.1", "AS_TRANS beside the capability", open_body(asn=23456)),
    ("RFC 4724 3", "graceful restart", open_body(options=parameter(2, IPV4 + AS4 + capability(64, b"\x80\x78\0\1\1\x80")))),
    ("RFC 7911 4", "additional paths", open_body(options=parameter(2, IPV4 + AS4 + capability(69, b"\0\1\1\3")))),
    ("RFC 8654 3", "extended messages", open_body(options=parameter(2, IPV4 + AS4 + capability(6)))),
    ("RFC 7313 3", "enhanced route refresh", open_body(options=parameter(2, IPV4 + AS4 + REFRESHES + capability(70)))),
    ("RFC 4760 8", "IPv6 too", open_body(options=parameter(2, IPV4 + capability(1, b"\0\2\0\1") + AS4))),
    ("RFC 6286 2.1", "an identifier that is no address of anybody", open_body(router_id="255.255.255.254")),
]

# (rule, what, octets, prefixes that the observer has afterwards, prefixes that it has not)
PREFIXES = [
    ("RFC 4271 4.3", "the default route", update(GOOD, b"\0"), ["0.0.0.0/0"], []),
    ("RFC 4271 4.3", "and back", update(b"", b"", b"\0"), [], ["0.0.0.0/0"]),
    ("RFC 4271 4.3", "a host", update(GOOD, prefix("21.0.0.1/32")), ["21.0.0.1/32"], []),
    ("RFC 4271 4.3", "bits behind the prefix do not count", update(GOOD, b"\x09\x15\xff"), ["21.128.0.0/9"], []),
    ("RFC 4271 4.3", "three prefixes, three lengths", update(GOOD, b"".join(map(prefix, (
        "21.1.0.0/16", "21.2.3.0/24", "21.4.0.0/15")))), ["21.1.0.0/16", "21.2.3.0/24", "21.4.0.0/15"], []),
    ("RFC 4271 3.1", "withdrawn and announced in one message", update(GOOD, prefix("21.3.0.0/16"), prefix("21.1.0.0/16")),
     ["21.3.0.0/16"], ["21.1.0.0/16"]),
    ("RFC 4271 4.3", "the same prefix in both fields: announced", update(GOOD, prefix("21.3.0.0/16"),
                                                                         prefix("21.3.0.0/16")), ["21.3.0.0/16"], []),
    ("RFC 4271 4.3", "the same prefix twice", update(GOOD, prefix("21.5.0.0/16") * 2), ["21.5.0.0/16"], []),
    ("RFC 4271 9.1.4", "withdrawal of what was never announced", update(b"", b"", prefix("21.9.0.0/16")), [],
     ["21.9.0.0/16"]),
    ("RFC 4724 2", "End-of-RIB", update(), ["21.3.0.0/16"], []),
    ("RFC 4760 3", "IPv4 in MP_REACH_NLRI", update(ORIGIN + AS_PATH + mp_reach(
        1, 1, socket.inet_aton(ADDRESS), prefix("21.6.0.0/16"))), ["21.6.0.0/16"], []),
    ("RFC 4760 4", "and in MP_UNREACH_NLRI", update(attribute(0x80, 15, b"\0\1\1" + prefix("21.6.0.0/16"))), [],
     ["21.6.0.0/16"]),
    ("RFC 7606 5.1", "withdrawn in one field, announced in the other", update(
        ORIGIN + AS_PATH + mp_reach(1, 1, socket.inet_aton(ADDRESS), prefix("21.7.0.0/16")), b"", prefix("21.3.0.0/16")),
     ["21.7.0.0/16"], ["21.3.0.0/16"]),
    ("RFC 4271 9.1.4, RS-51", "a prefix of the VNet", update(GOOD, prefix("10.1.2.0/24")), [], ["10.1.2.0/24"]),
    ("RS-53", "a larger one", update(GOOD, prefix("10.0.0.0/8")), ["10.0.0.0/8"], []),
]
