"""The script of a process that has transformers and no Headroom: load a folder, compare what it says, print JSON.

Run as a file, with the threads, the folder, the class, the file of ``probing.write``, the options of
``from_pretrained`` and how words are written, both as JSON.
"""

import json
import sys


class NoHeadroom:
    """An import hook: whoever imports Headroom here fails as one who does not have it."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "headroom":
            raise ModuleNotFoundError("No module named 'headroom'", name=name)


def main(threads: str, folder: str, loader: str, file: str, options: str, flags: str) -> dict[str, object]:
    import torch
    import transformers
    from safetensors.torch import load_file

    torch.set_num_threads(int(threads))
    kept = load_file(file)
    inputs = {name: value for name, value in kept.items() if not name.startswith("said.")}
    how = json.loads(options)
    given = how if "gguf_file" in how else how | {"use_safetensors": True}
    model, found = getattr(transformers, loader).from_pretrained(folder, **given, output_loading_info=True)
    gaps = sorted({*found["missing_keys"], *(key[0] for key in found["mismatched_keys"])})
    if gaps:
        return {"error": f"it drew random numbers for {gaps[0]}"}
    model = model.eval()
    if "gguf_file" in how:  # the loader does not look for it beside such a file
        model.generation_config = transformers.GenerationConfig.from_pretrained(folder)
    with torch.no_grad():
        logits = model(**inputs)[0].float()
        words = None
        if "said.words" in kept:
            given = {name: value for name, value in inputs.items() if name != "decoder_input_ids"}
            words = bool(torch.equal(model.generate(**given, **json.loads(flags)), kept["said.words"]))
    return {
        "difference": float((logits - kept["said.logits"]).abs().max()),
        "largest": float(kept["said.logits"].abs().max()),
        "words": words,
    }


if __name__ == "__main__":
    sys.path[:] = sys.path[1:]  # the folder of this file
    sys.meta_path.insert(0, NoHeadroom())  # type: ignore[arg-type]
    try:
        print("\n" + json.dumps(main(*sys.argv[1:])))
    except Exception as error:
        print("\n" + json.dumps({"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}))
