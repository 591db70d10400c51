"""Write what PyTorch makes of the runs into `trajectories.npz`, with which they are compared where it is not installed.

    pip install -e '.[oracle]'
    python tests/oracle/record.py

To be run anew where a case is changed or added; `test_trajectories.py` says whether the file is still what PyTorch gives.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from cases import CASES
from with_torch import trajectory

FILE = Path(__file__).parent / "trajectories.npz"


def main() -> None:
    """Train all of them."""
    found = [trajectory(case) for case in CASES]
    np.savez_compressed(
        FILE,
        cost=np.array([each.cost for each in found]),
        gradient_norm=np.array([each.gradient_norm for each in found]),
        parameters=np.concatenate([each.parameters for each in found]),
        running=np.concatenate([each.running for each in found]),
    )
    print(f"{FILE.name}: {len(found)} runs, {FILE.stat().st_size:,} bytes, by PyTorch {torch.__version__}")


if __name__ == "__main__":
    main()
