"""What `from fastnlp_course.all import *` gives, as JSON: public_api.py > tests/api_COMMIT.json

Every name with its kind; functions and classes of the package with their parameters, classes also with their methods,
properties and plain attributes; plain values with their repr. Nothing in it depends on the module that a name lives in,
on the machine, or on annotations, so that two states of the package can be compared line by line.
"""
import functools, hashlib, importlib, inspect, json, re, sys, types

package = 'fastnlp_course'
# A door and the modules that may stand for it: the last one that is there is read.
doors = {'all': ['fastnlp_course.all'], 'ulmfit_in_transformers': ['fastnlp_course.hf_models', 'fastnlp_course.bridges.ulmfit_in_transformers']}
kinds = {inspect.Parameter.POSITIONAL_ONLY: 'positional', inspect.Parameter.POSITIONAL_OR_KEYWORD: 'any', inspect.Parameter.VAR_POSITIONAL: '*',
         inspect.Parameter.KEYWORD_ONLY: 'keyword', inspect.Parameter.VAR_KEYWORD: '**'}
noise = {'__module__', '__doc__', '__dict__', '__weakref__', '__annotations__', '__qualname__', '__firstlineno__', '__static_attributes__', '__annotate__',
         '__annotate_func__', '__annotations_cache__', '__classdictcell__', '__parameters__', '__orig_bases__', '__abstractmethods__', '__signature__',
         '__slots__', '__dataclass_fields__', '__dataclass_params__', '__match_args__', '__test__', '__hash__', '__wrapped__', '__replace__', '__docs__'}

def ours(thing):
    "Does `thing` come from the package?"
    return str(getattr(thing, '__module__', None) or '').split('.')[0] == package

def named(thing):
    "A function or class by its own name: where it lives may change."
    name = getattr(thing, '__name__', None) or type(thing).__name__
    return 'lambda' if name == '<lambda>' else name

def stable(value):
    "A repr of `value` that is the same on every machine and in every module."
    if value is None or isinstance(value, (bool, int, float, str, bytes)) and type(value).__module__ == 'builtins':
        text = repr(value)
        return text if len(text) <= 200 else f'{type(value).__name__} of {len(value)}, sha256 {hashlib.sha256(text.encode()).hexdigest()[:16]}'
    if isinstance(value, functools.partial):
        given = [stable(v) for v in value.args] + [f'{k}={stable(v)}' for k, v in sorted(value.keywords.items())]
        return f"partial({', '.join([stable(value.func), *given])})"
    if isinstance(value, (types.FunctionType, types.BuiltinFunctionType, types.MethodType, type)): return f'<{named(value)}>'
    if isinstance(value, dict): return long('{' + ', '.join(f'{stable(k)}: {stable(v)}' for k, v in value.items()) + '}', value)
    if isinstance(value, (set, frozenset)): return long('{' + ', '.join(sorted(map(stable, value))) + '}', value)
    if isinstance(value, (list, tuple)) or type(value).__name__ == 'L':
        return long(f"{type(value).__name__}({', '.join(map(stable, value))})", value)
    if isinstance(value, slice): return f'slice({stable(value.start)}, {stable(value.stop)}, {stable(value.step)})'
    if isinstance(value, re.Pattern): return f're({value.pattern!r})'
    return f'a {type(value).__name__}'

def long(text, value):
    "`text`, or what stands for it where it is long."
    return text if len(text) <= 600 else f'{type(value).__name__} of {len(value)}, sha256 {hashlib.sha256(text.encode()).hexdigest()[:16]}'

def parameters(thing, skip=0):
    "The parameters of a callable as [name, kind, default], without a default where there is none; None where Python can't tell."
    try: found = list(inspect.signature(thing).parameters.values())
    except (TypeError, ValueError): return None
    return [[p.name, kinds[p.kind], *([] if p.default is p.empty else [stable(p.default)])] for p in found[skip:]]

def members(cls):
    "The methods, properties and plain attributes that classes of the package give `cls`."
    found = {}
    for base in reversed([base for base in cls.__mro__ if ours(base)]):
        for name, value in vars(base).items():
            special = name.startswith('__') and name.endswith('__')
            if name in noise or (name.startswith('_') and not special): continue
            if special and not isinstance(value, (types.FunctionType, staticmethod, classmethod, property)): continue
            found[name] = member(value)
    return dict(sorted(found.items()))

def member(value):
    "What one attribute of a class is."
    if isinstance(value, staticmethod): return {'kind': 'static method', 'parameters': parameters(value.__func__)}
    if isinstance(value, classmethod): return {'kind': 'class method', 'parameters': parameters(value.__func__, skip=1)}
    if type(value).__name__ == '_clsmethod': return {'kind': 'class method', 'parameters': parameters(value.f, skip=1)}      # what @patch(cls_method=True) makes
    if isinstance(value, types.FunctionType): return {'kind': 'method', 'parameters': parameters(value, skip=1)}
    if isinstance(value, (property, functools.cached_property)): return {'kind': 'property'}
    if callable(value) and not isinstance(value, type): return {'kind': 'attribute', 'value': f'a {type(value).__name__}'}
    return {'kind': 'attribute', 'value': stable(value)}

def described(value):
    "What a public name holds."
    if isinstance(value, types.ModuleType): return {'kind': 'module'}
    if isinstance(value, types.SimpleNamespace): return {'kind': 'namespace', 'members': {name: member(v) for name, v in sorted(vars(value).items())}}
    if isinstance(value, type):
        if not ours(value): return {'kind': 'elsewhere'}
        return {'kind': 'class', 'parameters': parameters(value), 'members': members(value)}
    if isinstance(value, (types.FunctionType, types.MethodType)):
        return {'kind': 'function', 'parameters': parameters(value)} if ours(value) else {'kind': 'elsewhere'}
    if isinstance(value, functools.partial) or not callable(value):
        return {'kind': 'value', 'value': stable(value)}
    if ours(type(value)): return {'kind': 'function', 'parameters': parameters(value)}
    return {'kind': 'elsewhere'}

def public_names(module):
    "What a star import of `module` gives."
    names = getattr(module, '__all__', None) or [name for name in vars(module) if not name.startswith('_')]
    return {name: described(getattr(module, name)) for name in sorted(set(names))}

def opened(modules):
    "The last of `modules` that is there."
    for name in reversed(modules):
        try: return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if not (error.name or '').startswith(package): raise
    raise ModuleNotFoundError(f"none of {', '.join(modules)} is there")

def public_api():
    "Door -> name -> what it is."
    return {door: public_names(opened(modules)) for door, modules in doors.items()}

def as_json(api):
    "One line for each name, so that a difference can be read."
    parts = [f'"{door}": {{\n' + ',\n'.join(f'{json.dumps(name)}: {json.dumps(what, ensure_ascii=False, separators=(",", ":"))}' for name, what in names.items()) + '\n}'
             for door, names in api.items()]
    return '{\n"removed": {},\n"changed": {},\n' + ',\n'.join(parts) + '\n}\n'

if __name__ == '__main__': sys.stdout.write(as_json(public_api()))
