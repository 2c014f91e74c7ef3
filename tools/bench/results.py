# What was measured, kept part by part in a folder as parts are done: a model, or how one grows. Those measured under
# the same conditions, be it in one run or in many, make a page.

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from models import GROWTH, MODELS, Model


@dataclass(frozen=True)
class Run:
    """One start of scripts/bench."""

    when: str  # sorts by time
    commit: str
    peak: float  # floating-point operations a second that one core does at most
    conditions: dict  # what parts of one page have in common; what JSON can keep


@dataclass(frozen=True)
class Part:
    name: str
    model: Model
    sizes: tuple[int, ...] = ()  # of growth; a model at its own size has none

    @property
    def title(self) -> str:
        return f"growth of {self.model.title}" if self.sizes else self.model.title


PARTS = [Part(model.name, model) for model in MODELS]
PARTS += [Part(f"growth-{model.name}", model, tuple(GROWTH[model.name])) for model in MODELS if model.name in GROWTH]


def keep(folder: Path, part: Part, run: Run, found: dict) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{part.name}.json").write_text(json.dumps({"run": asdict(run), "found": found}, indent=1))


def collect(folder: Path) -> tuple[dict, list[str]]:
    """What report.write() takes, of the parts that share the newest one's conditions; and the names of other parts,
    which are not measured, or were under other conditions. Raises ValueError where there is no part at all."""
    kept = {}
    for part in PARTS:
        file = folder / f"{part.name}.json"
        if file.exists():
            told = json.loads(file.read_text())
            kept[part] = Run(**told["run"]), told["found"]
    if not kept:
        raise ValueError(f"build/bench/{folder.name} has no part of a page yet")
    conditions = max((run for run, _ in kept.values()), key=lambda run: run.when).conditions
    same = {part: told for part, told in kept.items() if told[0].conditions == conditions}
    results = {**conditions, "peak": max(run.peak for run, _ in same.values()), "models": {}, "growth": {}, "runs": {}}
    for part, (run, found) in same.items():
        results["growth" if part.sizes else "models"][part.model.name] = found
        results["runs"].setdefault(f"{run.when}, commit {run.commit}", []).append(part.title)
    return results, [part.name for part in PARTS if part not in same]
