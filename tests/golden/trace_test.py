"""docs/trace.md shows what --dump-after prints; `trace_test.py --update` writes it anew."""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
FOVEA = os.environ.get("FOVEA", ROOT / "build/release/fovea")
PAGE = ROOT / "docs/trace.md"


def dump(block):
    """The listing of a fenced block, as fovea prints it now."""
    command = [FOVEA, "compile", ROOT / "tests/golden/trace.onnx", "--dim", "batch=1", "-o", "unused", "--dump-after",
               block[1]]
    return f"```text dump-after={block[1]}\n" + subprocess.run(command, check=True, capture_output=True, text=True).stdout + "```"


def main():
    told = PAGE.read_text()
    true = re.sub(r"```text dump-after=(\S+)\n.*?```", dump, told, flags=re.S)
    if "--update" in sys.argv:
        PAGE.write_text(true)
        return 0
    listing = subprocess.run([FOVEA, "inspect", ROOT / "tests/golden/trace.onnx", "--dump-after", "?"],
                             capture_output=True, text=True).stderr
    passes = re.findall(r"note: (\w+):", listing)
    missing = [name for name in passes if f"dump-after={name}\n" not in told]
    if told != true or missing or not passes:
        print(f"docs/trace.md is not true any more (passes left out: {missing}); run tests/golden/trace_test.py --update")
        return 1
    return 0


sys.exit(main())
