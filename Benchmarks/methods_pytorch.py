"""Steps of DM and IDC as one writes them in PyTorch: the other side of methods.py.

    Benchmarks/methods_pytorch.py FOLDER THREADS

DM is that of Zhao & Bilen (WACV 2023), IDC-1 that of Kim et al. (ICML 2022), both after their
published programs: all in float32, eager, channels-first, class by class, the training set in memory
and normalised. FOLDER is written by the other side (Benchmarks/Sources/MatchingServer.swift). It reads
the same commands and answers each by a line:

    losses         steps without augmentation on given weights and real images: their losses
    step N         N steps with augmentation: seconds of the clock and of the processors
    operations     of the products in a step with augmentation, two a multiply-add
    memory         the largest resident set so far, bytes
"""

import json
import resource
import sys
from pathlib import Path

import torch
from dit_pytorch import load_safetensors, measured
from networks_pytorch import make_network
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode


# --- Differentiable Siamese augmentation (Zhao & Bilen, ICML 2021): one draw for all images ---------


def uniform(low=0.0, high=1.0):
    return low + (high - low) * torch.rand(1).item()


def color(x):
    x = x + uniform(-0.5, 0.5)
    mean = x.mean(dim=1, keepdim=True)
    x = (x - mean) * uniform(0, 2) + mean
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    return (x - mean) * uniform(0.5, 1.5) + mean


def crop(x, share=0.125):
    height, width = x.shape[2:]
    rows, columns = (
        torch.arange(size) + torch.randint(-int(size * share + 0.5), int(size * share + 0.5) + 1, ())
        for size in (height, width)
    )
    padded = F.pad(x, (1, 1, 1, 1))
    rows, columns = (rows + 1).clamp(0, height + 1), (columns + 1).clamp(0, width + 1)
    return padded[:, :, rows][:, :, :, columns]


def cutout(x, share=0.5):
    height, width = x.shape[2:]
    spans = []
    for size in (height, width):
        side = int(size * share + 0.5)
        first = torch.randint(0, size + 1 - side % 2, ()).item() - side // 2
        spans.append(slice(max(first, 0), min(first + side, size)))
    mask = torch.ones(len(x), height, width)
    mask[:, spans[0], spans[1]] = 0
    return x * mask.unsqueeze(1)


def flip(x):
    return x.flip(3) if uniform() < 0.5 else x


def sampled(x, theta):
    theta = torch.tensor(theta).expand(len(x), 2, 3)
    return F.grid_sample(x, F.affine_grid(theta, x.shape, align_corners=False), align_corners=False)


def scale(x, most=1.2):
    across, down = uniform(1 / most, most), uniform(1 / most, most)
    return sampled(x, [[across, 0.0, 0.0], [0.0, down, 0.0]])


def rotate(x, degrees=15.0):
    angle = torch.deg2rad(torch.tensor(uniform(-degrees, degrees)))
    sine, cosine = angle.sin().item(), angle.cos().item()
    return sampled(x, [[cosine, -sine, 0.0], [sine, cosine, 0.0]])


def change_for_dm(x):
    """One of all changes."""
    changes = (color, crop, cutout, flip, scale, rotate)
    return changes[torch.randint(len(changes), ())](x)


def change_for_idc(x):
    """All of the strategy color_crop_cutout, of which only crop has others it could be."""
    return cutout(crop(color(x)))


# --- The methods ------------------------------------------------------------------------------------


class Method:
    """Synthetic images, what they are compared with, and their optimizer."""

    def __init__(self, folder, augments):
        settings = json.loads((folder / "settings.json").read_text())
        self.per_class, self.count = settings["imagesPerClass"], settings["realBatchSize"]
        self.distance, self.augments = settings["distance"], augments
        self.start, _ = load_safetensors(folder / "start.safetensors")
        pixels, _ = load_safetensors(folder / "pixels.safetensors")
        self.mean, self.deviation = (
            self.start[name].reshape(1, -1, 1, 1) for name in ("mean", "deviation")
        )
        self.real = self.normalized(pixels["images"].float() / 255)
        self.members = [(pixels["labels"] == label).nonzero()[:, 0] for label in range(10)]
        self.images = self.start["images"].clone().requires_grad_()
        rate = settings["imageLearningRate"] * (1 if settings["method"] == "dm"
                                                else self.per_class / 10)
        self.optimizer = torch.optim.SGD([self.images], lr=rate, momentum=0.5)
        self.make_network = lambda: make_network(
            settings["network"], settings["imageSize"], settings["channels"], 10
        )
        self.network, self.steps = None, 0

    def normalized(self, x):
        return (x - self.mean) / self.deviation

    def draw_network(self, given):
        self.network = self.make_network()
        if given is not None:
            head = f"network.{given}."
            self.network.load_state_dict({
                name.removeprefix(head): tensor
                for name, tensor in self.start.items() if name.startswith(head)
            })

    def real_images(self, label, given):
        if given is not None:
            return self.real[self.start[f"places.{given}.{label}"]]
        members = self.members[label]
        return self.real[members[torch.randperm(len(members))[: self.count]]]

    def synthetic_images(self, label):
        return self.images[label * self.per_class : (label + 1) * self.per_class]


class DM(Method):
    def embedded(self, x):
        """The flattened map that the classifier sees."""
        kept = []
        hook = self.network.classifier.register_forward_pre_hook(lambda _, x: kept.append(x[0]))
        self.network(x)
        hook.remove()
        return kept[0]

    def step(self, given=None):
        """A step of all classes; `given`: with the network and real images of a step of the file."""
        self.draw_network(given)
        self.network.requires_grad_(False)
        loss = 0
        for label in range(10):
            real, synthetic = self.real_images(label, given), self.synthetic_images(label)
            if self.augments:
                seed = torch.randint(100000, ()).item()
                torch.manual_seed(seed)
                real = change_for_dm(real)
                torch.manual_seed(seed)
                synthetic = change_for_dm(synthetic)
            target = self.embedded(real).detach().mean(dim=0)
            loss = loss + ((target - self.embedded(synthetic).mean(dim=0)) ** 2).sum()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


class IDC(Method):
    def step(self, given=None):
        """A match of every class with one network: the training between matches is left out."""
        if self.network is None:
            self.draw_network(given)
            with torch.no_grad():
                self.images.clamp_(0, 1)
        losses = [self.match(label, given) for label in range(10)]
        return sum(losses) / 10

    def match(self, label, given):
        real = self.real_images(label, given)
        x = torch.cat([real, self.normalized(self.synthetic_images(label))])
        if self.augments:
            x = change_for_idc(x)
        weights = list(self.network.parameters())
        loss = self.cross_entropy(x[: len(real)], label)
        ours = [g.detach() for g in torch.autograd.grad(loss, weights)]
        loss = self.cross_entropy(x[len(real) :], label)
        theirs = torch.autograd.grad(loss, weights, create_graph=True)
        distance = sum(self.difference(a, b) for a, b in zip(ours, theirs) if a.dim() == 4)
        self.optimizer.zero_grad()
        distance.backward()
        self.optimizer.step()
        return distance.item()

    def cross_entropy(self, x, label):
        return F.cross_entropy(self.network(x), torch.full((len(x),), label))

    def difference(self, a, b):
        return (a - b).abs().sum() if self.distance == "l1" else ((a - b) ** 2).sum()


class Server:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.settings = json.loads((self.folder / "settings.json").read_text())
        self.method = None

    def new(self, augments):
        return (DM if self.settings["method"] == "dm" else IDC)(self.folder, augments)

    def losses(self):
        method = self.new(augments=False)
        return " ".join(str(method.step(given=k)) for k in range(self.settings["lossSteps"]))

    def step(self, count):
        self.method = self.method or self.new(augments=True)
        return " ".join(map(str, measured(lambda: [self.method.step() for _ in range(count)])))

    def operations(self):
        with FlopCounterMode(display=False) as counter:
            self.step(1)
        return str(counter.get_total_flops())

    def memory(self):
        unit = 1 if sys.platform == "darwin" else 1024
        return str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def main():
    folder, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    server = Server(folder)
    commands = {"losses": server.losses, "step": server.step, "operations": server.operations,
                "memory": server.memory}
    print(f"ready: PyTorch {torch.__version__}", flush=True)
    for line in sys.stdin:
        name, *numbers = line.split()
        print(commands[name](*map(int, numbers)), flush=True)


if __name__ == "__main__":
    main()
