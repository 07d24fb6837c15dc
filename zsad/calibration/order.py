"""What n good parts say about the parts to come, whatever their scores are distributed like: order statistics.

A part is rejected if its statistic lies above the k-th largest of n good parts. Of the next good parts, a share R is;
with a continuous distribution R follows Beta(k, n - k + 1), whatever that distribution is, so that
``P(R <= p) = P(Binomial(n, p) >= k)``. Ties make R smaller, never larger: break them by a coin, and whatever lies above
the k-th largest value lies above it in the broken order too.

Source: Wilks, Determination of sample sizes for setting tolerance limits, Annals of Mathematical Statistics 12, 1941;
Scheffé and Tukey, Non-parametric estimation I, ibid. 16, 1945 (ties); Clopper and Pearson, Biometrika 26, 1934.
"""

from __future__ import annotations

from zsad.errors import UsageError


def confidence_of(n: int, rate: float, k: int = 1) -> float:
    """Return the chance that at most ``rate`` of good parts lie above the k-th largest of n.

    Args:
        n: good parts, at least k.
        rate: share of good parts, in (0, 1).
        k: which of the largest; 1 is the largest.

    >>> round(confidence_of(299, 0.01), 4), round(confidence_of(298, 0.01), 4)
    (0.9505, 0.95)
    """
    from scipy.special import betainc  # 0.1 s, which only a calibration pays

    return float(betainc(k, n - k + 1, rate))


def supported_rate(n: int, confidence: float, k: int = 1) -> float:
    """Return the smallest rejection rate that the k-th largest of n good parts supports at a confidence.

    >>> [round(100 * supported_rate(n, 0.95), 2) for n in (20, 50, 299, 2995)]
    [13.91, 5.82, 1.0, 0.1]
    """
    from scipy.special import betaincinv

    return float(betaincinv(k, n - k + 1, confidence))


def needed(rate: float, confidence: float, k: int = 1) -> int:
    """Return how many good parts it takes for the k-th largest to support a rejection rate at a confidence.

    >>> needed(0.01, 0.95), needed(0.001, 0.95), needed(0.05, 0.9), needed(0.01, 0.95, 2)
    (299, 2995, 45, 473)
    """
    check_rate(rate, confidence)
    low, high = k - 1, k
    while confidence_of(high, rate, k) < confidence:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if confidence_of(middle, rate, k) >= confidence else (middle, high)
    return high


def rank(n: int, rate: float, confidence: float) -> int:
    """Return the largest k whose k-th largest of n still supports the rate; 0 if n are too few.

    >>> rank(299, 0.01, 0.95), rank(298, 0.01, 0.95), rank(1000, 0.01, 0.95)
    (1, 0, 5)
    """
    check_rate(rate, confidence)
    low, high = 0, n + 1  # low is supported, high is not: the confidence falls as k grows
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if confidence_of(n, rate, middle) >= confidence else (low, middle)
    return low


def binomial_interval(hits: int, n: int, confidence: float) -> tuple[float, float]:
    """Return the interval of Clopper and Pearson for a share of which ``hits`` of n were seen; n at least 1.

    >>> [round(x, 4) for x in binomial_interval(0, 20, 0.95)]
    [0.0, 0.1684]
    """
    from scipy.special import betaincinv

    tail = (1.0 - confidence) / 2
    low = 0.0 if hits == 0 else float(betaincinv(hits, n - hits + 1, tail))
    high = 1.0 if hits == n else float(betaincinv(hits + 1, n - hits, 1.0 - tail))
    return low, high


def check_rate(rate: float, confidence: float) -> None:
    """Refuse a rate or a confidence that is no share between 0 and 1.

    Raises:
        UsageError: names it, and the range.
    """
    if not 1e-6 <= rate <= 0.5:
        raise UsageError(f"false reject of {rate:g}: give a share of good parts from 0.000001 to 0.5, such as 0.01")
    if not 0.5 <= confidence <= 0.999999:
        raise UsageError(f"confidence of {confidence:g}: give a share from 0.5 to 0.999999, such as 0.95")
