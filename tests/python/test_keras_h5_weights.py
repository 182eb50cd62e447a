"""--to keras-h5-weights: what save_weights("x.h5") of Keras 2 wrote, which real Keras loads into its own model."""

import h5py
import numpy as np
import pytest

import keras_nested_networks as nested
from keras_helpers import keras, predict
from keras_networks import KERAS_NETWORKS
from program import h5bridge, needs_program
from sampled import networks_in_turn

pytestmark = needs_program
NAMES = ("lenet", "siamese", "frozen_backbone", "pictures_in_time", "two_ways", "recurrent_parts")
NETWORKS = [network for network in KERAS_NETWORKS if network.name in NAMES]


@pytest.mark.parametrize("network", networks_in_turn(NETWORKS, of=3), ids=lambda network: network.name)
def test_keras_loads_it_and_it_comes_back_beside_the_configuration(network, tmp_path):
    model = network.model()
    model.save(tmp_path / "k.h5")
    (tmp_path / "k.json").write_text(model.to_json())
    h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "w.h5", "--to", "keras-h5-weights")
    with h5py.File(tmp_path / "w.h5") as file:
        assert "layer_names" in file.attrs and "model_config" not in file.attrs and "model_weights" not in file
    fresh = network.model()
    for variable in fresh.weights:
        variable.assign(variable + 1)
    fresh.load_weights(tmp_path / "w.h5")
    for found, expected in zip(fresh.weights, model.weights, strict=True):
        assert np.array_equal(found.numpy(), expected.numpy()), expected.path
    h5bridge("convert", tmp_path / "k.json", tmp_path / "w.h5", "-o", tmp_path / "a.safetensors")
    h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "b.safetensors")
    assert h5bridge("compare", tmp_path / "a.safetensors", tmp_path / "b.safetensors")


def test_what_is_left_out_is_said(tmp_path):
    model = nested.tagged_steps()
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    x = np.random.default_rng(1).normal(size=(4, 6, 5)).astype("float32")
    model.train_on_batch(x, np.ones(next(iter(predict(model, [x]).values())).shape, "float32"))
    model.save(tmp_path / "k.h5")
    error = h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "w.h5", "--to", "keras-h5-weights", "--lossless", status=4)
    assert "optimizer" in error and not (tmp_path / "w.h5").exists()
