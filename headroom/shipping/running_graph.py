"""The script of a process that has onnxruntime: run a graph, compare what it says, print JSON.

Run as a file, with the threads, the graph and files of ``probing.write``, each of other sizes.
"""

import json
import sys


def main(threads: str, graph: str, *probes: str) -> dict[str, object]:
    import numpy as np
    import onnxruntime
    from safetensors.numpy import load_file

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    wanted = [one.name for one in session.get_inputs()]
    worst = largest = 0.0
    for probe in probes:
        kept = load_file(probe)
        said = kept["said.logits"]
        (found,) = session.run(None, {name: kept[name] for name in wanted})
        apart, mask = np.abs(found - said), kept.get("attention_mask")
        if mask is not None and "decoder_input_ids" not in kept and said.shape[:2] == mask.shape:
            apart = apart[mask > 0]  # what stands at padding is read by nobody
        worst, largest = max(worst, float(apart.max())), max(largest, float(np.abs(said).max()))
    return {"difference": worst, "largest": largest, "words": None}


if __name__ == "__main__":
    sys.path[:] = sys.path[1:]  # the folder of this file
    try:
        print("\n" + json.dumps(main(*sys.argv[1:])))
    except Exception as error:
        print("\n" + json.dumps({"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}))
