"""How far does each design move a cell? Prints a table in Markdown; no model, no data, seconds.

    python benchmarks/sobol_designs.py --seeds 20

Jansen's estimate for an additive function is proportional to the realised mean squared step of a cell,
`mean (A_i - B_i)^2`, which should hence be the same for all cells. 1.00 is the step of independent draws (1/6 for cells
in [0, 1], 1/2 for binary ones); a half shift has 1.5 and a flip 2 by construction, and the estimators divide by it.
Aliased columns move exactly with another one, so that no estimator can tell what the two cells do together.
"""

from __future__ import annotations

import argparse

import numpy as np

from xsparks.numerics.sobol_designs import DESIGNS, Design, make_design

CELLS, ROWS = (49, 64), (8, 16, 32)


def table(seeds: int) -> str:
    """One line for each design, grid and number of rows; medians over the seeds for designs that are drawn."""
    lines = [
        "| design | cells | rows | smallest step | mean step | largest step | largest / smallest | aliased columns |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in DESIGNS:
        for cells in CELLS:
            for rows in ROWS:
                drawn = [make_design(name, rows, cells, seed) for seed in range(1 if name == "paper" else seeds)]
                low, mean, high, aliased = np.median([figures(design) for design in drawn], axis=0)
                ratio = f"{high / low:.1f}" if low > 0 else "a cell never moves"
                lines.append(
                    f"| `{name}` | {cells} | {rows} | {low:.2f} | {mean:.2f} | {high:.2f} | {ratio} | {aliased:.0f} |"
                )
    return "\n".join(lines)


def figures(design: Design) -> tuple[float, float, float, int]:
    """Smallest, mean and largest relative step, and the number of aliased columns."""
    step = design.relative_step
    # Where the shifted columns are made from the base columns, they are no columns of their own.
    points = np.concatenate([design.base, design.shifted], axis=1) if design.independent else design.base
    alike = np.abs(np.corrcoef(points.T)) > 1 - 1e-9
    return step.min(), step.mean(), step.max(), int(np.sum(alike.sum(axis=0) > 1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The realised steps of all designs, as a table in Markdown.")
    parser.add_argument("--seeds", type=int, default=20, help="draws of which the median is taken")
    print(table(parser.parse_args().seeds))
