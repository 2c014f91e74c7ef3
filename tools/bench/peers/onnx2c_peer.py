# onnx2c, a generator of C, where ONNX2C names the built program. It has no threads.

import os

from peers import emx_peer
from peers.peer import call


class Peer(emx_peer.Peer):
    TITLE = "onnx2c"
    PACKAGES = []
    DISTRIBUTION = ""
    ENTRY = "entry"

    def missing(self) -> str:
        return super().missing() or ("" if os.environ.get("ONNX2C") else "ONNX2C does not name a built one")

    def generate(self) -> None:
        (self.task.folder / "model.c").write_text(call([os.environ["ONNX2C"], self.task.onnx]))
