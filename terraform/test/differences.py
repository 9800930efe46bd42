"""Compares a plan that should be empty with the list of an emulator's false differences.

usage: differences.py PLAN.json LIST

A line of LIST is `TYPE.ATTRIBUTE reason`, for every resource of the type. Exits 1 when the plan differs elsewhere, when it
creates or deletes anything, or when it replaces anything for an attribute that is not in LIST.
"""

import json
import sys


def differing(before, after, unknown, path=""):
    """Yields the paths at which two values differ, without list indices."""
    if unknown is True:
        yield path
    elif isinstance(before, dict) and isinstance(after, dict):
        for key in before.keys() | after.keys():
            inner = unknown.get(key, False) if isinstance(unknown, dict) else False
            yield from differing(before.get(key), after.get(key), inner, f"{path}.{key}" if path else key)
    elif before != after:
        yield path


def main():
    plan = json.load(open(sys.argv[1]))
    known = {line.split()[0] for line in open(sys.argv[2]) if line.strip() and not line.startswith("#")}
    bad = 0
    false = set()
    for change in plan.get("resource_changes", []):
        actions = change["change"]["actions"]
        if actions in (["no-op"], ["read"]):
            continue
        before, after = change["change"]["before"], change["change"]["after"]
        if actions != ["update"]:
            forcing = {f"{change['type']}.{path[0]}" for path in change["change"].get("replace_paths", [])}
            if forcing and forcing <= known:
                false |= forcing
                continue
            print(f"{change['address']}: {'/'.join(actions)}, for {change['change'].get('replace_paths')}")
            bad += 1
            continue
        for path in differing(before, after, change["change"].get("after_unknown", {})):
            name = f"{change['type']}.{path}"
            if name in known:
                false.add(name)
                continue
            print(f"{change['address']}: {path} differs:\n  {before.get(path.split('.')[0])!r}\n  {after.get(path.split('.')[0])!r}")
            bad += 1
    print(f"{bad} differences, {len(false)} of the emulator's own" if bad or false else "no differences")
    return 1 if bad else 0


sys.exit(main())
