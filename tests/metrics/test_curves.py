import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from zsad.errors import MetricError
from zsad.metrics import average_precision, curves, f1_max, image_auroc


def cases():
    for seed in range(6):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(2, 400))
        labels = rng.random(n) < 0.3
        labels[:2] = [True, False]
        for levels in (0, 3, 20):
            for dtype in (np.float32, np.float64):
                scores = rng.normal(size=n) + labels
                yield labels, (np.round(scores * levels) / levels if levels else scores).astype(dtype)


@pytest.mark.parametrize("labels, scores", list(cases()))
def test_reference_sklearn(labels, scores):
    assert image_auroc(labels, scores).value == pytest.approx(roc_auc_score(labels, scores), abs=1e-9)
    assert average_precision(labels, scores).value == pytest.approx(average_precision_score(labels, scores), abs=1e-9)
    precision, recall, thresholds = precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    ours = f1_max(labels, scores)
    assert ours.value == pytest.approx(f1.max(), abs=1e-9)
    assert ours.threshold == pytest.approx(thresholds[np.argmax(f1[:-1])]) or f1.max() == pytest.approx(
        f1[:-1][np.isclose(thresholds, ours.threshold)].max()
    )


scored = st.lists(st.tuples(st.booleans(), st.integers(-20, 20)), min_size=2, max_size=60).filter(
    lambda rows: len({label for label, _ in rows}) == 2
)


@settings(max_examples=60, deadline=None)
@given(scored, st.randoms(use_true_random=False))
def test_property_monotone_and_permuted(rows, random):
    labels, scores = np.array([r[0] for r in rows]), np.array([r[1] for r in rows], float)
    order = np.array(random.sample(range(len(rows)), len(rows)))
    for metric in (image_auroc, average_precision, f1_max):
        value = metric(labels, scores).value
        assert metric(labels, np.exp(scores / 7) * 3 - 2).value == value
        assert metric(labels[order], scores[order]).value == value
    assert image_auroc(labels, -scores).value == pytest.approx(1 - image_auroc(labels, scores).value, abs=1e-12)
    assert image_auroc(labels, scores).value == pytest.approx(roc_auc_score(labels, scores), abs=1e-9)
    assert average_precision(labels, scores).value == pytest.approx(average_precision_score(labels, scores), abs=1e-9)


@pytest.mark.parametrize("block", [1, 3, 4096])
@pytest.mark.parametrize("levels", [3, 40, 10**6])
def test_counts_block_by_block(monkeypatch, block, levels):
    monkeypatch.setattr(curves, "BLOCK", block)
    rng = np.random.default_rng(levels + block)
    negatives = (rng.integers(0, levels, 90) / levels).astype(np.float32)
    positives = (rng.integers(0, levels, 40) / levels).astype(np.float32)
    ranked = curves.rank(negatives, positives)
    values = np.array(sorted(set(positives.tolist()), reverse=True))
    assert np.array_equal(ranked.values, values.astype(np.float32))
    assert ranked.hits.tolist() == [(positives >= v).sum() for v in values]
    assert ranked.above.tolist() == [(negatives > v).sum() for v in values]
    assert ranked.reach.tolist() == [(negatives >= v).sum() for v in values]


def test_ties_only():
    labels = [0, 1, 0, 1]
    assert image_auroc(labels, [2.0] * 4).value == 0.5
    assert average_precision(labels, [2.0] * 4).value == 0.5
    assert f1_max(labels, [2.0] * 4).value == pytest.approx(2 / 3)


def test_negative_zero_is_a_tie():
    assert image_auroc([0, 1], np.array([0.0, -0.0], np.float32)).value == 0.5


@pytest.mark.parametrize("metric", [image_auroc, average_precision, f1_max])
@pytest.mark.parametrize("labels, word", [([0, 0], "anomalous"), ([1, 1], "normal"), ([], "no scores")])
def test_one_class_is_nan_with_reason(metric, labels, word):
    got = metric(labels, np.arange(len(labels), dtype=float))
    assert np.isnan(got.value) and word in got.reason


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_errors_not_finite(bad):
    with pytest.raises(MetricError, match="NaN or infinite"):
        image_auroc([0, 1, 1], [0.1, bad, 0.2])


def test_errors_labels_and_shapes():
    with pytest.raises(MetricError, match="only 0"):
        image_auroc([0, 2], [0.1, 0.2])
    with pytest.raises(MetricError, match="only 0"):
        image_auroc([0.0, 0.5, 1.0], [0.1, 0.2, 0.3])
    with pytest.raises(MetricError, match="same shape"):
        image_auroc([0, 1, 1], [0.1, 0.2])
    with pytest.raises(MetricError, match="not a number"):
        image_auroc([0, 1], ["a", "b"])
