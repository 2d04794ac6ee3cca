"""What trace predicts is what a packet does with the BPF engine too (see test_truth). Root only."""
import unittest

import test_truth
from fabric import cannot_have_bpf

CANNOT_BPF = test_truth.CANNOT or cannot_have_bpf()


@unittest.skipIf(CANNOT_BPF, CANNOT_BPF)
class MultiRegion(test_truth.MultiRegion):
    engine = "bpf"


@unittest.skipIf(CANNOT_BPF, CANNOT_BPF)
class VpnToExpressRoute(test_truth.VpnToExpressRoute):
    engine = "bpf"


@unittest.skipIf(CANNOT_BPF, CANNOT_BPF)
class DeadEnds(test_truth.DeadEnds):
    engine = "bpf"


if __name__ == "__main__":
    unittest.main()
