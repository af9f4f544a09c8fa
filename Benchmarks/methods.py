"""A step of DM and a matching step of IDC: ours beside a plain PyTorch program.

Starts both sides (distill-bench match and methods_pytorch.py), compares their losses in float32 on the
same networks and images, and then measures steps of both in turns. Called by methods.sh.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from side import Side

HERE = Path(__file__).parent
FASHION = Path("/usr/share/datasets/fashion-mnist")
# What both sides read. Real batches, networks and distances are those published.
WORK = {
    "dm": {"method": "dm", "network": "convnet-3", "imageSize": 28, "channels": 1,
           "realBatchSize": 256, "distance": "mse", "imageLearningRate": 1.0},
    "idc-1": {"method": "idc-1", "network": "convnet-3", "imageSize": 28, "channels": 1,
              "realBatchSize": 64, "distance": "mse", "imageLearningRate": 5e-3},
    "idc-1-resnet": {"method": "idc-1", "network": "resnet-ap-10", "imageSize": 32, "channels": 3,
                     "realBatchSize": 64, "distance": "l1", "imageLearningRate": 3e-3},
}


class Comparison:
    """Both sides of one kind of step."""

    def __init__(self, name, folder, options):
        self.name, self.options = name, options
        settings = WORK[name]
        grey = settings["channels"] == 1
        (folder / "settings.json").write_text(json.dumps({
            **settings, "imagesPerClass": options.images_per_class,
            "lossSteps": options.loss_steps, "data": options.data if grey else "",
        }))
        self.ours = Side(
            "our side", [options.binary, "match", folder, options.threads, options.precision]
        )
        self.pytorch = Side(
            "PyTorch", [sys.executable, HERE / "methods_pytorch.py", folder, options.threads]
        )

    def compare_losses(self):
        """The largest relative difference; stops if the two do not compute the same."""
        a, b = (side.numbers("losses") for side in (self.ours, self.pytorch))
        difference = max(abs(x - y) / abs(y) for x, y in zip(a, b, strict=True))
        if not difference < 1e-4:
            sys.exit(f"bench: the two sides of {self.name} do not compute the same: losses {a} "
                     f"and {b}")
        return difference

    def run(self):
        """The medians of all repetitions."""
        difference = self.compare_losses()
        o = self.options
        times, rates = {"ours": [], "PyTorch": []}, []
        sides = {"ours": self.ours, "PyTorch": self.pytorch}
        for side in sides.values():
            side.numbers("step 1")
        for _ in range(o.repetitions):
            for name, side in sides.items():
                times[name].append([s / o.steps for s in side.numbers(f"step {o.steps}")])
            rates += self.ours.numbers("gemm")
        clock, processors = (
            {name: statistics.median(pair[column] for pair in pairs)
             for name, pairs in times.items()}
            for column in (0, 1)
        )
        peaks = {name: side.numbers("memory")[0] for name, side in sides.items()}
        result = {
            "work": self.name, "lossDifference": difference, "ours": self.ours.title,
            "PyTorch": self.pytorch.title, "secondsPerStep": clock,
            "processorSecondsPerStep": processors, "ratio": clock["PyTorch"] / clock["ours"],
            "processorRatio": processors["PyTorch"] / processors["ours"], "peakBytes": peaks,
            "gigaflops": statistics.median(rates),
            "gigaflopsOfStep": self.pytorch.numbers("operations")[0] / 1e9,
        }
        for side in sides.values():
            side.stop()
        return result


def row(found):
    """A line of the table."""
    seconds, peaks = found["secondsPerStep"], found["peakBytes"]
    return (f"{found['work']:14}{found['lossDifference']:9.0e}{seconds['ours']:9.3f}"
            f"{seconds['PyTorch']:11.3f}{found['ratio']:7.2f}{found['processorRatio']:7.2f}"
            f"{peaks['ours'] / 1e9:9.2f}{peaks['PyTorch'] / 1e9:11.2f}"
            f"{found['gigaflopsOfStep']:9.0f}{found['gigaflops']:10.0f}")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("binary", help="distill-bench")
    parser.add_argument("--work", default=",".join(WORK), help="with commas between")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0))
                        if hasattr(os, "sched_getaffinity") else os.cpu_count())
    parser.add_argument("--precision", default="auto", choices=["auto", "bfloat16", "float32"],
                        help="of our side; PyTorch's is float32, as published")
    parser.add_argument("--images-per-class", type=int, default=10)
    parser.add_argument("--repetitions", type=int, default=5, help="of each measurement, a side")
    parser.add_argument("--steps", type=int, default=1, help="steps of a measurement")
    parser.add_argument("--loss-steps", type=int, default=3, help="steps whose losses must agree")
    parser.add_argument("--data", default=str(FASHION) if FASHION.is_dir() else "",
                        help="a folder with Fashion-MNIST, or nothing for random images")
    options = parser.parse_args()
    options.work = options.work.split(",")
    for name in options.work:
        if name not in WORK:
            parser.error(f"{name} is none of {', '.join(WORK)}")
    for name in ("threads", "images_per_class", "repetitions", "steps", "loss_steps"):
        if getattr(options, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1")
    if options.data and not Path(options.data).is_dir():
        parser.error(f"there is no folder {options.data}")
    return options


def main():
    options = parse_options()
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"10 classes × {options.images_per_class} images, {options.threads} threads, "
          f"{options.repetitions} repetitions{load}\n")
    print(f"{'':14}{'losses':>9}{'seconds of a step':>20}{'ratio':>7}{'of':>7}"
          f"{'peak memory, GB':>20}{'GFLOP':>9}{'GFLOP/s':>10}")
    print(f"{'':14}{'differ':>9}{'ours':>9}{'PyTorch':>11}{'':7}{'CPU':>7}{'ours':>9}"
          f"{'PyTorch':>11}{'a step':>9}{'of GEMM':>10}", flush=True)
    found = []
    for name in options.work:
        with tempfile.TemporaryDirectory() as folder:
            found.append(Comparison(name, Path(folder), options).run())
        print(row(found[-1]), flush=True)
    print(json.dumps({"threads": options.threads, "imagesPerClass": options.images_per_class,
                      "results": found}))


if __name__ == "__main__":
    main()
