"Metrics of the installed module: they survive export, and heavy libraries wait for the first use."
import json
import subprocess
import sys

import pytest
import torch

import fastnlp_course.all as metrics
from fastnlp_course.files import from_config, to_config

made = [metrics.F1Score(average='macro'), metrics.RocAucBinary(), metrics.PearsonCorrCoef(), metrics.SpearmanCorrCoef(nan_policy='omit'), metrics.rmse,
        metrics.exp_rmspe, metrics.CorpusBLEUMetric(axis=1), metrics.JaccardCoeffMulti(axis=2), metrics.LossMetric('smooth', 'a'), metrics.R2Score(),
        metrics.FBetaMulti(beta=2, thresh=0.3)]

@pytest.mark.parametrize('metric', made, ids=lambda metric: metric.name)
def test_a_metric_comes_back_from_json(metric):
    again = from_config(json.loads(json.dumps(to_config(metric))))
    assert type(again) is type(metric) and again.name == metric.name
    assert to_config(again) == to_config(metric)

def test_the_values_of_a_metric_that_came_back():
    pred, targ = torch.rand(20), torch.rand(20)
    for metric in (metrics.PearsonCorrCoef(), metrics.SpearmanCorrCoef(), metrics.rmse, metrics.R2Score()):
        assert float(from_config(to_config(metric))(pred, targ)) == float(metric(pred, targ))

def test_a_config_cannot_name_other_functions():
    with pytest.raises(ValueError, match='Do not trust'):
        from_config({'type': 'LazyFunction', 'args': {'dict': {'module': 'os', 'name': 'system'}}})

def test_sklearn_and_scipy_are_not_imported():
    code = "import sys, fastnlp_course.training; assert not {'sklearn', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, '-c', code], check=True)
