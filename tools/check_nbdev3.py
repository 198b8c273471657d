"Export and test a copy of the notebooks under nbdev 3, so that the course is not stranded on nbdev 2."
import os, shutil, subprocess, sys, tempfile, venv
from pathlib import Path
from project import root

left_out = shutil.ignore_patterns('.venv*', '.git', '__pycache__', '*.egg-info', 'demo_output')

def differing(copy):
    "Exported modules that nbdev 3 writes differently, without the index of the documentation."
    here, there = root/'fastnlp_course', copy/'fastnlp_course'
    names = {path.relative_to(package).as_posix() for package in (here, there) for path in package.rglob('*.py')} - {'_modidx.py'}
    return sorted(name for name in names if not all((package/name).exists() for package in (here, there)) or (there/name).read_bytes() != (here/name).read_bytes())

def main(environment=None):
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)/'course'
        shutil.copytree(root, copy, ignore=left_out)
        environment = Path(environment) if environment else Path(folder)/'venv'
        if not environment.exists(): venv.create(environment, with_pip=True)
        scripts = environment/('Scripts' if os.name == 'nt' else 'bin')
        pip = [str(scripts/'python'), '-m', 'pip', 'install', '-q']
        subprocess.run([*pip, 'torch==2.13.0'], check=True)
        subprocess.run([*pip, '-e', str(copy), 'nbdev>=3.3', 'fastcore>=2.2', 'pytest', 'hypothesis', 'psutil', 'jupyter'], check=True)
        variables = {**os.environ, 'PATH': f'{scripts}{os.pathsep}{os.environ["PATH"]}', 'OMP_NUM_THREADS': '1'}
        subprocess.run([str(scripts/'nbdev-export')], cwd=copy, env=variables, check=True)
        changed = differing(copy)
        if changed: sys.exit(f"under nbdev 3 the export of {', '.join(changed)} differs")
        subprocess.run([str(scripts/'nbdev-test'), '--n-workers', '2'], cwd=copy, env=variables, check=True)
        print('nbdev3-test: same export, all notebooks pass')

if __name__ == '__main__': main(*sys.argv[1:])
