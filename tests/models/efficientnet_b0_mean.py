# EfficientNet-B0 with the mean of the last map written as such: transformers has a pool of 1280 x 1280 pixels that is cut
# off at the map's borders, which other runtimes refuse. The same numbers.

from torch import nn

import efficientnet_b0
from efficientnet_b0 import KEEP_BATCH_NORM, RUN, inputs

__all__ = ["KEEP_BATCH_NORM", "RUN", "build", "inputs"]


def build() -> nn.Module:
    model = efficientnet_b0.build()
    model.efficientnet.pooler = nn.AdaptiveAvgPool2d(1)
    return model
