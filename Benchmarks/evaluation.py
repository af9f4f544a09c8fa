"""The training of an evaluation: `distill evaluate` beside the plain PyTorch loop.

Makes or links the images, trains the same networks on both sides in turns, and prints the seconds
of an epoch. Called by evaluation.sh; the loop is in evaluation_pytorch.py.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from evaluation_pytorch import Training
from networks_pytorch import make_network
from PIL import Image
from safetensors.torch import load_file
from torch.utils.flop_counter import FlopCounterMode

CLASSES, FILE_SIZE, BATCH = 10, 256, 64
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg"}
# Protocol, pixels a side, channels, and the epochs of a measurement: at least a second's work.
SETTINGS = {
    "convnet-3": ("gu-hard-28", 28, 1, 5),
    "convnet-6": ("gu-hard-128", 128, 3, 1),
    "resnet-ap-10": ("gu-hard-128", 128, 3, 1),
    "resnet-18": ("gu-hard-128", 128, 3, 1),
}


def random_image(generator):
    """Soft shapes with some noise, so that a file is about as large as that of a photograph."""
    coarse = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    soft = Image.fromarray(coarse).resize((FILE_SIZE, FILE_SIZE), Image.Resampling.BICUBIC)
    noise = generator.normal(0, 8, (FILE_SIZE, FILE_SIZE, 3))
    return Image.fromarray((np.asarray(soft) + noise).clip(0, 255).astype(np.uint8))


def write_random_images(folder, per_class):
    """Writes CLASSES folders of `per_class` PNG files: what `distill sample` makes, but random."""
    generator = np.random.default_rng(0)
    for label in range(CLASSES):
        (folder / f"class{label}").mkdir(parents=True)
        for index in range(per_class):
            random_image(generator).save(folder / f"class{label}" / f"{index:04}.png")
    return folder


def photographs(data, per_class):
    """The first images of the first classes: {class: files}."""
    found = {}
    for folder in sorted(path for path in data.iterdir() if path.is_dir())[:CLASSES]:
        files = sorted(f for f in folder.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES)
        if len(files) < per_class:
            sys.exit(f"bench: {folder} has {len(files)} images; {per_class} are needed")
        found[folder.name] = files[:per_class]
    if len(found) < CLASSES:
        sys.exit(f"bench: {data} has {len(found)} folders of classes; {CLASSES} are needed")
    return found


def make_sets(photos, folder):
    """Writes train/ and test/ in colour and grey; the last image of a class is for the test."""
    for label, files in photos.items():
        for file in files:
            part = "test" if file == files[-1] else "train"
            for kind in ("color", "grey"):
                (folder / kind / part / label).mkdir(parents=True, exist_ok=True)
            (folder / "color" / part / label / file.name).symlink_to(file.resolve())
            grey = Image.open(file).convert("L").resize((28, 28), Image.Resampling.BILINEAR)
            grey.save(folder / "grey" / part / label / f"{file.stem}.png")


def run_command(arguments):
    """The JSON object that a run of the command ends with."""
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"bench: {' '.join(map(str, arguments))} failed:\n{done.stderr.strip()}")
    return json.loads(done.stdout.splitlines()[-1])


def operations(name, size, channels):
    """Operations (two a multiply-add) in the products of one image's forward and backward pass.

    The first layer is counted without a gradient of the image, which nobody needs.
    """
    network = make_network(name, size, channels, CLASSES)
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, channels, size, size)).sum().backward()
    return counter.get_total_flops()


class Comparison:
    """Both sides of the training of one network."""

    def __init__(self, name, folder, options):
        self.name, self.options = name, options
        self.protocol, self.size, self.channels, epochs = SETTINGS[name]
        self.epochs = options.epochs or epochs
        self.folder = folder / ("grey" if self.channels == 1 else "color")
        self.weights = folder / f"{name}.safetensors"
        self.pytorch = Training(
            name, self.folder, self.size, self.channels, BATCH, options.workers
        )
        self.seconds = {"ours": [], "PyTorch": [], "PyTorch, waiting for images": []}
        self.machines = []

    def evaluate(self, epochs):
        """The result of `distill evaluate` after a number of epochs, with one look at the test."""
        return run_command([
            self.options.binary, "evaluate", "--train", self.folder / "train",
            "--test", self.folder / "test", "--network", self.name, "--protocol", self.protocol,
            "--epochs", epochs, "--evaluations", 1, "--seeds", 0, "--save", self.weights,
            "--device", "cpu", "--precision", self.options.precision,
            "--threads", self.options.threads, "--quiet", "--json",
        ])

    def measure_ours(self):
        """Seconds of an epoch: the start, the look and the saving are in both runs."""
        short, long = (self.evaluate(n * self.epochs) for n in (1, 2))
        self.seconds["ours"].append((long["seconds"] - short["seconds"]) / self.epochs)
        return long

    def measure_pytorch(self):
        start = time.perf_counter()
        in_steps = sum(self.pytorch.epoch() for _ in range(self.epochs))
        whole = time.perf_counter() - start
        self.seconds["PyTorch"].append(whole / self.epochs)
        self.seconds["PyTorch, waiting for images"].append((whole - in_steps) / self.epochs)

    def measure_products(self):
        self.machines.append(run_command(
            [self.options.binary, "doctor", "--threads", self.options.threads, "--json"]
        ))

    def compare_networks(self, result):
        """Stops unless PyTorch's network finds the same classes with the weights of ours."""
        ours = [row.index(1) for row in result["confusion"]]
        pytorch = self.pytorch.found_classes(load_file(self.weights))
        differing = sum(a != b for a, b in zip(ours, pytorch, strict=True))
        # One: images are resized a bit differently, and two scores may be almost equal.
        if differing > 1:
            sys.exit(f"bench: the two sides of {self.name} are not the same network: with the "
                     f"same weights they find the classes {ours} and {pytorch}")

    def run(self):
        """The medians of all repetitions."""
        for repetition in range(self.options.repetitions):
            # On both sides of our measurement, as the rate changes where others use the machine.
            self.measure_products()
            result = self.measure_ours()
            self.measure_products()
            if repetition == 0:
                self.compare_networks(result)
                self.pytorch.warm_up()
            self.measure_pytorch()
        ours, pytorch = (statistics.median(self.seconds[side]) for side in ("ours", "PyTorch"))
        rate = statistics.median(
            machine[f"{result['precision']}GFLOPs"] for machine in self.machines
        )
        work = operations(self.name, self.size, self.channels) * result["train"]["images"]
        return {
            "network": self.name, "protocol": self.protocol, "precision": result["precision"],
            "images": result["train"]["images"], "secondsPerEpoch": self.seconds,
            "ours": ours, "PyTorch": pytorch, "ratio": pytorch / ours,
            "gigaflopsOfEpoch": work / 1e9, "gigaflops": rate, "share": work / ours / 1e9 / rate,
        }


def row(found):
    """A line of the table."""
    return (f"{found['network']:13}{found['protocol']:12}{found['ours']:14.3f}"
            f"{found['PyTorch']:17.3f}{found['ratio']:7.2f}{found['gigaflops']:9.0f}"
            f"{found['share']:8.0%}")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("binary", help="distill")
    parser.add_argument("--networks", default=",".join(SETTINGS), help="with commas between")
    parser.add_argument("--threads", type=int, default=2, help="of both sides")
    parser.add_argument("--workers", type=int, default=2, help="of PyTorch's DataLoader")
    parser.add_argument("--precision", default="auto", choices=["auto", "bfloat16", "float32"],
                        help="of our side; PyTorch's is float32, as published")
    parser.add_argument("--repetitions", type=int, default=5, help="of each measurement, a side")
    parser.add_argument("--epochs", type=int,
                        help="epochs of a measurement; ours runs so many and twice as many "
                        "(default: 5 of grey images, else 1)")
    parser.add_argument("--images-per-class", type=int, default=10)
    parser.add_argument("--data", type=Path,
                        help="a folder of class folders with photographs (default: random images)")
    options = parser.parse_args()
    for name in ("threads", "repetitions", "images_per_class"):
        if getattr(options, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1")
    if options.workers < 0 or (options.epochs is not None and options.epochs < 1):
        parser.error("--workers must be at least 0 and --epochs at least 1")
    options.networks = options.networks.split(",")
    for name in options.networks:
        if name not in SETTINGS:
            parser.error(f"{name} is none of the networks {', '.join(SETTINGS)}")
    if options.data and not options.data.is_dir():
        parser.error(f"there is no folder {options.data}")
    return options


def main():
    options = parse_options()
    torch.manual_seed(0)
    np.random.seed(0)
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        per_class = options.images_per_class + 1
        data = options.data or write_random_images(folder / "random", per_class)
        make_sets(photographs(data, per_class), folder)
        load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
        print(f"{CLASSES} × {options.images_per_class} images, batches of {BATCH}, "
              f"{options.threads} threads, PyTorch {torch.__version__} with {options.workers} "
              f"workers, {options.repetitions} repetitions{load}\n")
        print(f"{'network':13}{'protocol':12}{'ours s/epoch':>14}{'PyTorch s/epoch':>17}"
              f"{'ratio':>7}{'GFLOP/s':>9}{'reached':>8}", flush=True)
        found = []
        for name in options.networks:
            found.append(Comparison(name, folder, options).run())
            print(row(found[-1]), flush=True)
        print(json.dumps({"threads": options.threads, "workers": options.workers,
                          "torch": torch.__version__, "results": found}))


if __name__ == "__main__":
    main()
