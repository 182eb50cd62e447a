"""How many exceptions each list of them holds. None grows: what is new fits the rule or is no exception. Where one has shrunk,
its number here is lowered (test_exception_counts.py asks for it)."""

COUNTS = {
    "torch_layers.INEXACT": 8,
    "test_keras_applications.NOT_OF_PYTORCH": 4,
    "test_keras_integers.AS_ON_JAX": 10,
    "test_keras_integers.OF_FLOATS": 3,
    "test_keras_integers.REFLECTED": 2,
    "test_keras_integers.REFUSED": 16,
    "test_keras_layers_live.COMMUTATIVE": 4,
    "test_keras_layers_live.CONSTANT": 3,
    "test_keras_layers_live.OTHERWISE": 13,
    "test_keras_layers_live.TRAINING_ALONE": 3,
    "test_layers_live.CONSTANT": 3,
    "layer_samples.JAX_ONLY": 9,
    "test_signatures.BASE_ARGUMENTS_LEFT_OUT": 3,
    "test_signatures.KERAS_ARGUMENTS_LEFT_OUT": 17,
    "test_signatures.KERAS_CLASSES_LEFT_OUT": 9,
    "test_signatures.NO_ACTIVATIONS": 4,
    "test_signatures.TORCH_ARGUMENTS_LEFT_OUT": 8,
    "test_signatures.TORCH_CLASSES_LEFT_OUT": 6,
    "test_signatures.TORCH_FUNCTION_ARGUMENTS_LEFT_OUT": 19,
}
