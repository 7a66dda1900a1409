"""Measure the library's speed, as ratios of two tasks timed in the same run.

    python benchmarks/run.py [--json] [--only NAME] [--quick] [--app]

Weights are random and of real size, photos and captions are synthetic, so no data are needed.
"""

import argparse
import json
import os
import platform
import sys
import textwrap
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import engines, ratios, server
from benchmarks.measuring import Result
from benchmarks.networks import FULL, QUICK

COMPARISONS = {**engines.COMPARISONS, **ratios.COMPARISONS}

PACKAGES = ("keras", "tensorflow", "numpy", "pillow")
WIDTH = 100


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the selected comparisons and print the results."""
    options = _options(arguments)
    begun = time.monotonic()
    facts = {"quick": options.quick, "cores": _cores(), "versions": _versions()}
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    print(f"{facts['cores']} cores, {versions}, load {_load():.1f}")
    results = []
    for name in [options.only] if options.only else COMPARISONS:
        result = COMPARISONS[name](QUICK if options.quick else FULL)
        print(f"\n{described(result, judged=not options.quick)}", flush=True)
        results.append(result)
    if options.app:
        print("\nThe app in a browser:")
        facts["app"] = server.report(photos=0)
    facts["seconds"] = round(time.monotonic() - begun, 1)
    print(f"\n{facts['seconds']:.0f} seconds in all, load {_load():.1f}")
    if options.quick:
        print("These are toy sizes that only check that everything runs: omit --quick.")
    if options.json:
        print(json.dumps(as_json(results, facts)))


def described(result: Result, *, judged: bool) -> str:
    """Format a ratio and its times; with `judged`, also whether it meets its bound."""
    comparison, times = result.comparison, result.to_dict()["seconds"]
    verdict = (": met" if result.met else ": MISSED") if judged else ""
    lines = [f"{comparison.title}: {result.ratio:.2f} ({comparison.bound}{verdict})"]
    compared = [comparison.over, comparison.under]
    for name in compared + [name for name in times if name not in compared]:
        prefix = "" if name in compared else "for comparison: "
        lines.append(
            f"  {1000 * times[name]['median']:9.2f} ms per {comparison.unit} "
            f"(least {1000 * times[name]['least']:.2f})  {prefix}{times[name]['label']}"
        )
    rounds = len(result.seconds[comparison.over])
    medians = f"Medians of {rounds} rounds" if rounds > 1 else "One round"
    notes = f"{medians}. {comparison.notes}"
    return "\n".join([*lines, textwrap.indent(textwrap.fill(notes, WIDTH - 2), "  ")])


def as_json(results: Sequence[Result], facts: dict[str, Any]) -> dict[str, Any]:
    """Return the ratios by name, followed by all details."""
    ratios = {result.comparison.key: round(result.ratio, 3) for result in results}
    details = {result.comparison.key: result.to_dict() for result in results}
    return {**ratios, "details": details, **facts}


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the library's speed as ratios.")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--only", choices=COMPARISONS, metavar="NAME", help=", ".join(COMPARISONS))
    parser.add_argument("--app", action="store_true", help="also measure the app; needs chromium")
    parser.add_argument("--quick", action="store_true", help="toy sizes, to check that it runs")
    return parser.parse_args(arguments)


def _cores() -> int:
    """Return the number of cores that this process may use, which a container may limit."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _load() -> float:
    """Return the load average of the last minute; 0 if the system has none."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = metadata.version(f"{name}-cpu")  # TensorFlow's CPU build
    return found


if __name__ == "__main__":
    main()
