"""Writes dpm_solver.safetensors: DPM-Solver++ (2M) as diffusers runs it.

    pip install torch==2.13.0 diffusers==0.30.3 huggingface_hub==0.25.2 safetensors
    python dpm_solver.py ../dpm_solver.safetensors

The noise predictions are those of the exact denoiser of two Gaussians, so that the trajectories
look like real ones. They are stored: the test feeds them to the solver, whatever its state.
"""

import json
import sys

import torch
from diffusers import DPMSolverMultistepScheduler
from safetensors.torch import save_file

SEED = 1403
STEPS = [1, 2, 5, 10, 20]
SHAPE = (2, 4, 4, 4)
TIMESTEPS = 1000
BETAS = (1e-4, 0.02)
DEVIATION = 0.3


def make_denoiser(generator):
    means = torch.randn((2, *SHAPE[1:]), generator=generator, dtype=torch.float64)
    alpha_bars = torch.cumprod(1 - torch.linspace(*BETAS, TIMESTEPS, dtype=torch.float64), 0)

    def epsilon(x, timestep):
        alpha, sigma = alpha_bars[timestep].sqrt(), (1 - alpha_bars[timestep]).sqrt()
        variance = (alpha * DEVIATION) ** 2 + sigma**2
        residual = x[:, None] - alpha * means  # [B, 2, C, H, W]
        share = torch.softmax(-residual.pow(2).sum((2, 3, 4)) / (2 * variance), dim=1)
        return (share[:, :, None, None, None] * residual).sum(1) * sigma / variance

    return epsilon, alpha_bars


def diffusers_trajectory(step_count, start, denoiser):
    scheduler = DPMSolverMultistepScheduler(
        num_train_timesteps=TIMESTEPS,
        beta_start=BETAS[0],
        beta_end=BETAS[1],
        beta_schedule="linear",
        algorithm_type="dpmsolver++",
        solver_order=2,
        solver_type="midpoint",
        lower_order_final=True,
        timestep_spacing="linspace",
    )
    scheduler.set_timesteps(step_count)
    x, outputs, states = start, [], []
    for timestep in scheduler.timesteps:
        outputs.append(denoiser(x.double(), timestep).float())
        x = scheduler.step(outputs[-1], timestep, x).prev_sample
        states.append(x)
    return scheduler.timesteps, torch.stack(outputs), torch.stack(states)


def float64_trajectory(timesteps, start, outputs, alpha_bars):
    """The same solver written down from the paper (arXiv:2211.01095, algorithm 2)."""
    alphas = torch.cat([alpha_bars[timesteps].sqrt(), torch.ones(1, dtype=torch.float64)])
    sigmas = torch.cat([(1 - alpha_bars[timesteps]).sqrt(), torch.zeros(1, dtype=torch.float64)])
    lambdas = alphas.log() - sigmas.log()
    x, previous, states = start.double(), None, []
    for k, output in enumerate(outputs.double()):
        x0 = target = (x - sigmas[k] * output) / alphas[k]
        h = lambdas[k + 1] - lambdas[k]
        if 0 < k < len(timesteps) - 1:
            target = x0 + h / (2 * (lambdas[k] - lambdas[k - 1])) * (x0 - previous)
        x = sigmas[k + 1] / sigmas[k] * x - alphas[k + 1] * torch.expm1(-h) * target
        previous = x0
        states.append(x)
    return torch.stack(states)


def main(path):
    generator = torch.Generator().manual_seed(SEED)
    denoiser, alpha_bars = make_denoiser(generator)
    tensors, deviations = {}, {}
    for count in STEPS:
        start = torch.randn(SHAPE, generator=generator)
        timesteps, outputs, states = diffusers_trajectory(count, start, denoiser)
        exact = float64_trajectory(timesteps, start, outputs, alpha_bars)
        name = f"expected.{count}.trajectory"
        deviations[name] = [
            float(f"{(states - exact).abs().max():.3g}"),
            float(f"{states.abs().max():.4g}"),
        ]
        tensors[f"input.{count}.start"] = start
        tensors[f"input.{count}.model_outputs"] = outputs
        tensors[f"expected.{count}.timesteps"] = timesteps
        tensors[name] = states
    metadata = {
        "description": "DPM-Solver++ (2M) sampling in few steps, from given noise predictions.",
        "source": "huggingface/diffusers 0.30.3 DPMSolverMultistepScheduler",
        "seed": str(SEED),
        "torch": torch.__version__,
        "config": json.dumps({"steps": STEPS, "num_train_timesteps": TIMESTEPS}),
        "conventions": "Linear betas 1e-4..0.02 over 1000 timesteps, algorithm dpmsolver++, order "
        "2, midpoint, lower_order_final, timestep_spacing linspace, final sigma zero. "
        "expected.N.timesteps: those of N steps, in order of use (round_half_even of "
        "linspace(0, 999, N + 1), reversed, without the 0). model_outputs[k] is epsilon for step "
        "k; trajectory[k] the state after step k.",
        "tolerance": "max|a-b| <= 1e-4*max|b| (diffusers keeps its tables in float32)",
        "float64_deviation": json.dumps(deviations),
    }
    save_file({k: v.contiguous() for k, v in tensors.items()}, path, metadata)
    print(json.dumps(deviations, indent=1))


if __name__ == "__main__":
    main(sys.argv[1])
