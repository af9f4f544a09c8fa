"""Training and sampling of a DiT: ours beside the same model in eager PyTorch.

Starts our side (distill-bench), which writes weights and a batch, does the same work with a plain
PyTorch model, checks that both compute the same, and then measures both in turns. Called by run.sh.
"""

import argparse
import json
import math
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

GUIDANCE = 2.0


# --- The model: names and arithmetic of facebookresearch/DiT -------------------------------------


def factor(width, scaled):
    """A scale factor of DiffFit (Xie et al., 2023), where a block has them."""
    return nn.Parameter(torch.ones(width)) if scaled else 1


class Attention(nn.Module):
    def __init__(self, width, heads, scaled=False):
        super().__init__()
        self.heads, self.scaled = heads, scaled
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.gamma1, self.gamma2 = factor(3 * width, scaled), factor(width, scaled)

    def forward(self, x):
        batch, tokens, width = x.shape
        x = self.qkv(x)
        if self.scaled:
            x = self.gamma1 * x
        x = x.reshape(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = x.permute(2, 0, 3, 1, 4).unbind(0)
        x = F.scaled_dot_product_attention(q, k, v)
        x = self.proj(x.transpose(1, 2).reshape(batch, tokens, width))
        return self.gamma2 * x if self.scaled else x


class MLP(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))


def modulated(x, shift, scale):
    return F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale) + shift


class Block(nn.Module):
    def __init__(self, width, heads, scaled=False):
        super().__init__()
        self.scaled = scaled
        self.attn = Attention(width, heads, scaled)
        self.mlp = MLP(width)
        self.adaLN_modulation = nn.Sequential(nn.Identity(), nn.Linear(width, 6 * width))
        self.gamma1, self.gamma2 = factor(width, scaled), factor(width, scaled)

    def forward(self, x, c):
        m = self.adaLN_modulation(c).unsqueeze(1).chunk(6, dim=2)
        if self.scaled:
            x = x + self.gamma1 * m[2] * self.attn(modulated(x, m[0], m[1]))
            return x + self.gamma2 * m[5] * self.mlp(modulated(x, m[3], m[4]))
        x = x + m[2] * self.attn(modulated(x, m[0], m[1]))
        return x + m[5] * self.mlp(modulated(x, m[3], m[4]))


class DiT(nn.Module):
    def __init__(self, size):
        super().__init__()
        width, patch, side = size["hiddenSize"], size["patchSize"], size["inputSize"]
        self.patch, self.grid, self.channels = patch, side // patch, 2 * size["channels"]
        self.pos_embed = nn.Parameter(torch.zeros(1, self.grid**2, width), requires_grad=False)
        self.x_embedder = nn.ModuleDict(
            {"proj": nn.Conv2d(size["channels"], width, patch, stride=patch)}
        )
        mlp = nn.Sequential(nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width))
        self.t_embedder = nn.ModuleDict({"mlp": mlp})
        self.y_embedder = nn.ModuleDict(
            {"embedding_table": nn.Embedding(size["classCount"] + 1, width)}
        )
        self.blocks = nn.ModuleList(
            [
                Block(width, size["headCount"], scaled=block < size.get("scaledBlockCount", 0))
                for block in range(size["depth"])
            ]
        )
        self.final_layer = nn.ModuleDict(
            {
                "linear": nn.Linear(width, patch * patch * self.channels),
                "adaLN_modulation": nn.Sequential(nn.Identity(), nn.Linear(width, 2 * width)),
            }
        )
        frequencies = torch.exp(-math.log(10000) * torch.arange(128, dtype=torch.float64) / 128)
        self.register_buffer("frequencies", frequencies.float(), persistent=False)

    def forward(self, x, t, y):
        angles = t.float()[:, None] * self.frequencies
        t = self.t_embedder["mlp"](torch.cat([angles.cos(), angles.sin()], dim=1))
        c = F.silu(t + self.y_embedder["embedding_table"](y))
        x = self.x_embedder["proj"](x).flatten(2).transpose(1, 2) + self.pos_embed
        for block in self.blocks:
            x = block(x, c)
        m = self.final_layer["adaLN_modulation"](c).unsqueeze(1).chunk(2, dim=2)
        x = self.final_layer["linear"](modulated(x, m[0], m[1]))
        g, p = self.grid, self.patch
        x = x.reshape(-1, g, g, p, p, self.channels).permute(0, 5, 1, 3, 2, 4)
        return x.reshape(-1, self.channels, g * p, g * p)


# --- Diffusion: 1000 linear steps, learned variance (Nichol & Dhariwal, 2021) ---------------------


class Diffusion:
    def __init__(self, bars=None):
        """The whole process, or one with the given ᾱ of fewer steps."""
        if bars is None:
            bars = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)
        previous = torch.cat([torch.ones(1, dtype=torch.float64), bars[:-1]])
        betas = 1 - bars / previous
        posterior = betas * (1 - previous) / (1 - bars)
        self.bars = bars
        tables = {
            "signal": bars.sqrt(),
            "noise": (1 - bars).sqrt(),
            "inverse_signal": (1 / bars).sqrt(),
            "noise_ratio": (1 / bars - 1).sqrt(),
            "mean_x0": betas * previous.sqrt() / (1 - bars),
            "mean_xt": (1 - previous) * (1 - betas).sqrt() / (1 - bars),
            "log_posterior": torch.cat([posterior[1:2], posterior[1:]]).log(),
            "log_beta": betas.log(),
        }
        self.tables = {name: table.float() for name, table in tables.items()}

    def at(self, name, t):
        return self.tables[name][t].view(-1, 1, 1, 1)

    def noised(self, x0, noise, t):
        return self.at("signal", t) * x0 + self.at("noise", t) * noise

    def loss(self, output, x0, xt, noise, t):
        epsilon, v = output.float().chunk(2, dim=1)
        squared = (noise - epsilon).square().mean(dim=(1, 2, 3))
        return (squared + self.bound(epsilon.detach(), v, x0, xt, t)).mean()

    def bound(self, epsilon, v, x0, xt, t):
        prediction = self.at("inverse_signal", t) * xt - self.at("noise_ratio", t) * epsilon
        mean = self.at("mean_x0", t) * prediction + self.at("mean_xt", t) * xt
        true_mean = self.at("mean_x0", t) * x0 + self.at("mean_xt", t) * xt
        lower, upper = self.at("log_posterior", t), self.at("log_beta", t)
        share = (v + 1) / 2
        log_variance = share * upper + (1 - share) * lower
        ratio = lower - log_variance
        divergence = ratio.exp() - ratio - 1
        divergence = 0.5 * (divergence + (true_mean - mean).square() * (-log_variance).exp())
        likelihood = log_likelihood(x0, mean, 0.5 * log_variance)
        bits = torch.where(
            t == 0, -likelihood.mean(dim=(1, 2, 3)), divergence.mean(dim=(1, 2, 3))
        )
        return bits / math.log(2)


def log_likelihood(x, mean, log_scale):
    def cumulative(x):
        return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))

    centered, inverse = x - mean, (-log_scale).exp()
    above, below = cumulative(inverse * (centered + 1 / 255)), cumulative(
        inverse * (centered - 1 / 255)
    )
    logs = [p.clamp(min=1e-12).log() for p in (above, 1 - below, above - below)]
    return torch.where(x < -0.999, logs[0], torch.where(x > 0.999, logs[1], logs[2]))


# --- The work that is measured --------------------------------------------------------------------


class Training:
    def __init__(self, model, batch, precision):
        self.model, self.batch, self.precision = model, batch, precision
        self.diffusion = Diffusion()
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.averages = [p.detach().clone() for p in self.parameters]
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=1e-4, weight_decay=0, eps=1e-8, fused=True
        )

    def step(self):
        x0, noise, t, y = (self.batch[k] for k in ("x0", "noise", "timesteps", "labels"))
        xt = self.diffusion.noised(x0, noise, t)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bfloat16"):
            output = self.model(xt, t, y)
        loss = self.diffusion.loss(output, x0, xt, noise, t)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(self.averages, self.parameters, 1 - 0.999)
        return loss.item()


@torch.no_grad()
def sample(model, batch, steps, precision):
    """DDIM with guidance, two predictions an image and step; one cast of the weights for all."""
    diffusion = Diffusion()
    times = [i * (len(diffusion.bars) // steps) for i in range(steps)]
    bars = [1.0] + [diffusion.bars[t].item() for t in times]
    x, labels = batch["noise"], batch["labels"]
    none = torch.full_like(labels, model.y_embedder["embedding_table"].num_embeddings - 1)
    both = torch.cat([labels, none])
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        for i in reversed(range(steps)):
            t = torch.full_like(both, times[i])
            output = model(torch.cat([x, x]), t, both).float()
            for_class, for_none = output.chunk(2, dim=1)[0].chunk(2)
            epsilon = for_none + GUIDANCE * (for_class - for_none)
            bar, previous = bars[i + 1], bars[i]
            x0 = x * math.sqrt(1 / bar) - epsilon * math.sqrt(1 / bar - 1)
            x = x0 * math.sqrt(previous) + epsilon * math.sqrt(1 - previous)
    return x


def measured(body):
    """Seconds of the clock and of the processors."""
    start, processors = time.perf_counter(), time.process_time()
    body()
    return time.perf_counter() - start, time.process_time() - processors


# --- Both sides in turns --------------------------------------------------------------------------


def load_safetensors(path):
    data = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    types = {"F32": torch.float32, "I64": torch.int64, "U8": torch.uint8}
    tensors = {}
    for name, entry in header.items():
        first, last = (8 + length + offset for offset in entry["data_offsets"])
        values = torch.frombuffer(bytearray(data[first:last]), dtype=types[entry["dtype"]])
        tensors[name] = values.reshape(entry["shape"])
    return tensors, metadata


class Ours:
    def __init__(self, binary, *arguments):
        self.process = subprocess.Popen(
            [binary, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.loops, self.precision = self.read().removeprefix("ready: ").rsplit(", ", 1)

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit("bench: our side ended with status %s" % self.process.wait())
        return line.strip()

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.read()

    def numbers(self, command):
        return [float(word) for word in self.ask(command).split()]


def relative_difference(a, b):
    return max(abs(x - y) / max(abs(y), 1e-12) for x, y in zip(a, b, strict=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("binary", help="distill-bench")
    parser.add_argument("--model", default="small", choices=["small", "dit-s-2", "dit-b-2"])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0))
                        if hasattr(os, "sched_getaffinity") else os.cpu_count())
    parser.add_argument("--precision", default="auto", choices=["auto", "bfloat16", "float32"],
                        help="of both sides; auto: bfloat16 where the processor multiplies it")
    parser.add_argument("--repetitions", type=int, default=5, help="of each measurement, a side")
    parser.add_argument("--steps", type=int, default=10, help="training steps of a measurement")
    parser.add_argument("--sampling-steps", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    with tempfile.TemporaryDirectory() as folder:
        ours = Ours(options.binary, folder, options.model, options.batch, options.threads,
                    options.precision)
        weights, size = load_safetensors(f"{folder}/weights.safetensors")
        batch, _ = load_safetensors(f"{folder}/batch.safetensors")
        size = {name: int(value) for name, value in size.items()}

        def new_model():
            model = DiT(size)
            model.load_state_dict(weights)
            return model

        chosen = ", chosen for this processor" if options.precision == "auto" else ""
        print(f"{options.model}, batch {options.batch}, {options.threads} threads, "
              f"{ours.precision}{chosen}; PyTorch {torch.__version__} "
              f"({torch.backends.cpu.get_cpu_capability()}); our loops: {ours.loops}")

        # The same work first: losses of ten updates and samples in float32.
        training = Training(new_model(), batch, "float32")
        expected = [training.step() for _ in range(10)]
        difference = relative_difference(ours.numbers("losses 10"), expected)
        print(f"losses of 10 float32 updates: {expected[0]:.6f} to {expected[-1]:.6f}, "
              f"largest relative difference {difference:.1e}")
        assert difference < 1e-4, "the losses differ"
        theirs = sample(new_model(), batch, 5, "float32")
        ours.ask("samples 5")
        found = load_safetensors(f"{folder}/samples.safetensors")[0]["samples"]
        difference = ((found - theirs).abs().max() / theirs.abs().max()).item()
        print(f"samples of 5 float32 steps: largest relative difference {difference:.1e}")
        assert difference < 1e-3, "the samples differ"

        training = Training(new_model(), batch, ours.precision)
        sampled = new_model()
        work = {
            "train": (options.steps, lambda n: [training.step() for _ in range(n)]),
            "sample": (
                options.sampling_steps, lambda n: sample(sampled, batch, n, ours.precision)
            ),
        }
        results = {}
        for name, (count, body) in work.items():
            body(max(1, count // 4))
            ours.ask(f"{name} {max(1, count // 4)}")
            times = {"ours": [], "PyTorch": []}
            for _ in range(options.repetitions):
                times["ours"].append(tuple(ours.numbers(f"{name} {count}")))
                times["PyTorch"].append(measured(lambda: body(count)))
            images = options.batch * (count if name == "train" else 1)
            rates = {}
            for side, pairs in times.items():
                clock, processors = (statistics.median(column) for column in zip(*pairs))
                rates[side] = {"imagesPerSecond": images / clock,
                               "imagesPerProcessorSecond": images / processors}
            results[name] = rates
            unit = "images/s" if name == "train" else f"images/s of {count} steps"
            for kind, label in (("imagesPerSecond", "clock"),
                                ("imagesPerProcessorSecond", "processor time")):
                a, b = rates["ours"][kind], rates["PyTorch"][kind]
                print(f"{name:6} {label:14}: ours {a:8.2f}, PyTorch {b:8.2f} {unit}, "
                      f"ratio {a / b:.2f}")
        print(json.dumps({"model": options.model, "batch": options.batch,
                          "threads": options.threads, "precision": ours.precision,
                          "loops": ours.loops, **results}))
        slower = [name for name, rates in results.items()
                  if rates["ours"]["imagesPerSecond"] < rates["PyTorch"]["imagesPerSecond"]]
        if slower:
            sys.exit("bench: slower than PyTorch: " + ", ".join(slower))


if __name__ == "__main__":
    main()
