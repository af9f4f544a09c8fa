"""The fine-tuning of Minimax Diffusion as one writes it in PyTorch: the other side of finetune.py.

    Benchmarks/finetune_pytorch.py FOLDER BATCH THREADS DEVICE

All in float32 (on CUDA with TF32, except for the losses), images encoded by diffusers'
AutoencoderKL in every step, an average of all weights, one image at a time in sampling: as the
published scripts do. It reads commands, as the other side does
(Benchmarks/Sources/FinetuningServer.swift), and answers each by a line:

    losses         updates on the batches of FOLDER/batches.safetensors: their losses
    step N         N updates, the encoding of the images included: seconds
    model N        N updates of given latents: seconds
    encode N       N images: seconds
    sample S N     the first N of S steps for one image: seconds
    memory         the largest resident set so far, or all that a GPU gave out at once, bytes
"""

import copy
import json
import resource
import sys
import time
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from dit_pytorch import Diffusion, DiT
from safetensors.torch import load_file

TRAINED = ("bias", "norm", "gamma", "y_embed")
CLASSES = (193, 182, 258, 162, 155, 167, 159, 273, 207, 229)
SCALED_BLOCKS, MEMORY, LATENT_SCALE = 14, 64, 0.18215
REPRESENTATIVENESS, DIVERSITY, DECAY, DROP = 0.002, 0.008, 0.9999, 0.1


def cosines(a, b):
    a, b = a / a.norm(dim=1, keepdim=True), b / b.norm(dim=1, keepdim=True)
    return a @ b.T


class Finetuning:
    def __init__(self, model, vae):
        self.model, self.vae = model, vae
        for name, parameter in model.named_parameters():
            parameter.requires_grad = any(part in name for part in TRAINED)
        self.average = copy.deepcopy(model).requires_grad_(False)
        trained = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, lr=1e-3, weight_decay=0)
        self.diffusion = Diffusion()
        self.real = {c: [] for c in range(len(CLASSES))}
        self.predicted = {c: [] for c in range(len(CLASSES))}

    def step_on_images(self, images, classes):
        with torch.no_grad():
            x0 = self.vae.encode(images).latent_dist.sample() * LATENT_SCALE
        return self.step_on_latents(x0, classes)

    def step_on_latents(self, x0, classes):
        t = torch.randint(0, 1000, (len(x0),))
        labels = torch.tensor(CLASSES)[classes]
        labels = torch.where(torch.rand(len(x0)) < DROP, 1000, labels)
        return self.update(x0, torch.randn_like(x0), t, labels, classes)

    def update(self, x0, noise, t, labels, classes):
        diffusion = self.diffusion
        xt = diffusion.noised(x0, noise, t)
        output = self.model(xt, t, labels)
        loss = diffusion.loss(output, x0, xt, noise, t)
        epsilon = output.chunk(2, dim=1)[0]
        prediction = diffusion.at("inverse_signal", t) * xt - diffusion.at("noise_ratio", t) * epsilon
        found = classes.unique().tolist()
        for c in found:
            p = prediction[classes == c].flatten(1)
            if self.predicted[c]:
                real, earlier = torch.cat(self.real[c]), torch.cat(self.predicted[c])
                loss = loss + REPRESENTATIVENESS / len(found) * (1 - cosines(p, real).min())
                loss = loss + DIVERSITY / len(found) * cosines(p, earlier).max()
            self.real[c] += x0[classes == c].flatten(1).split(1)
            self.predicted[c] += p.detach().split(1)
            self.real[c], self.predicted[c] = self.real[c][-MEMORY:], self.predicted[c][-MEMORY:]
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            weights = dict(self.model.named_parameters())
            for name, average in self.average.named_parameters():
                average.mul_(DECAY).add_(weights[name], alpha=1 - DECAY)
        return loss.item()


@torch.no_grad()
def sample(model, label, steps, taken, guidance=4.0):
    """Ancestral sampling with guidance of the first three channels, two predictions a step."""
    whole = Diffusion()
    times = [round(i * 999 / (steps - 1)) for i in range(steps)]
    diffusion = Diffusion(whole.bars[times])
    x = torch.randn(1, 4, 32, 32)
    labels = torch.tensor([label, 1000])
    for i in list(reversed(range(steps)))[:taken]:
        both = torch.cat([x, x])
        output = model(both, torch.full((2,), times[i]), labels)
        for_class, for_none = output.chunk(2)
        guided = for_none[:, :3] + guidance * (for_class[:, :3] - for_none[:, :3])
        epsilon = torch.cat([guided, for_class[:, 3:4]], dim=1)
        share = (for_class[:, 4:] + 1) / 2
        t = torch.tensor([i])
        at = diffusion.at
        log_variance = share * at("log_beta", t) + (1 - share) * at("log_posterior", t)
        x0 = at("inverse_signal", t) * x - at("noise_ratio", t) * epsilon
        x = at("mean_x0", t) * x0 + at("mean_xt", t) * x
        if i > 0:
            x = x + (0.5 * log_variance).exp() * torch.randn_like(x)
    return x


def synchronize():
    if torch.get_default_device().type == "cuda":
        torch.cuda.synchronize()


def measured(body):
    """Seconds of the clock and of the processors."""
    synchronize()
    start, processors = time.perf_counter(), time.process_time()
    body()
    synchronize()
    return f"{time.perf_counter() - start} {time.process_time() - processors}"


class Server:
    def __init__(self, folder, batch):
        self.folder, self.batch = Path(folder), batch
        self.size = json.loads((self.folder / "size.json").read_text())
        self.training = None
        images = torch.rand(batch, 3, 256, 256) * 2 - 1
        self.images, self.latents = images, torch.randn(batch, 4, 32, 32)

    def model(self, scaled):
        model = DiT({**self.size, "scaledBlockCount": SCALED_BLOCKS if scaled else 0})
        model.load_state_dict(load_file(self.folder / "dit.safetensors"), strict=not scaled)
        return model

    def vae(self):
        vae = AutoencoderKL.from_pretrained(self.folder / "vae", low_cpu_mem_usage=False)
        vae = vae.to(torch.get_default_device())
        return vae.eval().requires_grad_(False)

    def finetuning(self):
        if self.training is None:
            self.training = Finetuning(self.model(scaled=True), self.vae())
        return self.training

    def classes(self):
        return torch.randint(0, len(CLASSES), (self.batch,))

    def losses(self):
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        batches = load_file(self.folder / "batches.safetensors")
        training = Finetuning(self.model(scaled=True), None)
        names = ("x0", "noise", "timesteps", "labels", "classes")
        rows = zip(*(batches[name].to(torch.get_default_device()) for name in names))
        return " ".join(str(training.update(*row)) for row in rows)

    def step(self, count):
        training = self.finetuning()
        return measured(
            lambda: [training.step_on_images(self.images, self.classes()) for _ in range(count)]
        )

    def model_step(self, count):
        training = self.finetuning()
        return measured(
            lambda: [training.step_on_latents(self.latents, self.classes()) for _ in range(count)]
        )

    @torch.no_grad()
    def encode(self, count):
        vae = self.training.vae if self.training else self.vae()
        images = torch.rand(count, 3, 256, 256) * 2 - 1
        return measured(lambda: vae.encode(images).latent_dist.sample())

    def sample(self, steps, taken):
        model = self.training.average if self.training else self.model(scaled=False)
        return measured(lambda: sample(model, CLASSES[0], steps, taken))

    def memory(self):
        if torch.get_default_device().type == "cuda":
            return str(torch.cuda.max_memory_allocated())
        unit = 1 if sys.platform == "darwin" else 1024
        return str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def main():
    folder, batch, threads, device = sys.argv[1:]
    torch.set_num_threads(int(threads))
    torch.set_default_device(device)
    if torch.device(device).index:
        torch.cuda.set_device(device)
    # As the published scripts have it.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.manual_seed(0)
    server = Server(folder, int(batch))
    commands = {"losses": server.losses, "step": server.step, "model": server.model_step,
                "encode": server.encode, "sample": server.sample, "memory": server.memory}
    print(f"ready: PyTorch {torch.__version__}", flush=True)
    for line in sys.stdin:
        name, *numbers = line.split()
        print(commands[name](*map(int, numbers)), flush=True)


if __name__ == "__main__":
    main()
