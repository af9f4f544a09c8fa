"""Whether `distill evaluate` and the plain PyTorch loop train networks that are equally good.

Trains ConvNet-3 on ten images per class of Fashion-MNIST with several seeds on either side, tests on
a thousand images, and compares the means. Called by `evaluation.sh --accuracy`.
"""

import argparse
import gzip
import json
import math
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from evaluation import BATCH, run_command
from evaluation_pytorch import Training
from PIL import Image

FASHION = Path("/usr/share/datasets/fashion-mnist")
IMAGES, TESTS = 10, 100  # of a class


def read_idx(file):
    """The array of a file of MNIST or its relatives."""
    data = gzip.open(file).read()
    shape = np.frombuffer(data, ">i4", data[3], 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def write_images(source, folder):
    """Writes FOLDER/train and FOLDER/test: the first images of every class."""
    for part, stem, count in (("train", "train", IMAGES), ("test", "t10k", TESTS)):
        images = read_idx(source / f"{stem}-images-idx3-ubyte.gz")
        labels = read_idx(source / f"{stem}-labels-idx1-ubyte.gz")
        for label in range(10):
            place = folder / part / f"class{label}"
            place.mkdir(parents=True)
            for index, image in enumerate(images[labels == label][:count]):
                Image.fromarray(image).save(place / f"{index:03}.png")


def pytorch_accuracy(folder, epochs, seed):
    """The accuracy after a training with the schedule of the protocol: ×0.2 at ⅔ and ⅚."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    training = Training("convnet-3", folder, 28, 1, BATCH, workers=0)
    schedule = torch.optim.lr_scheduler.MultiStepLR(
        training.optimizer, [2 * epochs // 3, 5 * epochs // 6], gamma=0.2
    )
    for _ in range(epochs):
        training.epoch()
        schedule.step()
    found = training.found_classes(training.network.state_dict())
    return statistics.mean(a == b for a, b in zip(found, training.tests.targets, strict=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("binary", help="distill")
    parser.add_argument("--data", type=Path, default=FASHION, help="the files of Fashion-MNIST")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=5, help="at least 2")
    parser.add_argument("--threads", type=int, default=2, help="of both sides")
    parser.add_argument("--precision", default="auto", choices=["auto", "bfloat16", "float32"],
                        help="of our side; PyTorch's is float32, as published")
    options = parser.parse_args()
    if not (options.data / "train-images-idx3-ubyte.gz").exists():
        sys.exit(f"bench: there is no Fashion-MNIST in {options.data}; name it with --data")
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_images(options.data, folder)
        result = run_command([
            options.binary, "evaluate", "--train", folder / "train", "--test", folder / "test",
            "--network", "convnet-3", "--protocol", "gu-hard-28", "--epochs", options.epochs,
            "--evaluations", 1, "--seeds", *range(options.seeds), "--device", "cpu",
            "--precision", options.precision, "--threads", options.threads, "--quiet", "--json",
        ])
        sides = {
            "ours": result["last"]["values"],
            "PyTorch": [
                pytorch_accuracy(folder, options.epochs, seed) for seed in range(options.seeds)
            ],
        }
    for name, values in sides.items():
        print(f"{name:8} {100 * statistics.mean(values):.1f} ± {100 * statistics.stdev(values):.1f}"
              f" % ({', '.join(f'{100 * value:.1f}' for value in values)})")
    ours, pytorch = sides.values()
    difference = statistics.mean(ours) - statistics.mean(pytorch)
    noise = math.sqrt(
        (statistics.variance(ours) + statistics.variance(pytorch)) / options.seeds
    )
    print(f"difference {100 * difference:+.1f} points, standard error {100 * noise:.1f}")
    print(json.dumps({"epochs": options.epochs, "precision": result["precision"], **sides}))
    # Three standard errors: once in some hundred runs by chance.
    sys.exit(abs(difference) > max(3 * noise, 0.01))


if __name__ == "__main__":
    main()
