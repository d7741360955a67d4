"""One training loop: the same to the bit for the same seed, for models, gates and other objectives alike."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional

from headroom.training.determinism import deterministic
from headroom.training.fit import TrainingError, curve, fit, share


class Toy(nn.Module):
    """A small network with dropout, so that random numbers matter."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 16), nn.LayerNorm(16), nn.GELU(), nn.Dropout(0.2), nn.Linear(16, 3))

    def forward(self, x):
        return self.layers(x)


def toy() -> Toy:
    torch.manual_seed(7)
    return Toy()


def stream():
    generator = torch.Generator().manual_seed(3)
    while True:
        x = torch.randn(8, 6, generator=generator)
        yield {"x": x, "labels": x[:, :3].argmax(-1)}


def train(model: Toy, steps: int = 40, **settings):
    objective = settings.pop("objective", lambda batch: functional.cross_entropy(model(batch["x"]), batch["labels"]))
    return fit(model, stream(), steps, 0.02, objective=objective, **settings)


def test_training_is_the_same_to_the_bit_and_lowers_the_loss():
    models = [toy(), toy()]
    curves = [train(model, warmup=5) for model in models]
    assert curves[0] == curves[1]
    assert curves[0][-1]["loss"] < curves[0][0]["loss"]
    assert all(torch.equal(a, b) for a, b in zip(*(m.state_dict().values() for m in models), strict=True))


def test_another_seed_trains_another_model():
    first, other = toy(), toy()
    train(first, seed=0)
    train(other, seed=1)
    assert not torch.equal(first.layers[0].weight, other.layers[0].weight)


def test_training_leaves_random_state_and_mode_as_they_were():
    torch.manual_seed(11)
    expected = torch.rand(1)
    torch.manual_seed(11)
    model = Toy().eval()
    torch.manual_seed(11)
    train(model, steps=3)
    assert torch.equal(torch.rand(1), expected)
    assert not model.training
    assert not torch.are_deterministic_algorithms_enabled()


def test_gates_train_with_their_own_rate_while_frozen_weights_stay():
    model = toy().requires_grad_(False)
    before = model.layers[0].weight.clone()
    gate = nn.Parameter(torch.ones(6))
    train(
        model,
        objective=lambda batch: functional.cross_entropy(model(batch["x"] * gate), batch["labels"]),
        extra_parameters=[gate],
        extra_learning_rate=0.1,
    )
    assert torch.equal(model.layers[0].weight, before)
    assert not torch.equal(gate.detach(), torch.ones(6))


def test_a_loss_that_is_not_a_number_names_the_step():
    model, seen = toy(), []

    def objective(batch):
        seen.append(1)
        return model(batch["x"]).sum() * (float("nan") if len(seen) == 4 else 1)

    with pytest.raises(TrainingError, match=r"nan at step 4"):
        train(model, objective=objective)


def test_too_few_batches_name_the_step():
    model = toy()
    with pytest.raises(TrainingError, match="ended after step 2 of 5"):
        fit(model, [next(stream()) for _ in range(2)], 5, 0.1, objective=lambda batch: model(batch["x"]).sum())


def test_every_step_is_reported_and_the_curve_is_short():
    steps = []
    found = train(toy(), steps=250, on_step=lambda step, loss: steps.append(step))
    assert steps == list(range(1, 251))
    assert len(found) <= 100
    assert found[-1]["step"] == 250
    assert curve([1.0, 3.0]) == [{"step": 1, "loss": 1.0}, {"step": 2, "loss": 3.0}]


@pytest.mark.parametrize(("schedule", "half"), [("cosine", 0.5), ("linear", 0.5), ("constant", 1.0)])
def test_the_learning_rate_rises_in_a_line_and_falls_as_asked(schedule, half):
    assert [share(step, 110, 10, schedule) for step in (0, 4, 9)] == [0.1, 0.5, 1.0]
    assert share(60, 110, 10, schedule) == pytest.approx(half)


def test_weights_of_sixteen_bits_learn_from_steps_that_they_could_not_hold():
    """A step of 1e-5 is lost in a bfloat16 weight near 1: summed in float32 the steps show."""
    model = toy().to(torch.bfloat16)
    table = torch.arange(3, dtype=torch.float32)
    model.register_buffer("table", table)
    before = model.layers[1].weight.clone()

    def objective(batch):
        return functional.cross_entropy(model(batch["x"]).float(), batch["labels"])

    fit(model, stream(), 400, 2e-5, objective=objective, schedule="constant", weight_decay=0.0)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert model.table.dtype == torch.float32
    assert not torch.equal(model.layers[1].weight, before)


def test_an_operation_without_a_deterministic_kernel_is_named_on_an_accelerator_and_nothing_else_is():
    lacking = set()
    with pytest.warns(UserWarning, match="something else"), deterministic(torch.device("cuda"), lacking):
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        warnings.warn("cumsum_cuda_kernel does not have a deterministic implementation, but you set ...", stacklevel=1)
        warnings.warn("something else", stacklevel=1)
    assert lacking == {"cumsum_cuda_kernel"}
    assert not torch.are_deterministic_algorithms_enabled()


def test_what_a_training_could_not_do_again_reaches_who_listens_around_it():
    lacking = set()
    with deterministic(torch.device("cuda"), lacking), deterministic(torch.device("cuda")):
        warnings.warn("scatter does not have a deterministic implementation", stacklevel=1)
    assert lacking == {"scatter"}
