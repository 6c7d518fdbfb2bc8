# SPDX-License-Identifier: Apache-2.0

"""Runs the unit tests against mistakes in the package, one at a time.

Each ``*.patch`` in this folder is one mutant: a line that says what it breaks
for an operator, and a diff. A mutant that no test kills shows that a test is
missing. From the root of the repository::

    python -m tests.mutants.run --check         # do all patches still apply?
    python -m tests.mutants.run --only 09-SLUG  # one mutant
    python -m tests.mutants.run --short         # all, without random drains
    python -m tests.mutants.run --write tests/mutants/after.csv
    python -m tests.mutants.run --tests TREE    # with another checkout's tests

The tests run in stages, those most likely to notice first, until one fails.
Rows of mutants that are not run again stay in the file that is written.
``before.csv`` says which tests killed them when they were written.
"""

import argparse
from collections import abc
import concurrent.futures
import csv
import dataclasses
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
#: Not part of what is tested.
LEFT_OUT = ('tests/mutants/', 'tests/unit/test_mutants.py')
#: Long tests, and not likely to be the only ones that notice: last.
LONG = ('test_random', 'test_speed')
#: What the tests of a stage begin with, below tests/unit.
STAGES = (
    ('{mirror}.', '{mirror}_'),
    ('planning/',),
    ('operations/', 'commands/', 'recording/'),
    ('engine/',),
    ('',),
)
COLUMNS = ('mutant', 'description', 'result', 'test')


class Broken(Exception):
    """The run itself says nothing: a patch, or the tree, is to be mended."""


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One mistake."""

    slug: str
    description: str
    #: The module that it is in, from the root of the repository.
    path: str
    #: What each hunk replaces, and by what.
    hunks: tuple[tuple[str, str], ...]

    @property
    def mirror(self) -> str:
        """What its module's tests begin with, below tests/unit."""
        path = pathlib.PurePath(self.path).relative_to('osc_hostmaint')
        return f'{path.parent}/test_{path.stem}'

    def applied(self, source: str) -> str:
        """Return the text of its module with the mistake."""
        for old, new in self.hunks:
            if source.count(old) != 1:
                raise Broken(
                    f'{self.slug} does not apply: what it replaces is '
                    f'{source.count(old)} times in {self.path}'
                )
            source = source.replace(old, new)
        compile(source, self.path, 'exec')
        return source


def read(path: pathlib.Path) -> Mutant:
    """Return a mutant from its patch."""
    lines = path.read_text().splitlines(keepends=True)
    target, hunks = '', []
    for line in lines[1:]:
        if line.startswith('+++ b/'):
            target = line.removeprefix('+++ b/').strip()
        elif line.startswith('@@'):
            hunks.append(['', ''])
        elif hunks:
            sign, text = (' ', line) if line == '\n' else (line[0], line[1:])
            for part, other in enumerate('+-'):
                if sign != other:
                    hunks[-1][part] += text
    if not (target and hunks):
        raise Broken(f'{path.name} is no patch')
    return Mutant(
        path.stem,
        lines[0].strip(),
        target,
        tuple((old, new) for old, new in hunks),
    )


def mutants(only: abc.Container[str] = ()) -> list[Mutant]:
    """Return the mutants, or some, named with or without their numbers."""
    found = [read(path) for path in sorted(HERE.glob('*.patch'))]
    if not only:
        return found
    return [
        mutant
        for mutant in found
        if mutant.slug in only or mutant.slug.partition('-')[2] in only
    ]


def check() -> None:
    """Raise if a patch does not apply to the tree as it is."""
    for mutant in mutants():
        mutant.applied((ROOT / mutant.path).read_text())


def copied(root: pathlib.Path, target: pathlib.Path, *, tests: bool) -> None:
    """Copy what git knows or would add, of the tests or all else."""
    listing = subprocess.run(
        ['git', 'ls-files', '-z', '-co', '--exclude-standard'],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listing.stdout.split('\0')):
        if name.startswith('tests/') != tests or name.startswith(LEFT_OUT):
            continue
        if (root / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, target / name)


def stages(tree: pathlib.Path, mirror: str, *, long: bool) -> list[list[str]]:
    """Return the test modules to be run one stage after the other."""
    unit = tree / 'tests' / 'unit'
    rest = sorted(p.relative_to(unit) for p in unit.rglob('test_*.py'))
    last = [p for p in rest if p.name.startswith(LONG)]
    rest = [p for p in rest if p not in last]
    found = []
    for beginnings in STAGES:
        wanted = tuple(b.format(mirror=mirror) for b in beginnings)
        found.append([p for p in rest if str(p).startswith(wanted)])
        rest = [p for p in rest if p not in found[-1]]
    found.append(last if long else [])
    return [[f'tests/unit/{p}' for p in stage] for stage in found if stage]


class Run:
    """The tests, against one mutant after the other."""

    def __init__(self, folder: pathlib.Path, options: argparse.Namespace):
        self._options = options
        self._folder = folder
        self._original = folder / 'original'
        self._original.mkdir()
        copied(ROOT, self._original, tests=False)
        copied(options.tests, self._original, tests=True)
        imported = self._python(
            self._original,
            '-c',
            'import osc_hostmaint; print(osc_hostmaint.__file__)',
        )[1].strip()
        if not imported.startswith(str(self._original)):
            raise Broken(f'{imported} is imported instead of the copy')

    def kill(self, mutant: Mutant) -> str:
        """Return the test that kills a mutant, '' if none does."""
        tree = self._folder / mutant.slug
        # With what was compiled already: of the same age, so it counts.
        shutil.copytree(self._original, tree)
        module = tree / mutant.path
        module.write_text(mutant.applied(module.read_text()))
        try:
            for stage in stages(
                tree, mutant.mirror, long=not self._options.short
            ):
                if test := self._failing(tree, stage):
                    return test
        finally:
            shutil.rmtree(tree, ignore_errors=True)
        return ''

    def check(self, tests: abc.Iterable[str]) -> None:
        """Raise if one of some tests fails without any mutant, too."""
        known = sorted(test for test in set(tests) if '::' in test)
        if known and (test := self._failing(self._original, known)):
            raise Broken(f'{test} fails without any mutant')

    def _failing(self, tree: pathlib.Path, tests: abc.Iterable[str]) -> str:
        """Return the first test that fails, '' if all pass."""
        options = '-x -q -p no:cacheprovider --tb=line -rfE --color=no'
        code, output = self._python(
            tree, '-m', 'pytest', *options.split(), *tests
        )
        if code is None:
            return f'no end within {self._options.limit} s'
        if code in (0, 5):
            return ''
        failed = re.search(
            r'^(?:FAILED|ERROR|SUBFAILED.*) (tests/\S+::\S+)',
            output,
            re.MULTILINE,
        )
        if code != 1 or not failed:
            raise Broken(f'pytest ended with {code} in {tree}:\n{output}')
        return failed[1]

    def _python(
        self, tree: pathlib.Path, *arguments: str
    ) -> tuple[int | None, str]:
        """Return the exit code, None if it had none in time, and output."""
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=tree,
            env={
                **os.environ,
                'PYTHONPATH': str(tree),
                'PYTHONHASHSEED': '0',
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=self._options.limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return None, ''
        return process.returncode, output


def write(path: pathlib.Path, rows: dict[str, tuple[str, ...]]) -> None:
    """Write rows by mutant; those of other mutants stay."""
    kept = {}
    if path.exists():
        with path.open(newline='') as file:
            kept = {row[0]: tuple(row) for row in list(csv.reader(file))[1:]}
    slugs = {mutant.slug for mutant in mutants()}
    table = {k: v for k, v in {**kept, **rows}.items() if k in slugs}
    with path.open('w', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(COLUMNS)
        writer.writerows(table[key] for key in sorted(table))


def table(
    run: Run, chosen: list[Mutant], options: argparse.Namespace
) -> dict[str, tuple[str, ...]]:
    """Run all mutants, tell of each, and return the rows."""

    def one(mutant: Mutant) -> tuple[Mutant, str, float]:
        began = time.monotonic()
        return mutant, run.kill(mutant), time.monotonic() - began

    rows = {}
    with concurrent.futures.ThreadPoolExecutor(options.workers) as pool:
        try:
            for done in concurrent.futures.as_completed(
                pool.submit(one, mutant) for mutant in chosen
            ):
                mutant, test, seconds = done.result()
                result = 'killed' if test else 'survived'
                if options.short and not test:
                    test = 'not run against random drains'
                rows[mutant.slug] = (
                    mutant.slug,
                    mutant.description,
                    result,
                    test,
                )
                print(f'{mutant.slug}: {mutant.description}')
                print(f'    {result}, {seconds:.0f} s: {test}', flush=True)
                if options.write:
                    write(options.write, rows)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return rows


def main() -> int:
    """Run what the command line asks for, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--check', action='store_true')
    parser.add_argument('--only', nargs='+', default=(), metavar='SLUG')
    parser.add_argument('--workers', type=int, default=1)
    parser.add_argument('--tests', type=pathlib.Path, default=ROOT)
    parser.add_argument('--write', type=pathlib.Path, metavar='CSV')
    parser.add_argument(
        '--short', action='store_true', help='without random drains'
    )
    parser.add_argument(
        '--limit', type=float, default=1800, help='seconds for each stage'
    )
    options = parser.parse_args()
    try:
        check()
        if options.check:
            return 0
        chosen = mutants(options.only)
        if not chosen:
            raise Broken('there is no such mutant')
        with tempfile.TemporaryDirectory() as folder:
            run = Run(pathlib.Path(folder), options)
            rows = table(run, chosen, options)
            run.check(row[3] for row in rows.values())
    except Broken as problem:
        print(problem, file=sys.stderr)
        return 2
    survived = [row[0] for row in rows.values() if row[2] == 'survived']
    print(f'{len(rows) - len(survived)} killed, {len(survived)} survived')
    return 1 if survived else 0


if __name__ == '__main__':
    sys.exit(main())
