"""Runs the unit tests below some packages side by side, and writes one JSON object a test into a file.

usage: run_suite.py --jobs N --out FILE [--only REGEX] PACKAGE...

The tests of a class share its fixtures, and what they list: they run one after the other, in a process that was forked
after the imports. What tests print goes to standard error.
"""
import argparse
import importlib
import json
import multiprocessing
import os
import re
import sys
import time
import unittest

UNITS = []


def flat(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flat(item)
        else:
            yield item


def load(packages):
    for name in packages:
        package = importlib.import_module(name)
        folder = os.path.dirname(package.__file__)
        top = folder
        for _ in name.split('.'):
            top = os.path.dirname(top)
        yield from flat(unittest.TestLoader().discover(folder, top_level_dir=top))


class Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.told = {}

    def _tell(self, test, outcome, reason=''):
        # What failed stays failed, whatever its cleanup says afterwards.
        if self.told.get(test.id(), {}).get('outcome') != 'failed':
            self.told[test.id()] = {'id': test.id(), 'outcome': outcome, 'reason': reason}

    def addSuccess(self, test):
        self._tell(test, 'passed')

    def addExpectedFailure(self, test, err=None, details=None):
        self._tell(test, 'passed')

    def addUnexpectedSuccess(self, test, details=None):
        self._tell(test, 'failed', 'an unexpected success')

    def addSkip(self, test, reason=None, details=None):
        self._tell(test, 'skipped', reason or details['reason'].as_text())

    def _fail(self, test, err=None, details=None):
        if err is None:
            reason = '\n'.join(content.as_text() for name, content in sorted(details.items()) if 'traceback' in name)
        else:
            reason = self._exc_info_to_string(err, test)
        self._tell(test, 'failed', reason[-4000:])

    addError = _fail
    addFailure = _fail


def run(index):
    os.dup2(2, 1)
    result = Result()
    began = time.monotonic()
    unittest.TestSuite(UNITS[index]).run(result)
    return list(result.told.values()), round(time.monotonic() - began, 2)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--jobs', type=int, default=4)
    parser.add_argument('--out', required=True)
    parser.add_argument('--only', default='')
    parser.add_argument('packages', nargs='+')
    args = parser.parse_args()
    units = {}
    for test in load(args.packages):
        if re.search(args.only, test.id()):
            units.setdefault(test.id().rsplit('.', 1)[0], []).append(test)
    UNITS.extend(units[name] for name in sorted(units))
    with multiprocessing.get_context('fork').Pool(args.jobs, maxtasksperchild=1) as pool:
        with open(args.out, 'w') as out:
            for told, seconds in pool.imap_unordered(run, range(len(UNITS)), chunksize=1):
                for one in told:
                    out.write(json.dumps({**one, 'seconds': seconds}) + '\n')


if __name__ == '__main__':
    sys.exit(main())
