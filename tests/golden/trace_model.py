"""Writes tests/golden/trace.onnx, the small network that docs/trace.md follows through fovea: a convolution with batch
normalisation, a squeeze-and-excitation block, and a head whose flattening computes its shape at run time."""
import pathlib

import torch
from torch import nn


class SqueezeExcitation(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, channels // 2, 1)
        self.expand = nn.Conv2d(channels // 2, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.expand(torch.relu(self.reduce(self.squeeze(x)))))


class Traced(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.se = SqueezeExcitation(4)
        self.drop = nn.Dropout()
        self.head = nn.Linear(144, 3)

    def forward(self, image):
        x = self.se(torch.relu(self.norm(self.conv(image))))
        return self.head(self.drop(x.view(x.size(0), -1)))


torch.manual_seed(1)
model = Traced()
model(torch.randn(64, 1, 8, 8))  # statistics for the normalisation
torch.onnx.export(model.eval(), (torch.zeros(1, 1, 8, 8),), str(pathlib.Path(__file__).parent / "trace.onnx"),
                  dynamo=False, opset_version=17, input_names=["image"], output_names=["logits"],
                  training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
                  dynamic_axes={"image": {0: "batch"}})
