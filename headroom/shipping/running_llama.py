"""The script of a process that has llama.cpp's Python binding: read a GGUF file, compare what it says, print JSON.

Run as a file, with the threads, the GGUF file and the file of ``probing.write``. llama.cpp ends its process when a
file is wrong, so nothing else goes on in it.
"""

import json
import sys


def main(threads: str, file: str, probe: str) -> dict[str, object]:
    import llama_cpp
    import numpy as np
    from safetensors.numpy import load_file

    kept = load_file(probe)
    words = kept["input_ids"]
    model = llama_cpp.Llama(
        file,
        n_ctx=max(64, words.shape[1]),
        n_threads=int(threads),
        n_threads_batch=int(threads),
        logits_all=True,
        type_k=llama_cpp.GGML_TYPE_F32,  # a cache of half the numbers would be another model
        type_v=llama_cpp.GGML_TYPE_F32,
        verbose=False,
    )
    largest = 0.0
    for row, wanted in zip(words, kept["said.logits"], strict=True):
        model.reset()
        model.eval(row.tolist())
        largest = max(largest, float(np.abs(model.scores[: len(row)] - wanted).max()))
    return {"difference": largest, "largest": float(np.abs(kept["said.logits"]).max()), "words": None}


if __name__ == "__main__":
    sys.path[:] = sys.path[1:]  # the folder of this file
    try:
        print("\n" + json.dumps(main(*sys.argv[1:])))
    except Exception as error:
        print("\n" + json.dumps({"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}))
