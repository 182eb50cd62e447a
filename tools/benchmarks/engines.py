"""One engine with one network, in a process of its own that computes when it is told to.

    python engines.py ENGINE THREADS FOLDER NAME BATCH

FOLDER has what `prediction.prepare` made of the network. Once ready it prints the engine's output's sum of squares; then for
every line "N" on standard input it computes N times and prints the seconds that one took. Only THREADS cores are its to use."""

import os
import sys
import time

ENGINE, THREADS, FOLDER, NAME, BATCH = sys.argv[1:6]
THREADS = int(THREADS)
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ[variable] = str(THREADS)
os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": {"tensorflow": "tensorflow", "jax": "jax"}.get(ENGINE, "torch")}

import numpy as np  # noqa: E402

FILE = f"{FOLDER}/{NAME}"
X_FIRST, X_LAST = (np.load(f"{FILE}-{BATCH}-{layout}.npy") for layout in ("first", "last"))


def of_torch(change):
    """A function of `change`d PyTorch: the module, which is built anew."""

    def make():
        import torch

        import networks

        torch.set_num_threads(THREADS)
        torch.set_grad_enabled(False)
        torch.inference_mode(True).__enter__()
        module = networks.build(NAME)
        module.load_state_dict(torch.load(f"{FILE}.pth"))
        x = torch.from_numpy(X_FIRST)
        changed = change(torch, module, x)
        for _ in range(3):
            changed(x)
        return lambda: changed(x).numpy()

    return make


def eager(torch, module, x):
    return module


def frozen(torch, module, x):
    return torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(module, x)))


def compiled(torch, module, x):
    import torch._inductor.config

    torch._inductor.config.freezing = True
    with torch.no_grad():
        return torch.compile(module)


def tensorflow():
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    model = keras.saving.load_model(f"{FILE}.keras", compile=False)
    function = tf.function(lambda x: model(x, training=False)).get_concrete_function(tf.TensorSpec(X_LAST.shape, X_LAST.dtype))
    x = tf.constant(X_LAST)
    return lambda: function(x).numpy()


def jax():
    import jax
    import keras

    model = keras.saving.load_model(f"{FILE}.keras", compile=False)
    trained, others = ([v.value for v in variables] for variables in (model.trainable_variables, model.non_trainable_variables))
    function = jax.jit(lambda x: model.stateless_call(trained, others, x, training=False)[0])
    x = jax.numpy.asarray(X_LAST)
    return lambda: np.asarray(function(x))


def openvino():
    import openvino as ov

    core = ov.Core()
    compiled_model = core.compile_model(f"{FILE}-{BATCH}.onnx", "CPU", {"INFERENCE_NUM_THREADS": THREADS, "PERFORMANCE_HINT": "LATENCY",
                                                                       "INFERENCE_PRECISION_HINT": "f32"})  # fmt: skip
    request = compiled_model.create_infer_request()
    return lambda: request.infer({0: X_FIRST})[compiled_model.output(0)]


def onnxruntime():
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
    session = ort.InferenceSession(f"{FILE}-{BATCH}.onnx", options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: X_FIRST})[0]


ENGINES = {"eager": of_torch(eager), "frozen": of_torch(frozen), "compile": of_torch(compiled), "tensorflow": tensorflow, "jax": jax,
           "openvino": openvino, "onnxruntime": onnxruntime}  # fmt: skip


def main():
    work = ENGINES[ENGINE]()
    for _ in range(3):
        output = work()
    print(float((output.astype(np.float64) ** 2).sum()), flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        for _ in range(int(line)):
            work()
        print((time.perf_counter() - start) / int(line), flush=True)


if __name__ == "__main__":
    main()
