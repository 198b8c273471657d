"""What the package promised at commit 6dcfae6 is still there: names, kinds, parameters, defaults, methods, values.

`api_6dcfae6.json` was written by `tools/public_api.py` from that commit. What goes on purpose stands in its "removed", as
`name` or `Class.method`, with the reason; what changes on purpose in "changed", in the same way.
"""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

tests = Path(__file__).resolve().parent
before = json.loads((tests/'api_6dcfae6.json').read_text(encoding='utf-8'))
removed, changed = before.pop('removed'), before.pop('changed')

@pytest.fixture(scope='module')
def now():
    "The API of today, read in a process of its own: tests may have patched this one's."
    code = 'from public_api import *; sys.stdout.write(as_json(public_api()))'
    done = subprocess.run([sys.executable, '-c', code], cwd=tests.parent/'tools', capture_output=True, text=True, encoding='utf-8',
                          env={**os.environ, 'PYTHONPATH': str(tests.parent), 'PYTHONIOENCODING': 'utf-8'})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)

def parameter_problems(old, new):
    "What a call that worked before could trip over."
    if old is None or new is None: return [] if old is new else ['no signature' if new is None else 'a signature where there was none']
    found = {name: (kind, default) for name, kind, *default in new}
    problems = []
    for name, kind, *default in old:
        if name not in found: problems.append(f'no parameter {name}')
        elif found[name][0] != kind: problems.append(f'{name} was {kind}, is {found[name][0]}')
        elif found[name][1] != default: problems.append(f'{name} had the default {default}, has {found[name][1]}')
    by_place = [name for name, kind, *_ in old if kind in ('positional', 'any')]
    now_by_place = [name for name, kind, *_ in new if kind in ('positional', 'any')]
    if now_by_place[:len(by_place)] != by_place: problems.append(f'the order was {by_place}, is {now_by_place}')
    known = {name for name, *_ in old}
    for name, kind, *default in new:
        if name not in known and kind not in ('*', '**') and not default: problems.append(f'the new parameter {name} has no default')
    return problems

def problems(name, old, new):
    "Everything in which `new` keeps less than `old` did, as sentences; members of classes included."
    if new is None: return [f'{name} is gone']
    if old['kind'] == 'elsewhere': return []   # what another library gave may become ours, as `Module` did
    if old['kind'] != new['kind']: return [f"{name} was a {old['kind']}, is a {new['kind']}"]
    said = []
    if 'parameters' in old: said += [f'{name}: {problem}' for problem in parameter_problems(old['parameters'], new['parameters'])]
    if 'value' in old and old['value'] != new['value']: said.append(f"{name} was {old['value']}, is {new['value']}")
    for member, what in old.get('members', {}).items():
        if f'{name}.{member}' not in {*removed, *changed}: said += problems(f'{name}.{member}', what, new['members'].get(member))
    return said

@pytest.mark.parametrize('door', before)
def test_nothing_is_lost(door, now):
    said = [line for name, old in before[door].items() if name not in removed for line in problems(name, old, now[door].get(name))]
    assert not said, '\n'.join(said)

def test_removals_have_a_reason_and_are_removals(now):
    old = {name: what for names in before.values() for name, what in names.items()}
    new = {name: what for names in now.values() for name, what in names.items()}
    for name, reason in removed.items():
        owner, _, member = name.partition('.')
        assert len(reason.split()) >= 3, f'{name} was removed for {reason!r}: say it in a sentence'
        assert (member in old[owner]['members'] and member not in new[owner]['members']) if member else (name in old and name not in new), name

def test_changes_have_a_reason_and_are_changes(now):
    for name, reason in changed.items():
        (owner, member), door = name.split('.'), next(names for names in before.values() if name.split('.')[0] in names)
        assert len(reason.split()) >= 3, f'{name} was changed for {reason!r}: say it in a sentence'
        assert problems(name, door[owner]['members'][member], now['all'][owner]['members'].get(member)), f'{name} is as it was'

def test_the_comparison_sees_losses():
    "The test above can fail: each kind of loss is noticed, additions are not."
    old = {'kind': 'function', 'parameters': [['a', 'any'], ['b', 'any', '1'], ['c', 'keyword', 'None']]}
    def with_parameters(*parameters): return {'kind': 'function', 'parameters': [list(p) for p in parameters]}
    a, b, c = old['parameters']
    assert problems('f', old, None) == ['f is gone']
    assert problems('f', old, with_parameters(a, c)) and problems('f', old, with_parameters(b, a, c))
    assert problems('f', old, with_parameters(a, ['b', 'any', '2'], c)) and problems('f', old, with_parameters(a, b, ['c', 'any', 'None']))
    assert problems('f', old, with_parameters(a, b, c, ['d', 'any'])) and problems('f', old, with_parameters(a, ['d', 'any', '0'], b, c))
    assert problems('f', old, with_parameters(a, b, ['d', 'any', '0'], c, ['e', 'keyword', '0'], ['rest', '**'])) == []
    assert problems('v', {'kind': 'value', 'value': '1'}, {'kind': 'value', 'value': '2'}) == ['v was 1, is 2']
    holder = {'kind': 'class', 'parameters': None, 'members': {'m': {'kind': 'property'}}}
    assert problems('C', holder, {**holder, 'members': {}}) == ['C.m is gone']
