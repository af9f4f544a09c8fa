"""The networks that datasets are distilled with and for, as one writes them in PyTorch.

Names of weights are those of Minimax Diffusion (Gu et al., CVPR 2024), and so those of ours.
"""

from itertools import pairwise

from torch import nn
from torch.nn import functional as F

WIDTHS = (64, 128, 256, 512)


def instance_norm(channels):
    return nn.GroupNorm(channels, channels)


class ConvNet(nn.Module):
    """d × [convolution, norm, ReLU, mean of 2×2 pixels], then a linear layer on the map."""

    def __init__(self, depth, image_size, channels, classes, width=128):
        super().__init__()
        self.layers = nn.ModuleDict({
            "conv": nn.ModuleList(
                nn.Conv2d(width if block else channels, width, 3, padding=1)
                for block in range(depth)
            ),
            "norm": nn.ModuleList(instance_norm(width) for _ in range(depth)),
        })
        self.classifier = nn.Linear(width * (image_size >> depth) ** 2, classes)

    def forward(self, x):
        for convolution, norm in zip(self.layers["conv"], self.layers["norm"]):
            x = F.avg_pool2d(F.relu(norm(convolution(x))), 2)
        return self.classifier(x.flatten(1))


class Stem(nn.Module):
    """What is in front of the blocks, by the size of the images (small, mid, large)."""

    def __init__(self, image_size, channels, averages):
        super().__init__()
        kernel, stride = (7, 1 if averages else 2) if image_size > 128 else (3, 1)
        self.conv1 = nn.Conv2d(channels, WIDTHS[0], kernel, stride, kernel // 2, bias=False)
        self.bn1 = instance_norm(WIDTHS[0])
        if image_size <= 64:
            self.pool = nn.Identity()
        elif averages:
            self.pool = nn.AvgPool2d(4 if image_size > 128 else 2)
        else:
            self.pool = nn.MaxPool2d(3, 2, 1)

    def forward(self, x):
        return self.pool(F.relu(self.bn1(self.conv1(x))))


class Block(nn.Module):
    """Two convolutions and a shortcut; ResNetAP has mean pooling in place of strides."""

    def __init__(self, inputs, outputs, stride, averages):
        super().__init__()
        step, pool = (1, stride) if averages else (stride, 1)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, step, 1, bias=False)
        self.bn1 = instance_norm(outputs)
        self.pool = nn.AvgPool2d(pool) if pool > 1 else nn.Identity()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = instance_norm(outputs)
        self.downsample = nn.Identity()
        if stride > 1 or inputs != outputs:
            pooling = [nn.AvgPool2d(pool)] if averages else []
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, step, bias=False), *pooling, instance_norm(outputs)
            )

    def forward(self, x):
        shortcut = self.downsample(x)
        x = self.pool(F.relu(self.bn1(self.conv1(x))))
        return F.relu(self.bn2(self.conv2(x)) + shortcut)


class ResNet(nn.Module):
    """ResNet with two blocks a stage at depth 18 and one at depth 10; `averages`: ResNetAP."""

    def __init__(self, depth, image_size, channels, classes, averages):
        super().__init__()
        self.layer0 = Stem(image_size, channels, averages)
        for stage, (inputs, outputs) in enumerate(pairwise((WIDTHS[0], *WIDTHS))):
            blocks = [Block(inputs, outputs, 2 if stage else 1, averages)]
            if depth == 18:
                blocks.append(Block(outputs, outputs, 1, averages))
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(WIDTHS[-1], classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x):
        for stage in range(5):
            x = getattr(self, f"layer{stage}")(x)
        return self.fc(x.mean((2, 3)))


def make_network(name, image_size, channels, classes):
    """The network with a name of `distill evaluate --network`."""
    family, depth = name.rsplit("-", 1)
    if family == "convnet":
        return ConvNet(int(depth), image_size, channels, classes)
    return ResNet(int(depth), image_size, channels, classes, averages=family == "resnet-ap")
