"""The training of an evaluation as one writes it in PyTorch: the other side of evaluation.py.

Networks and protocol are those of Minimax Diffusion (Gu et al., CVPR 2024). Everything is float32,
eager and channels-first; images are read from their files in every epoch and changed one by one by
torchvision's transforms in the workers of a DataLoader.
"""

import re
import sys
import time

import numpy as np
import torch
from networks_pytorch import make_network
from torch.nn import functional as F
from torch.utils.data import DataLoader

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def import_torchvision():
    """Imports torchvision, also where its operators were built for another torch and do not load.

    Transforms of tensors need only the operators' names, which are declared then.
    """
    library = None
    while True:
        try:
            import torchvision
            import torchvision.transforms
        except RuntimeError as error:
            missing = re.search(r"operator torchvision::(\w+) does not exist", str(error))
            if not missing:
                raise
            library = library or torch.library.Library("torchvision", "FRAGMENT")
            library.define(missing[1] + "(Tensor x) -> Tensor")
            for module in [m for m in sys.modules if m.split(".")[0] == "torchvision"]:
                del sys.modules[module]
        else:
            torchvision.declared_operators = library  # They live as long as this object.
            return torchvision


torchvision = import_torchvision()
transforms = torchvision.transforms


class Lighting:
    """A change of light along the principal colours of ImageNet (Krizhevsky et al., 2012)."""

    VALUES = torch.tensor([0.2175, 0.0188, 0.0045])
    VECTORS = torch.tensor([
        [-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203],
    ])

    def __init__(self, deviation):
        self.deviation = deviation

    def __call__(self, image):
        alphas = torch.randn(3) * self.deviation
        return image + (self.VECTORS @ (alphas * self.VALUES))[:, None, None]


def make_transforms(image_size, channels, statistics):
    """The transforms of training and of test images."""
    normalize = transforms.Normalize(*statistics)
    if channels == 1:
        # Grey images have their size already; saturation and lighting need colours.
        loading = [transforms.Grayscale(), transforms.ToTensor()]
        colors = [transforms.ColorJitter(0.4, 0.4)]
    else:
        loading = [transforms.Resize(image_size), transforms.CenterCrop(image_size),
                   transforms.ToTensor()]
        colors = [transforms.ColorJitter(0.4, 0.4, 0.4), Lighting(0.1)]
    # Without antialiasing, as published and as ours: the cheaper choice.
    crop = transforms.RandomResizedCrop(image_size, scale=(0.5, 1), antialias=False)
    changes = [crop, transforms.RandomHorizontalFlip(), *colors]
    return (transforms.Compose([*loading, *changes, normalize]),
            transforms.Compose([*loading, normalize]))


def statistics_of(folder, channels):
    """Mean and deviation to normalise by: those of ImageNet, or of grey images themselves."""
    if channels == 3:
        return MEAN, DEVIATION
    grey = transforms.Compose([transforms.Grayscale(), transforms.ToTensor()])
    pixels = torch.stack([x for x, _ in torchvision.datasets.ImageFolder(folder, grey)])
    return (pixels.mean().item(),), (pixels.std().item(),)


def cut_mix(images):
    """CutMix with λ ~ Beta(1, 1): the batch, the permutation, the share of the own label."""
    height, width = images.shape[2:]
    side = np.sqrt(1 - np.random.beta(1, 1))
    spans = []
    for size in (height, width):
        centre, cut = np.random.randint(size), int(size * side)
        spans.append(slice(max(centre - cut // 2, 0), min(centre + cut // 2, size)))
    order = torch.randperm(len(images))
    rows, columns = spans
    images[:, :, rows, columns] = images[order][:, :, rows, columns]
    area = (rows.stop - rows.start) * (columns.stop - columns.start)
    return images, order, 1 - area / (height * width)


class Training:
    """A network that is trained on FOLDER/train and tested on FOLDER/test."""

    def __init__(self, name, folder, image_size, channels, batch, workers):
        train, test = make_transforms(
            image_size, channels, statistics_of(folder / "train", channels)
        )
        images = torchvision.datasets.ImageFolder(folder / "train", train)
        self.tests = torchvision.datasets.ImageFolder(folder / "test", test)
        self.batches = DataLoader(images, batch, shuffle=True, num_workers=workers)
        self.network = make_network(name, image_size, channels, len(images.classes))
        self.optimizer = torch.optim.SGD(
            self.network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4
        )

    def step(self, images, labels):
        images, order, share = cut_mix(images)
        scores = self.network(images)
        loss = (F.cross_entropy(scores, labels) * share
                + F.cross_entropy(scores, labels[order]) * (1 - share))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def epoch(self):
        """A pass over the images: the seconds in steps; the others are spent on waiting."""
        seconds = 0
        for images, labels in self.batches:
            start = time.perf_counter()
            self.step(images, labels)
            seconds += time.perf_counter() - start
        return seconds

    def warm_up(self):
        self.step(*next(iter(self.batches)))

    def found_classes(self, weights):
        """What the network says of the test images, in order, once it has these weights."""
        self.network.load_state_dict(weights)
        with torch.no_grad():
            return self.network(torch.stack([x for x, _ in self.tests])).argmax(1).tolist()
