// What a Keras file holds is read by the rows of its layers, whatever could be written of it.
#include "keras/read_bindings.h"

#include <catch2/catch.hpp>

#include "convert/architecture_json.h"
#include "convert/inspection.h"
#include "files/keras_h5.h"
#include "h5bridge/h5bridge.h"
#include "passes/infer_shapes.h"
#include "random_tensors.h"
#include "temporary_folder.h"

using namespace h5bridge;
using Catch::Matchers::Contains;
using h5bridge::testing::random_tensor;

namespace {

Model attention() {
  Model model;
  model.architecture = checked(architecture_from_json(Json::parse(R"({
      "h5bridge": 1, "name": "attention", "inputs": [{"name": "x", "shape": ["batch", 3, 4]}],
      "layers": [{"name": "fc", "type": "Linear", "attributes": {"in_features": 4, "out_features": 4}},
                 {"name": "attn", "type": "MultiheadAttention", "inputs": ["fc", "fc", "fc"],
                  "attributes": {"embed_dim": 4, "num_heads": 2, "batch_first": true}}],
      "outputs": ["attn"]})")));
  for (const NamedParameter& parameter : parameters_of(*model.architecture))
    model.weights.add(parameter.name, random_tensor(DType::Float32, parameter.spec.shape));
  return model;
}

}  // namespace

TEST_CASE("what no row writes is read by the row that reads it", "[keras]") {
  const TemporaryFolder folder;
  const std::string path = folder / "attention.h5";
  const Model model = attention();
  save(model, {path});
  // In the file, the network is changed to one that Keras cannot say.
  KerasFile file = read_keras_h5(path);
  Json::Object& architecture = file.extra.as_object().find("architecture")->as_object();
  Json& layer = architecture.find("layers")->as_array().at(1);
  layer.as_object().find("attributes")->as_object().set("add_zero_attn", true);
  write_keras_h5(file, folder / "changed.h5");

  const Model read = load(folder / "changed.h5");
  REQUIRE(read.weights.size() == model.weights.size());
  for (const NamedTensor& tensor : model.weights) {
    INFO(tensor.name);
    CHECK(bit_equal(*read.weights.find(tensor.name), tensor.tensor));
  }
  CHECK_THROWS_WITH(save(read, {folder / "again.h5"}), Contains("add_zero_attn"));
}

TEST_CASE("a file is shown of which a wrapper cannot be read", "[keras]") {
  const TemporaryFolder folder;
  KerasFile file;
  const Json half = Json::Object{{"class_name", "RNN"}, {"config", Json::Object{{"name", "rnn"}, {"cell", "what?"}}}};
  const Json both = Json::Object{{"class_name", "Bidirectional"},
                                 {"config", Json::Object{{"name", "both"}, {"layer", half}, {"backward_layer", half}}}};
  file.model_config =
      Json::Object{{"class_name", "Sequential"}, {"config", Json::Object{{"layers", Json::Array{both}}}}};
  file.keras_version = "3.15.1";
  file.layers = {{"both", {{"both/kernel", random_tensor(DType::Float32, {3, 2})}}}};
  write_keras_h5(file, folder / "model.h5");
  const Inspection shown = inspect({folder / "model.h5"});
  REQUIRE(shown.tensors.size() == 1);
  CHECK(shown.tensors[0].name == "both/kernel");
  CHECK(!shown.tensors[0].trainable);
  CHECK(shown.failure);
}
