"Folds, resamples and refusals on inputs that no lesson would show."
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings, strategies as st

from fastnlp_course.data.splitters import GroupSplitter, TimeSplitter
from fastnlp_course.training.calibration import calibration_table
from fastnlp_course.training.guards import parse_times, refuse_shared
from fastnlp_course.training.validation import _resampled, bootstrap_interval, grouped_folds, leak_of, pearson

some_groups = st.lists(st.integers(0, 15), min_size=1, max_size=120)

@settings(max_examples=150, deadline=None)
@given(groups=some_groups, n_folds=st.integers(2, 7), seed=st.integers(0, 2**32 - 1))
def test_folds_cover_each_row_once_share_no_group_and_are_balanced(groups, n_folds, seed):
    groups = np.array(groups)
    names, sizes = np.unique(groups, return_counts=True)
    if len(names) < n_folds:
        with pytest.raises(ValueError, match=f'{len(names)} groups cannot fill {n_folds} folds'):
            grouped_folds(groups, n_folds, seed)
        return
    folds = grouped_folds(groups, n_folds, seed)
    assert sorted(np.concatenate([valid for _, valid in folds])) == list(range(len(groups)))
    rows = [len(valid) for _, valid in folds]
    assert min(rows) > 0 and max(rows) - min(rows) <= sizes.max()
    for train, valid in folds:
        refuse_shared(groups[train], groups[valid])
        assert len(train) + len(valid) == len(groups)

@settings(max_examples=60, deadline=None)
@given(groups=some_groups, seed=st.integers(0, 2**32 - 1))
def test_fast_resampling_equals_collecting_the_rows_of_each_group(groups, seed):
    codes = pd.factorize(np.array(groups))[0]
    n_groups = codes.max() + 1
    preds, targs = np.arange(len(codes), dtype=float), np.random.default_rng(seed).normal(size=len(codes))
    metric = lambda preds, targs: (preds*targs).sum() + np.arange(len(preds)) @ preds       # order of rows matters
    generator, plain = np.random.default_rng(seed), []
    for _ in range(5):
        rows = np.concatenate([np.flatnonzero(codes == group) for group in generator.integers(n_groups, size=n_groups)])
        plain.append(metric(preds[rows], targs[rows]))
    assert np.allclose(_resampled(metric, preds, targs, codes, 5, seed), plain)

def test_groups_may_be_anything_that_can_be_told_apart():
    day = pd.Timestamp('2024-01-01')
    for groups in (['a', 1, 'a', 2.5], [('x', 1), ('y', 1), ('x', 1), ('x', 2)], pd.Series([day, day + pd.Timedelta(days=1), day, day], index=[7, 3, 9, 1]), pd.Categorical(['u', 'v', 'u', 'u'])):
        for train, valid in grouped_folds(groups, 2):
            refuse_shared([list(groups)[i] for i in train], [list(groups)[i] for i in valid])

def test_predictions_may_be_tensors_series_columns_and_lists():
    some = np.random.default_rng(0)
    preds, targs, groups = some.normal(size=50), some.normal(size=50), some.integers(9, size=50)
    wanted = bootstrap_interval(pearson, preds, targs, groups, n=50)
    for as_what in (list, torch.tensor, lambda values: pd.Series(values, index=range(100, 150)), lambda values: values[:, None], lambda values: torch.tensor(values, requires_grad=True)[:, None]):
        assert np.allclose(bootstrap_interval(pearson, as_what(preds), as_what(targs), groups, n=50), wanted)
    halved = bootstrap_interval(pearson, torch.tensor(preds).bfloat16().float(), targs, groups, n=50)
    assert np.allclose(halved, wanted, atol=.02)

def test_the_column_trap_does_not_broadcast():
    mean_error = lambda preds, targs: np.abs(preds - targs).mean()      # (N, 1) against (N,) would be N times N numbers
    value, _, _ = bootstrap_interval(mean_error, np.arange(10.)[:, None], np.arange(10.), n=20)
    assert value == 0

def test_a_metric_that_is_never_defined_is_refused():
    with pytest.raises(ValueError, match='undefined on 30 of 30 resamples'):
        bootstrap_interval(lambda preds, targs: float('nan'), [1, 2, 3], [1, 2, 3], n=30)

def test_errors_of_the_metric_itself_are_not_hidden():
    with pytest.raises(ZeroDivisionError):
        bootstrap_interval(lambda preds, targs: 1/0, [1, 2, 3], [1, 2, 3])

def test_missing_groups_and_empty_sides_are_named():
    with pytest.raises(ValueError, match='row 2 has no anchor: drop it'):
        refuse_shared(['a', 'b', float('nan')], ['c'], 'anchor')
    with pytest.raises(ValueError, match='no rows to split'):
        refuse_shared([], ['c'])
    with pytest.raises(ValueError, match='there are no predictions'):
        leak_of(lambda train, valid: ([], []), 4, ['a', 'a', 'b', 'c'], pearson, n_folds=2)

def test_the_splitters_of_the_pipeline_pass_the_guard_and_a_random_split_does_not():
    table = pd.DataFrame({'anchor': np.repeat(list('abcdefghij'), 5), 'year': np.tile([2003, 1999, 2001, 2002, 2000], 10)})
    train, valid = (list(part) for part in GroupSplitter('anchor', .2, seed=0)(table))
    refuse_shared(table.anchor[train], table.anchor[valid], 'anchor')
    with pytest.raises(ValueError, match="10 of 10 values of 'anchor'"):
        refuse_shared(table.anchor[::2], table.anchor[1::2], 'anchor')
    train, valid = (list(part) for part in TimeSplitter('year', .2)(table.assign(year=parse_times(table.year))))
    assert table.year[train].max() < table.year[valid].min()

def test_moments_keep_index_and_kind():
    stamps = pd.Series(pd.to_datetime(['2024-02-01', '2024-01-01']), index=[5, 2])
    assert parse_times(stamps) is stamps
    assert list(parse_times(pd.Series(['2024-02-01', '2024-01-01'], index=[5, 2])).index) == [5, 2]
    with pytest.raises(ValueError, match="row 1 of 'day' is empty"):
        parse_times([pd.Timestamp('2024-01-01'), pd.NaT], name='day')
    with pytest.raises(ValueError, match="'03/11/2024', which is not a moment in the form YYYY-MM-DD: pass format="):
        parse_times(['03/11/2024'], name='day')

def test_bins_hold_all_rows_with_many_equal_predictions():
    preds = np.r_[np.zeros(90), np.linspace(.1, 1, 30)]
    table = calibration_table(preds, preds + .25)
    assert table['rows'].sum() == 120 and np.allclose(table.gap, -.25)
    assert (table.predicted.diff().dropna() > 0).all()

@pytest.mark.parametrize('call, said', [
    (lambda: pearson([], []), 'there are no predictions to judge'),
    (lambda: bootstrap_interval(pearson, np.arange(300), np.arange(9)), '300 predictions for 9 targets'),
    (lambda: bootstrap_interval(pearson, [], []), 'there are no predictions'),
    (lambda: bootstrap_interval(pearson, np.arange(300), np.ones(300)), 'all 300 targets are 1'),
    (lambda: bootstrap_interval(pearson, np.arange(300), np.arange(300), level=95), 'level=95'),
    (lambda: leak_of(lambda train, valid: (valid, valid), 61, np.repeat(np.arange(12), 5), pearson), 'there are 60 groups for 61 rows'),
])
def test_what_cannot_be_judged_is_said(call, said):
    with pytest.raises(ValueError, match=said): call()
