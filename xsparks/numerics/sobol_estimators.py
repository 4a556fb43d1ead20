"""Estimators of Sobol indices from the outputs at the rows of a design, batched over leading axes.

Symbols: `a_n = f(A_n)` at the base rows, `b_n = f(B_n)` at the second rows, `c_ni = f(C^(i)_n)` at the base rows with
column `i` from the others, `<x>` the mean of `x` over rows. Outputs come in the type in which the model computed them,
because its precision decides what counts as constant.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ..core.checks import check_choice, check_number

ESTIMATORS = ("jansen", "homma", "saltelli", "janon", "glen")

# Outputs within so many units in the last place of the largest are the rounding of a constant.
_UNITS = 32


def total_order(name: str, base: Any, shifted: Any, step: Any = None, variance: Any = None) -> Any:
    """Which share of the variance of the output remains when all cells but one are known?

    The total index `S_Ti = E[Var(f | all cells but i)] / Var f`, by one of five estimators:

    - `"jansen"`: `<(a - c)^2> / (2 V)`, `V` the variance of all `N (d + 1)` outputs about their common mean. Works with
      a single row; the choice for values and for ranking.
    - `"homma"`: `(V - <a c> + f0^2) / V`, `f0 = <a>`, `V = <a^2> - f0^2`. Adding a constant to `f` changes it.
    - `"saltelli"`: `1 - (<a c> - <a> <c>) / V`, the sample covariance with both means.
    - `"janon"`: `1 - (<a c> - m^2) / (<a^2 + c^2> / 2 - m^2)`, `m = <a + c> / 2`; the same as `<(a - c)^2> / (2 V_i)`
      with the variance `V_i` of the `2 N` outputs of that cell.
    - `"glen"`: `1 - corr(a, c)`; an undefined correlation counts as 0.

    Homma, Saltelli and Glen can be negative, and their error does not shrink with the index. They are here for
    comparison with publications.

    Parameters
    ----------
    name : one of `ESTIMATORS`.
    base : `(..., N)`, outputs at the base rows.
    shifted : `(..., N, d)`, outputs at the rows with one column changed.
    step : `(d,)`, what the indices are divided by: the realised mean squared step of each cell over that of independent
        draws (`Design.relative_step`), which makes half steps and flips comparable with the others. A cell with step
        0 was never changed and gets 0. None for no division.
    variance : `(...)`, takes the place of `V` in the first three (give that of all rows where these rows are one
        replicate of several); the last two have a normaliser of their own. None for that of these rows.

    Returns
    -------
    indices : `(..., d)`; estimates may leave [0, 1]. 0 where the output is constant up to rounding, or `V` is 0, as it
        is with a single row for all but Jansen and Janon.

    Raises
    ------
    ValueError : an unknown name.

    Cost
    ----
    Some `N d` operations; no forward.

    Departs
    -------
    From the code published with Fel et al. 2021, where `V` of Jansen is the variance of the `N` base outputs: the
    variance of all outputs had the smallest error of four ways for half-shift rows (root mean square error .61 of
    the variance against .65 to .76, 8 rows of a linear function of 49 cells). Where second moments were divided by
    `N - 1` and products by `N`, both are divided by `N` here: this mends the bias of Janon and Glen, and gives unused
    cells exactly 0 with Homma instead of `1 / N`. Saltelli was Homma's formula again; with both means it differs from
    it by `<a> (<c> - <a>) / V`.

    Example
    -------
    >>> points = tf.constant([0.1, 0.9, 0.4, 0.6])  # f(M) = M_1, so that the second cell changes nothing
    >>> shifted = tf.stack([(points + 0.5) % 1, points], axis=1)
    >>> total_order("jansen", points, shifted, step=[1.5, 1.5]).numpy().round(2).tolist()
    [0.98, 0.0]

    Source
    ------
    M. J. W. Jansen, Computer Physics Communications 117, 1999. T. Homma, A. Saltelli, Reliability Engineering and
    System Safety 52, 1996. A. Saltelli et al., Computer Physics Communications 181, 2010. A. Janon et al., ESAIM:
    Probability and Statistics 18, 2014. G. Glen, K. Isaacs, Environmental Modelling and Software 37, 2012. Why
    covariances of small indices are centred: A. B. Owen, "Better estimation of small Sobol' sensitivity indices", 2012,
    https://arxiv.org/abs/1204.4763
    """
    check_choice("total_order", "name", name, ESTIMATORS)
    base, shifted = _floating(base), _floating(shifted)
    mean: Any = tf.reduce_mean(base, axis=-1, keepdims=True)
    # Everything about the mean of `a`, in which no large numbers cancel.
    a, c = (base - mean)[..., None], shifted - mean[..., None]
    mean_c = _over_rows(c)
    if name == "jansen":
        lost, whole = _over_rows((a - c) ** 2) / 2, output_variance(base, shifted)[..., None]
    elif name == "janon":
        lost, whole = _over_rows((a - c) ** 2) / 2, _over_rows(a**2 + c**2) / 2 - (mean_c / 2) ** 2
    else:
        whole = _over_rows(a**2)
    if variance is not None and name in ("jansen", "homma", "saltelli"):
        whole = tf.expand_dims(tf.cast(tf.convert_to_tensor(variance), base.dtype), -1)
    if name == "homma":
        lost = whole - _over_rows(a * c) - mean * mean_c  # <a c> - f0^2, written with centred a and c
    elif name == "saltelli":
        lost = whole - _over_rows(a * c)  # centring `a` takes out the product of the means
    elif name == "glen":
        spread = _over_rows((c - mean_c[..., None, :]) ** 2)
        lost = 1 - tf.math.divide_no_nan(_over_rows(a * c), tf.sqrt(whole * spread))
        whole = tf.cast(whole + spread > 0, base.dtype)
    indices = tf.math.divide_no_nan(lost, whole)
    if step is not None:
        indices = tf.math.divide_no_nan(indices, tf.cast(tf.convert_to_tensor(step), base.dtype))
    return tf.where(_is_constant(shifted, base)[..., None], tf.zeros_like(indices), indices)


def first_order(base: Any, second: Any, shifted: Any) -> Any:
    """Which share of the variance of the output does one cell explain alone?

    The first-order index `S_i = Var(E[f | cell i]) / Var f`, estimated by `<(b - m) (c - a)> / V` with the mean `m` and
    the variance `V` of the `2 N` outputs `a` and `b`. Needs a design with independent halves, one forward more a row,
    and many more rows than total indices.

    Parameters
    ----------
    base, second : `(..., N)`, outputs at the base rows and at the shifted rows (all columns changed).
    shifted : `(..., N, d)`, outputs at the base rows with one column changed.

    Returns
    -------
    indices : `(..., d)`, may leave [0, 1]; 0 where the output is constant up to rounding.

    Departs
    -------
    From the source: outputs are centred, without which a large mean of `f` drowns the product.

    Example
    -------
    >>> first_order([0.1, 0.9], [0.9, 0.1], [[0.9], [0.1]]).numpy().tolist()  # f(M) = M_1
    [2.0]

    Source
    ------
    A. Saltelli et al., "Variance based sensitivity analysis of model output. Design and estimator for the total
    sensitivity index", Computer Physics Communications 181, 2010, table 2 (b)
    """
    base, second, shifted = _floating(base), _floating(second), _floating(shifted)
    both = tf.concat([base, second], axis=-1)
    centred = second - tf.reduce_mean(both, axis=-1, keepdims=True)
    product = _over_rows(centred[..., None] * (shifted - base[..., None]))
    variance: Any = tf.math.reduce_variance(both, axis=-1)
    indices = tf.math.divide_no_nan(product, variance[..., None])
    return tf.where(_is_constant(shifted, both)[..., None], tf.zeros_like(indices), indices)


def output_variance(base: Any, shifted: Any) -> Any:
    """The variance of all outputs of a design about their common mean, `(...)` from `(..., N)` and `(..., N, d)`.

    Example
    -------
    >>> output_variance([0.0, 1.0], [[1.0], [0.0]]).numpy().item()
    0.25
    """
    base, shifted = _floating(base), _floating(shifted)
    return tf.math.reduce_variance(tf.concat([base[..., None], shifted], axis=-1), axis=(-2, -1))


def output_differences(base: Any, shifted: Any) -> Any:
    """How much does the output fall when a cell is changed? `a - c`, exact zeros for an output that is constant.

    Parameters
    ----------
    base : `(..., N)` outputs at the base rows.
    shifted : `(..., N, d)` outputs at the rows with one column changed.

    Returns
    -------
    differences : `(..., N, d)`, in units of the output.

    Example
    -------
    >>> output_differences([1.0, 1.0], [[1.0, 1.0 - 1e-7], [1.0, 1.0]]).numpy().tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    base, shifted = _floating(base), _floating(shifted)
    differences = base[..., None] - shifted
    return tf.where(_is_constant(shifted, base)[..., None, None], tf.zeros_like(differences), differences)


def mean_power(differences: Any, power: float = 2.0) -> Any:
    """How large are the differences of a cell? `<|D|^p>^(2 / p)`, squared units whatever the power.

    A power below 2 damps heavy tails: 1.5 ranks cells of photographs best, 2 keeps the values of Jansen's numerator.

    Parameters
    ----------
    differences : `(..., N, d)`, as from `output_differences`.
    power : above 0.

    Returns
    -------
    statistic : `(..., d)`, squared units of the output.

    Raises
    ------
    ValueError : a power of 0 or less.

    Example
    -------
    >>> mean_power([[3.0], [-4.0]], power=2).numpy().tolist()
    [12.5]
    """
    power = check_number("mean_power", "power", power, 1e-3, 1e3, "Use 1.5 to rank cells, 2 for values.")
    return _over_rows(tf.abs(_floating(differences)) ** power) ** (2 / power)


def signed_effect(base: Any, shifted: Any, base_points: Any, shifted_points: Any, total: Any) -> Any:
    """How much does the output depend on a cell, and does showing more of the cell raise it?

    `rho_i sqrt(T_i)`, where `rho_i = <E step> / sqrt(<E^2> <step^2>)` with `E = c - a`, in [-1, 1], is the mean slope
    over the root mean square slope when all steps have one size. `rho` near 0 says that the sign depends on the other
    cells.

    Parameters
    ----------
    base, shifted : `(..., N)` and `(..., N, d)`, outputs.
    base_points, shifted_points : `(N, d)`, the points of the design.
    total : `(..., d)`, total indices or any map that is not negative; what is below 0 counts as 0.

    Returns
    -------
    effects : `(..., d)`, positive where more of the cell raises the output.

    Example
    -------
    >>> points = tf.constant([[0.2], [0.7]])
    >>> signed_effect([-0.2, -0.7], [[-0.7], [-0.2]], points, (points + 0.5) % 1, total=[1.0]).numpy().tolist()
    [-1.0]
    """
    effect = -output_differences(base, shifted)
    step = tf.cast(tf.convert_to_tensor(shifted_points), effect.dtype) - tf.cast(
        tf.convert_to_tensor(base_points), effect.dtype
    )
    sizes = tf.sqrt(_over_rows(effect**2) * tf.reduce_mean(step**2, axis=0))
    rho = tf.math.divide_no_nan(_over_rows(effect * step), sizes)
    return rho * tf.sqrt(tf.maximum(tf.cast(tf.convert_to_tensor(total), effect.dtype), 0))


def _over_rows(values: Any) -> Any:
    return tf.reduce_mean(values, axis=-2)


def _floating(values: Any) -> Any:
    values = tf.convert_to_tensor(values)
    return values if values.dtype.is_floating else tf.cast(values, tf.float32)


def _is_constant(shifted: Any, *rows: Any) -> Any:
    """Whether all outputs, `(..., N, d)` and each `(..., N)`, are one number up to rounding: `(...)`."""
    highest, lowest = tf.reduce_max(shifted, axis=(-2, -1)), tf.reduce_min(shifted, axis=(-2, -1))
    for outputs in rows:
        highest = tf.maximum(highest, tf.reduce_max(outputs, axis=-1))
        lowest = tf.minimum(lowest, tf.reduce_min(outputs, axis=-1))
    unit = float(np.finfo(shifted.dtype.as_numpy_dtype).eps) * tf.maximum(tf.abs(highest), tf.abs(lowest))
    return highest - lowest <= _UNITS * unit
