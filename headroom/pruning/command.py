"""The command `prune`. Nothing heavy is imported before it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headroom.terminal.printing import PlainConsole


def prune(
    model: Annotated[str, typer.Option(help="a folder with a model, or a Hub id")],
    method: Annotated[str, typer.Option(help="see `headroom list`; auto: as the leaderboards say")],
    out_folder: Annotated[Path, typer.Option("--out", help="where the smaller model goes")],
    target: Annotated[
        float | None, typer.Option(help="share of the units to remove, above 0 and below 1; beside a limit at least")
    ] = None,
    max_loss: Annotated[str | None, typer.Option(help="most quality to lose, certified, such as 1%")] = None,
    min_speed: Annotated[str | None, typer.Option(help="times the dense model's, certified, such as 1.2")] = None,
    max_parameters: Annotated[str | None, typer.Option(help="such as 100M or 1.5B")] = None,
    max_memory: Annotated[str | None, typer.Option(help="weights and one call, such as 2GB or 500MB")] = None,
    max_kv: Annotated[str | None, typer.Option(help="cache of a token, such as 8KB/token")] = None,
    confidence: Annotated[str, typer.Option(help="of every interval")] = "95%",
    examples: Annotated[
        int | None, typer.Option(help="so many for calibration, and for evaluation; else as method and task have it")
    ] = None,
    task: Annotated[str | None, typer.Option(help="a task to calibrate on and to report quality for")] = None,
    revision: Annotated[str | None, typer.Option(help="commit of a Hub id, 40 hex digits")] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="your own examples (.txt, .jsonl, .csv, .parquet), or the folder of a task's local data"),
    ] = None,
    kind: Annotated[str | None, typer.Option(help="of your own examples: text, classification or translation")] = None,
    column: Annotated[list[str] | None, typer.Option(help="what a column is called there: text=sentence")] = None,
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            help="stock, code, headroom, deci, gguf or onnx; auto: the first of three that can say what is left",
        ),
    ] = "auto",
    heal: Annotated[int | None, typer.Option(help="what is found learns again for so many steps")] = None,
    heal_kind: Annotated[
        str | None,
        typer.Option(help="full, lora or distil; auto: full for a small model, lora for one above 300M parameters"),
    ] = None,
    heal_rate: Annotated[float | None, typer.Option(help="learning rate; else 5e-5, of adapters 5e-4")] = None,
    heal_batch: Annotated[int | None, typer.Option(help="examples a step; else 8")] = None,
    uniform: Annotated[
        bool, typer.Option("--uniform", help="as many heads or groups from every layer, so that a stock config says it")
    ] = False,
    set_: Annotated[list[str] | None, typer.Option("--set", help="a parameter of the method, name=value")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps")] = "auto",
    dtype: Annotated[str | None, typer.Option(help="float32, bfloat16 or float16; else as the files have it")] = None,
    seed: int = 0,
    threads: int = 2,
    trust_remote_code: Annotated[bool, typer.Option(help="run python code that comes with a Hub model")] = False,
    image_mean: Annotated[float | None, typer.Option(help="of pixels, 0 to 1; else as the model's files say")] = None,
    image_std: Annotated[float | None, typer.Option(help="of pixels; else as the model's files say")] = None,
) -> None:
    """Shrink a model of your own to a budget: physically smaller, it loads again, measured beside the dense one."""
    from headroom.pruning.budgets import budget_of
    from headroom.pruning.heal import Heal
    from headroom.pruning.own_data import OwnData
    from headroom.pruning.prune import prune as shrink
    from headroom.pruning.subject import Request

    own = OwnData.of(data, kind, column or [], task)
    request = Request(
        model=model,
        method=method,
        target=target,
        out=out_folder,
        task=task,
        revision=revision,
        data=None if own else data,
        parameters=set_ or [],
        seed=seed,
        threads=threads,
        trust_remote_code=trust_remote_code,
        image_mean=image_mean,
        image_std=image_std,
        budget=budget_of(max_loss, min_speed, max_parameters, max_memory, max_kv, target, confidence),
        own=own,
        device=device,
        dtype=dtype,
        examples=examples,
        uniform=uniform,
        format=format_,
        heal=Heal.of(heal, heal_kind, heal_rate, heal_batch),
    )
    result = shrink(request)
    PlainConsole().print(result)
    if result.nothing:
        PlainConsole(stderr=True).print(result.nothing, style="bold", highlight=False, soft_wrap=True)
    if result.stopped or result.nothing:
        raise typer.Exit(130 if result.stopped else 1)
