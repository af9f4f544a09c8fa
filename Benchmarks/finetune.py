"""The fine-tuning of a DiT with Minimax Diffusion: ours beside a plain PyTorch program.

Writes random weights, starts both sides (distill-bench finetune and finetune_pytorch.py), compares
their losses in float32, and then measures both in turns. Called by finetune.sh.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

import random_dit
import torch
from safetensors.torch import save_file
from side import Side

HERE = Path(__file__).parent


class Bench:
    def __init__(self, options, ours, pytorch):
        self.options, self.ours, self.pytorch = options, ours, pytorch
        self.products = {"float32": [], "bfloat16": []}
        self.results = {}

    def in_turns(self, sessions):
        """Medians of the seconds (clock, processors) of {name: command} of (side, warm-up, them).

        Alone, a side is started for its session, and ended with it.
        """
        times, warm = {}, set()
        for _ in range(self.options.repetitions):
            for side, warm_up, commands in sessions:
                if side not in warm:
                    side.numbers(warm_up)
                    warm.add(side)
                for name, command in commands.items():
                    times.setdefault(name, []).append(side.numbers(command))
                if side is self.ours:
                    self.measure_products("float32")
                side.memory = side.numbers("memory")[0]
                if self.options.alone:
                    side.stop()
                    warm.discard(side)
        return {
            name: tuple(statistics.median(column) for column in zip(*pairs))
            for name, pairs in times.items()
        }

    def measure_products(self, precision):
        self.products[precision] += self.ours.numbers(f"gemm {precision}")

    def compare_losses(self, folder, batches, batch):
        torch.manual_seed(1)
        shape = (batches, batch, random_dit.CHANNELS, 32, 32)
        classes = torch.randint(0, 10, (batches, batch))
        save_file(
            {
                "x0": torch.randn(shape),
                "noise": torch.randn(shape),
                "timesteps": torch.randint(0, 1000, (batches, batch)),
                "labels": torch.randint(0, 1001, (batches, batch)),
                "classes": classes,
            },
            folder / "batches.safetensors",
        )
        losses = []
        for side in (self.ours, self.pytorch):
            losses.append(side.numbers("losses"))
            side.stop()
        difference = max(abs(a - b) / abs(b) for a, b in zip(*losses, strict=True))
        print(f"losses of {batches} updates in float32: {losses[0]} and {losses[1]}, "
              f"relative difference {difference:.1e}", flush=True)
        if not difference < 1e-4:
            sys.exit("bench: the two sides do not compute the same")
        self.results["lossDifference"] = difference

    def measure_steps(self):
        o = self.options
        found = self.in_turns([
            (self.ours, "step 1", {"ours": f"step {o.steps}"}),
            # The start is costly where a process has one measurement.
            (self.pytorch, "model 1" if o.alone else "step 1",
             {"whole": f"step {o.steps}", "model": f"model {o.steps}"}),
        ])
        per_step = {name: [s / o.steps for s in pair] for name, pair in found.items()}
        self.results["secondsPerStep"] = {name: pair[0] for name, pair in per_step.items()}
        self.results["processorSecondsPerStep"] = {n: pair[1] for n, pair in per_step.items()}
        self.results["peakBytes"] = {"ours": self.ours.memory, "PyTorch": self.pytorch.memory}
        for name, other in (("whole step", "whole"), ("step of given latents", "model")):
            print(f"{name:22}: ours {clock(per_step['ours'][0])}, PyTorch "
                  f"{clock(per_step[other][0])}, ratio {per_step[other][0] / per_step['ours'][0]:.2f}"
                  f" (of processor time {per_step[other][1] / per_step['ours'][1]:.2f})", flush=True)
        print(f"{'peak memory':22}: ours {self.ours.memory / 1e9:7.2f} GB, PyTorch "
              f"{self.pytorch.memory / 1e9:.2f} GB", flush=True)

    def measure_recomputation(self, other):
        o = self.options
        found = self.in_turns([
            (self.ours, "step 1", {"keeping": f"step {o.steps}"}),
            (other, "step 1", {"recomputing": f"step {o.steps}"}),
        ])
        other.stop()
        seconds = {name: pair[0] / o.steps for name, pair in found.items()}
        self.results["recomputing"] = {"secondsPerStep": seconds, "peakBytes": other.memory}
        print(f"{'recomputing':22}: ours {clock(seconds['recomputing'])} instead of "
              f"{clock(seconds['keeping']).strip()}, {other.memory / 1e9:.2f} GB", flush=True)

    def measure_encoding(self, precisions):
        count = self.options.encoded_images
        found = self.in_turns([
            (self.ours, f"encode 1 {precisions[0]}",
             {f"ours {p}": f"encode {count} {p}" for p in precisions}),
            (self.pytorch, "encode 1", {"PyTorch": f"encode {count}"}),
        ])
        rates = {name: count / pair[0] for name, pair in found.items()}
        self.results["encodedImagesPerSecond"] = rates
        self.results["encodedImagesPerProcessorSecond"] = {
            name: count / pair[1] for name, pair in found.items()
        }
        print(f"{'encoding':22}: "
              + ", ".join(f"{name} {rate:.3f} images/s" for name, rate in rates.items()), flush=True)

    def measure_sampling(self):
        o = self.options
        taken, images = o.sampled_steps, o.sampled_images
        found = self.in_turns([
            (self.ours, f"sample ddpm {images} 50 1", {
                "ours ddpm 50": f"sample ddpm {images} 50 {taken}",
                "ours solver 20": f"sample solver {images} 20 {taken}",
            }),
            (self.pytorch, "sample 50 1", {"PyTorch ddpm 50": f"sample 50 {taken * 4}"}),
        ])
        work = {"ours ddpm 50": (images, 50 / taken), "ours solver 20": (images, 20 / taken),
                "PyTorch ddpm 50": (1, 50 / (taken * 4))}
        for key, column in (("sampledSecondsPerImage", 0), ("sampledProcessorSecondsPerImage", 1)):
            self.results[key] = {
                name: pair[column] * work[name][1] / work[name][0] for name, pair in found.items()
            }
        seconds = self.results["sampledSecondsPerImage"]
        for name in ("ours ddpm 50", "ours solver 20"):
            print(f"{name.removeprefix('ours '):22}: ours {clock(seconds[name])} an image, PyTorch "
                  f"(ddpm 50) {clock(seconds['PyTorch ddpm 50'])}, ratio "
                  f"{seconds['PyTorch ddpm 50'] / seconds[name]:.2f}", flush=True)


def clock(seconds):
    return f"{seconds:7.2f} s" if seconds >= 1 else f"{1e3 * seconds:6.1f} ms"


def operations(model, batch):
    """Operations (two a multiply-add) in the matrix products of one update and one prediction."""
    depth, width, _ = random_dit.SIZES[model.split("/")[0]]
    tokens = random_dit.GRID**2
    layers = depth * 2 * tokens * 12 * width**2 * batch
    attention = depth * 4 * tokens**2 * width * batch
    # Backwards the frozen weights need no gradients of their own; attention needs five products
    # for its two, since the scores are computed again.
    return {"update": 2 * layers + 3.5 * attention, "prediction": (layers + attention) / batch}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("binary", help="distill-bench")
    parser.add_argument("--model", default="S/2", choices=["S/2", "B/2", "L/2", "XL/2"])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0))
                        if hasattr(os, "sched_getaffinity") else os.cpu_count())
    parser.add_argument("--device", default="cpu", help="of both sides: cpu, cuda or cuda:N")
    parser.add_argument("--precision", default="auto", choices=["auto", "bfloat16", "float32"],
                        help="of our side; PyTorch's is float32 (on CUDA with TF32), as published")
    parser.add_argument("--repetitions", type=int, default=3, help="of each measurement, a side")
    parser.add_argument("--steps", type=int, default=2, help="updates of a measurement")
    parser.add_argument("--loss-steps", type=int, default=4, help="updates whose losses must agree")
    parser.add_argument("--encoded-images", type=int, default=4)
    parser.add_argument("--sampled-images", type=int, default=10, help="of our side, at once")
    parser.add_argument("--sampled-steps", type=int, default=2,
                        help="steps that are measured; the time is scaled to all of them")
    parser.add_argument("--parts", default="losses,steps,recomputing,encoding,sampling",
                        help="what to measure, with commas between")
    parser.add_argument("--alone", action="store_true",
                        help="never both sides in memory: a process for every measurement")
    parser.add_argument("--prefix", default="", help="put before both commands: taskset, numactl")
    parser.add_argument("--folder", help="where weights are written, and reused if they are there")
    o = parser.parse_args()
    parts = o.parts.split(",")

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(o.folder or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        depth, width, heads = random_dit.SIZES[o.model.split("/")[0]]
        size = {"inputSize": 32, "patchSize": 2, "channels": 4, "hiddenSize": width,
                "depth": depth, "headCount": heads, "classCount": 1000}
        (folder / "size.json").write_text(json.dumps(size))
        if not (folder / "dit.safetensors").exists():
            random_dit.save(random_dit.weights(o.model), str(folder / "dit.safetensors"))
        if not (folder / "vae").exists():
            random_dit.save_autoencoder(folder / "vae")

        prefix = o.prefix.split()
        command = [*prefix, o.binary, "finetune", folder, o.batch, o.threads, o.precision,
                   o.device]
        ours = Side("our side", command)
        pytorch = Side(
            "PyTorch",
            [*prefix, sys.executable, HERE / "finetune_pytorch.py", folder, o.batch, o.threads,
             o.device],
        )
        bench = Bench(o, ours, pytorch)
        if "losses" in parts:
            bench.compare_losses(folder, o.loss_steps, o.batch)
        if "steps" in parts:
            bench.measure_steps()
        if "recomputing" in parts:
            for side in (ours, pytorch):
                side.stop()
            bench.measure_recomputation(Side("our side", command + ["recompute"]))
        if "encoding" in parts:
            lower = ["bfloat16"] if ours_is_bfloat16(ours) else []
            bench.measure_encoding(["float32", *lower])
        if "sampling" in parts:
            bench.measure_sampling()
        for precision in bench.products:
            bench.measure_products(precision)
        rates = {name: statistics.median(values) for name, values in bench.products.items()}
        work = operations(o.model, o.batch)
        shares = {}
        rate = rates["bfloat16" if ours_is_bfloat16(ours) else "float32"]
        if "steps" in parts:
            shares["update"] = (
                work["update"] / bench.results["secondsPerStep"]["ours"] / 1e9 / rate
            )
        if "sampling" in parts:
            seconds = bench.results["sampledSecondsPerImage"]["ours ddpm 50"]
            shares["sampling"] = 100 * work["prediction"] / seconds / 1e9 / rate
        print(f"{'matrix products':22}: float32 {rates['float32']:.0f}, bfloat16 "
              f"{rates['bfloat16']:.0f} GFLOP/s; reached by ours: "
              + ", ".join(f"{name} {share:.0%}" for name, share in shares.items()))
        print(json.dumps({"model": o.model, "batch": o.batch, "threads": o.threads,
                          "ours": ours.title, "PyTorch": pytorch.title, **bench.results,
                          "gigaflops": rates, "shares": shares}))
        for side in (ours, pytorch):
            side.stop()


def ours_is_bfloat16(ours):
    ours.start()
    return ours.title.endswith("bfloat16")


if __name__ == "__main__":
    main()
