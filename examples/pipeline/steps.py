"""The steps of the pipeline that are Python: each takes the input and, if it wants to, what the others have given."""

import hashlib
import json
from pathlib import Path

import overnight


def probe(path: str) -> dict[str, object]:
    """Size, digest, and whether it looks like text."""
    content = Path(path).read_bytes()
    return {"size": len(content), "text": b"\0" not in content, "sha256": hashlib.sha256(content).hexdigest()}


def extract(path: str) -> dict[str, object]:
    """Lines, words, and how it begins."""
    words, lines = 0, Path(path).read_text(errors="replace").splitlines()
    for number, line in enumerate(lines):
        words += len(line.split())
        if number % 100 == 0:
            overnight.progress(number / len(lines), f"line {number} of {len(lines)}")
    return {"lines": len(lines), "words": words, "first": lines[:3]}


def summarise(path: str, context: overnight.Context) -> dict[str, object]:
    """All of it together. There is nothing from `extract` when that was skipped."""
    found = context.outputs["probe"] | (context.outputs.get("extract") or {})
    words = f"{found['lines']} lines" if "lines" in found else "no text"
    return {"file": path, "summary": f"{Path(path).name}: {found['size']} bytes, {words}", **found}


def publish(path: str, context: overnight.Context) -> dict[str, object]:  # noqa: ARG001 - every step takes the input
    """Write the summary beside the copy; whole, or not at all."""
    sidecar = Path(context.outputs["copy"]["path"] + ".json")
    unfinished = sidecar.with_suffix(".new")
    unfinished.write_text(json.dumps(context.outputs["summarise"], indent=2) + "\n")
    unfinished.replace(sidecar)
    return {"sidecar": str(sidecar)}
