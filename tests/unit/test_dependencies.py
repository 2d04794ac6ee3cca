"""Dependencies point one way, proto <- lib <- daemon: read from the #include and import lines."""
import pathlib
import re
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DAEMONS = ["fabricd", "routeserverd", "gatewayd", "nvad", "vswitchd", "attach", "portald", "fabctl"]
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
IMPORT = re.compile(r'^\s*import\s+(?:public\s+)?"([^"]+)"', re.M)
# Generated structs stop here: lib/wire_* convert, lib/rpc and lib/node carry them.
BORDER = re.compile(r"^(wire_|rpc|node\b|node_)")


def breaches(root):
    """One line for each place where a file looks the wrong way."""
    found = []

    def check(folder, pattern, suffixes, allowed):
        for path in sorted(p for s in suffixes for p in (root / folder).glob(f"**/*{s}")):
            for target in pattern.findall(path.read_text()):
                if target.split("/")[0] not in allowed or ".." in target:
                    found.append(f"{path.relative_to(root)} must not include {target}")

    check("proto", IMPORT, [".proto"], ["proto", "google"])
    check("lib", INCLUDE, [".c", ".h"], ["lib", "proto"])
    for daemon in DAEMONS:
        check(daemon, INCLUDE, [".c", ".h"], [daemon, "lib", "proto"])
    for path in sorted((root / "lib").glob("*.[ch]")):
        if "Fab__V1__" in path.read_text() and not BORDER.match(path.name):
            found.append(f"{path.relative_to(root)} must not see generated structs")
    return found


class Dependencies(unittest.TestCase):
    def test_one_way(self):
        self.assertEqual(breaches(ROOT), [])

    def test_breaches_are_found(self):
        """The check itself: each kind of breach in a tree of its own."""
        cases = {
            "proto/a.proto": 'import "lib/x.proto";',
            "lib/a.c": '#include "fabricd/fc_store.h"',
            "lib/b.h": '#include "ipnet.h"',
            "lib/c.c": "static Fab__V1__Prefix *p;",
            "nvad/a.c": '#  include "routeserverd/rs_peer.h"',
            "fabctl/a.c": '#include "fabctl/../nvad/nva.h"',
        }
        for name, text in cases.items():
            with self.subTest(name), tempfile.TemporaryDirectory() as top:
                path = pathlib.Path(top) / name
                path.parent.mkdir()
                path.write_text(text + "\n")
                self.assertEqual([b.split()[0] for b in breaches(pathlib.Path(top))], [name])

    def test_what_is_allowed(self):
        cases = {
            "proto/a.proto": 'import "proto/b.proto";',
            "lib/a.c": '#include "lib/err.h"\n#include "proto/node.pb-c.h"\n#include <fabricd/x.h>',
            "lib/wire_a.c": "static Fab__V1__Prefix *p;",
            "nvad/a.c": '#include "nvad/nva.h"\n#include "lib/err.h"\n#include "proto/bgp.pb-c.h"',
        }
        with tempfile.TemporaryDirectory() as top:
            for name, text in cases.items():
                path = pathlib.Path(top) / name
                path.parent.mkdir(exist_ok=True)
                path.write_text(text + "\n")
            self.assertEqual(breaches(pathlib.Path(top)), [])


if __name__ == "__main__":
    unittest.main()
