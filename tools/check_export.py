"Fail if nbdev_export would change the package: the notebooks are the source."
import hashlib, subprocess, sys
from pathlib import Path

root = Path(__file__).resolve().parent.parent
package = root/'fastnlp_course'

def fingerprints():
    "Module, by its place in the package -> hash of its file, whatever the line ends."
    return {path.relative_to(package).as_posix(): hashlib.sha256(path.read_bytes().replace(b'\r\n', b'\n')).hexdigest() for path in package.rglob('*.py')}

def main():
    before = fingerprints()
    command = Path(sys.executable).parent/'nbdev_export'
    subprocess.run([str(command)], cwd=root, check=True)
    after = fingerprints()
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    if changed:
        sys.exit(f"nbdev_export changed {', '.join(changed)}: edit the notebooks, run nbdev_export, and commit both.")
    print(f'export-check: {len(after)} modules agree with the notebooks')

if __name__ == '__main__': main()
