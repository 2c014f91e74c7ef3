# scripts/bench page: a model in Chromium, by the module in fovea's page and by ONNX Runtime Web, on one thread.

import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
from models import BUILD, FOVEA, MODELS, ROOT, Model

os.environ["FOVEA"], os.environ["FOVEA_SOURCE_DIR"] = str(FOVEA), str(ROOT)
sys.path.insert(0, str(ROOT / "tests/support"))
from browser import chromium

PEER = "onnxruntime-web@1.30.0"
NAMES = ["mobilenet_v3_large", "deit_tiny"]
ROUNDS, RUNS = 9, 5
TOLERANCE = 1e-4  # of the outputs' range
HERE = Path(__file__).resolve().parent


class Quiet(http.server.SimpleHTTPRequestHandler):
    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript", ".wasm": "application/wasm"}

    def log_message(self, *_: object) -> None:
        pass


def serve(folder: Path) -> http.server.ThreadingHTTPServer:
    server = http.server.ThreadingHTTPServer(("localhost", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def install(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "web.html", folder)
    if not (folder / "node_modules/onnxruntime-web").exists():
        print(f"installing {PEER}", file=sys.stderr)
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, PEER], check=True)


def prepare(model: Model, folder: Path) -> dict:
    """What the page that measures is told."""
    model.make()
    shutil.copy(model.file("onnx"), folder / f"{model.name}.onnx")
    view = [FOVEA, "view", model.file("onnx"), "-o", folder / f"{model.name}.html", "--probes", "none"]
    subprocess.run(view, check=True, stdout=subprocess.DEVNULL)
    [(name, array)] = np.load(model.file("input.npz")).items()
    array.astype(np.float32).tofile(folder / f"{model.name}.bin")
    return {
        "page": f"{model.name}.html",
        "model": f"{model.name}.onnx",
        "inputs": f"{model.name}.bin",
        "name": name,
        "shape": list(array.shape),
        "rounds": ROUNDS,
        "runs": RUNS,
    }


def main() -> None:
    folder = BUILD / "web"
    install(folder)
    server = serve(folder)
    with chromium() as browser:
        print(f"Chromium {browser.version}, one thread, SIMD128; {PEER}; medians of {ROUNDS} rounds of {RUNS} runs")
        print("| model | fovea, ms | ONNX Runtime Web, ms | ratio |\n| --- | --- | --- | --- |")
        for model in [model for model in MODELS if model.name in NAMES]:
            told = prepare(model, folder)
            page = browser.new_page()
            page.goto(f"http://localhost:{server.server_port}/web.html")
            page.wait_for_function("window.ready")
            found = page.evaluate("(told) => measure(told)", told)
            if found["difference"] > TOLERANCE:
                sys.exit(f"{model.title}: outputs differ by {found['difference']} of their range")
            print(f"| {model.title} | {found['fovea']:.1f} | {found['peer']:.1f} | {found['ratio']:.2f} |")
            page.close()
    server.shutdown()
