#!/usr/bin/env python3
"""Plays the whole corpus against a gateway and fails where a scenario does not end as known.txt says.

    python3 check.py --sluice /path/to/sluice [--write]

known.txt lists the scenarios that are known to fail, an id a line, with the reason behind it. Every other one has to pass, and
one that is listed and passes is a failure too, so that the list stays true. A scenario that fails is played again, alone, up to
two times: some measure time, and a machine may be slow. --write writes the list anew, and keeps the reasons of what stays.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
KNOWN = os.path.join(HERE, "known.txt")


def play(sluice, only):
    """Returns the results of the scenarios by id."""
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        command = [sys.executable, os.path.join(HERE, "run.py"), "--sluice", sluice, "--json", out.name]
        for name in only:
            command += ["--only", name, "--jobs", "1"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        try:
            results = json.load(out)["results"]
        except ValueError:
            sys.exit("run.py ended with %d and no results:\n%s" % (done.returncode, done.stdout))
        return {r["id"]: r for r in results}, done.stdout


def known():
    """Returns the reasons of known.txt by id."""
    reasons = {}
    for line in open(KNOWN):
        line = line.split("#")[0].strip()
        if line:
            name, _, reason = line.partition(" ")
            reasons[name] = reason.strip()
    return reasons


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--sluice", required=True, help="the binary")
    p.add_argument("--write", action="store_true", help="write known.txt anew")
    options = p.parse_args()
    reasons = known()
    results, text = play(options.sluice, [])
    for _ in range(2):
        again = [name for name, r in results.items() if not r["passed"] and name not in reasons]
        if not again:
            break
        more, text = play(options.sluice, again)
        results.update(more)
    failing = [name for name, r in results.items() if not r["passed"]]
    if options.write:
        head = [line for line in open(KNOWN) if line.startswith("#")]
        with open(KNOWN, "w") as f:
            f.writelines(head)
            f.writelines("%s %s\n" % (name, reasons.get(name, "")) for name in sorted(failing))
    bad = 0
    for name in failing:
        if name not in reasons:
            bad += 1
            print("FAIL", name)
    if bad:
        print(text)
    for name in reasons:
        if name not in results:
            bad += 1
            print("UNKNOWN %s: known.txt lists it, and there is no such scenario" % name)
        elif results[name]["passed"]:
            bad += 1
            print("PASSES %s: take it out of known.txt" % name)
    requests = sum(r["requests"] for r in results.values())
    passed = sum(r["requests_passed"] for r in results.values())
    print("%d of %d scenarios, %d of %d requests as ingress-nginx" % (len(results) - len(failing), len(results), passed, requests))
    sys.exit(1 if bad and not options.write else 0)


if __name__ == "__main__":
    main()
