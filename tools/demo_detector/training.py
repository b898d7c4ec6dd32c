"""Trains the network on footage: AdamW, one cosine, and a running mean of the weights, which is what is kept."""

import copy
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from demo_detector.augmentation import Augmentation
from demo_detector.footage import Boxes, Footage
from demo_detector.losses import Truth, loss
from demo_detector.network import Network, decoded_boxes, places
from penstock.base.clock import NS_PER_S, Clock

WIDTH_PX, HEIGHT_PX = 320, 192


@dataclass(frozen=True, slots=True)
class Recipe:
    seed: int = 1
    steps: int = 3000
    batch: int = 32
    learning_rate: float = 2.5e-3
    last_rate: float = 0.01
    """share of the learning rate that is left at the end"""
    weight_decay: float = 0.02
    warm_up_steps: int = 200
    mean_steps: float = 800.0
    """how many steps the running mean of the weights reaches back"""
    threads: int = 2
    bfloat16: bool = False
    """compute the convolutions in bfloat16; weights and losses stay float32"""


def trained(footage: Footage, recipe: Recipe, clock: Clock) -> Network:
    """A network in evaluation mode; the same footage, recipe and machine give the same weights."""
    torch.set_num_threads(recipe.threads)
    torch.manual_seed(recipe.seed)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # a tenth of the time, and nothing reads it
    network = Network().to(memory_format=torch.channels_last).train()
    mean = copy.deepcopy(network).eval()
    optimizer = torch.optim.AdamW(_parameter_groups(network, recipe.weight_decay), lr=recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, recipe))
    images = torch.from_numpy(footage.images)
    truth = padded(footage.boxes)
    augment = Augmentation(WIDTH_PX, HEIGHT_PX, recipe.seed)
    centres, strides = places(WIDTH_PX, HEIGHT_PX)
    order = _order(len(images), recipe)
    began_ns, seen = clock.now_ns(), 0.0
    for step in range(recipe.steps):
        index = torch.from_numpy(order[step * recipe.batch : (step + 1) * recipe.batch])
        chosen = Truth(truth.xyxy[index], truth.class_id[index], truth.state[index])
        batch, chosen = augment(images[index], chosen)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
            raw = network(batch.contiguous(memory_format=torch.channels_last))
        raw = raw.float()
        value = loss(decoded_boxes(raw, centres, strides), raw[:, 4:], chosen, centres, strides)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimizer.step()
        schedule.step()
        _follow(mean, network, min(1 - 1 / recipe.mean_steps, (1 + step) / (10 + step)))
        seen += value.item()
        if (step + 1) % 100 == 0:
            spent_s = (clock.now_ns() - began_ns) / NS_PER_S
            print(f"step {step + 1} of {recipe.steps}: loss {seen / 100:.3f}, {spent_s:.0f} s", flush=True)
            seen = 0.0
    return mean


def padded(boxes: list[Boxes]) -> Truth:
    """Boxes of all pictures in one table; they stay in fractions of their picture."""
    most = max(1, *(len(each.class_id) for each in boxes))
    xyxy = torch.zeros(len(boxes), most, 4)
    class_id = torch.zeros(len(boxes), most, dtype=torch.int64)
    state = torch.zeros(len(boxes), most, dtype=torch.int64)
    for i, each in enumerate(boxes):
        count = len(each.class_id)
        xyxy[i, :count] = torch.from_numpy(each.xyxy)
        class_id[i, :count] = torch.from_numpy(each.class_id)
        state[i, :count] = torch.from_numpy(np.where(each.wanted, 1, 2))
    return Truth(xyxy, class_id, state)


def _order(count: int, recipe: Recipe) -> np.ndarray:
    """Numbers of the pictures as they are shown: all of them once before any is shown again."""
    chance = np.random.default_rng(recipe.seed)
    wanted = recipe.steps * recipe.batch
    return np.concatenate([chance.permutation(count) for _ in range(math.ceil(wanted / count))])[:wanted]


def _rate(step: int, recipe: Recipe) -> float:
    if step < recipe.warm_up_steps:
        return (step + 1) / recipe.warm_up_steps
    share = (step - recipe.warm_up_steps) / max(1, recipe.steps - recipe.warm_up_steps)
    return recipe.last_rate + (1 - recipe.last_rate) * (1 + math.cos(math.pi * share)) / 2


def _parameter_groups(network: Network, weight_decay: float) -> list[dict[str, object]]:
    decayed = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


@torch.no_grad()
def _follow(mean: Network, network: Network, keep: float) -> None:
    for old, new in zip(mean.state_dict().values(), network.state_dict().values(), strict=True):
        if old.dtype.is_floating_point:
            old.lerp_(new, 1 - keep)
        else:
            old.copy_(new)
