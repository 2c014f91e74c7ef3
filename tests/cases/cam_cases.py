"""Class activation maps: networks that end in a global mean and one linear layer, and ends that are not that."""
import torch
from harness import Block, Built, case, keep, main
from torch import Tensor, nn
from torch.nn import functional as F


class Classifier(nn.Module):
    """A map of 12 channels, its mean, and a layer of 5 classes; the winning class's map is kept."""

    def __init__(self, head: nn.Module | None = None):
        super().__init__()
        self.stem, self.conv = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 12, 3, padding=1)
        self.head = head or nn.Linear(12, 5)

    def features(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(F.relu(self.stem(x))))

    def pool(self, x: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(x, 1).flatten(1)

    def keep_map(self, x: Tensor, logits: Tensor, weight: Tensor) -> None:
        keep(self, map=torch.einsum("nchw,nc->nhw", x, weight[logits.argmax(1)]))

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        logits = self.head(self.pool(x))
        self.keep_map(x, logits, self.head.weight)
        return logits


def built(net: nn.Module, found: bool = True) -> Built:
    return Built(net, (torch.randn(2, 3, 7, 9),), lambda: [Block("cam", {"map": net.map})] if found else [])


@case()
def cam_linear() -> Built:
    return built(Classifier())


@case()
def cam_chained_means_and_dropout() -> Built:
    class Dropped(Classifier):
        def pool(self, x: Tensor) -> Tensor:
            return F.dropout(x.mean(3).mean(2), 0.2, self.training)

    return built(Dropped(nn.Linear(12, 5, bias=False)))


@case()
def cam_softmax() -> Built:
    class Probabilities(Classifier):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).softmax(-1)

    return built(Probabilities())


@case()
def cam_product() -> Built:
    class Product(Classifier):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.bias = nn.Parameter(torch.randn(12, 5)), nn.Parameter(torch.randn(5))

        def forward(self, x: Tensor) -> Tensor:
            x = self.features(x)
            logits = self.pool(x) @ self.weight + self.bias
            self.keep_map(x, logits, self.weight.T)
            return logits

    return built(Product())


@case()
def cam_channels_last() -> Built:
    class Last(Classifier):
        def forward(self, x: Tensor) -> Tensor:
            x = self.features(x)
            logits = self.head(F.layer_norm(x.permute(0, 2, 3, 1), (12,)).mean((1, 2)))
            self.keep_map(F.layer_norm(x.permute(0, 2, 3, 1), (12,)).permute(0, 3, 1, 2), logits, self.head.weight)
            return logits

    return built(Last())


@case()
def cam_convolution() -> Built:
    """The layer is a 1x1 convolution of the mean."""

    class Convolution(Classifier):
        def forward(self, x: Tensor) -> Tensor:
            x = self.features(x)
            logits = self.head(x.mean((2, 3), keepdim=True)).flatten(1)
            self.keep_map(x, logits, self.head.weight[:, :, 0, 0])
            return logits

    return built(Convolution(nn.Conv2d(12, 5, 1)))


class Headless(Classifier):
    """Ends that keep no map: they have none."""

    def keep_map(self, x: Tensor, logits: Tensor, weight: Tensor) -> None:
        pass


@case()
def head_of_two_layers() -> Built:
    class TwoLayers(Headless):
        def forward(self, x: Tensor) -> Tensor:
            return self.head(F.relu(self.hidden(self.pool(self.features(x)))))

        def __init__(self) -> None:
            super().__init__()
            self.hidden = nn.Linear(12, 12)

    return built(TwoLayers(), found=False)


@case()
def layer_of_means_in_the_middle() -> Built:
    """What the mean becomes is no output, but is added to the map."""

    class Middle(Headless):
        def forward(self, x: Tensor) -> Tensor:
            x = self.features(x)
            return x + self.head(self.pool(x))[:, :, None, None]

    return built(Middle(nn.Linear(12, 12)), found=False)


@case()
def head_of_a_maximum() -> Built:
    class Maximum(Headless):
        def pool(self, x: Tensor) -> Tensor:
            return F.adaptive_max_pool2d(x, 1).flatten(1)

    return built(Maximum(), found=False)


if __name__ == "__main__":
    main()
