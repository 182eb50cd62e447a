// How the work of a conversion grows with the model: counted at two sizes, never timed.
#include "model/work.h"

#include <catch2/catch.hpp>
#include <string>

#include "convert/architecture_json.h"
#include "h5bridge/h5bridge.h"
#include "random_tensors.h"
#include "temporary_folder.h"

using namespace h5bridge;
using h5bridge::testing::random_tensor;

namespace {

// A chain of `count` dense layers. The first is called twice, so that no other layer stands at the place of its call.
Model chain(int count) {
  Json::Array layers;
  std::string last = "x";
  const auto add = [&](Json::Object entry, const std::string& name) {
    entry.set("name", name);
    entry.set("inputs", Json::Array{last});
    layers.push_back(std::move(entry));
    last = name;
  };
  const Json::Object linear{{"type", "Linear"}, {"attributes", Json::Object{{"in_features", 3}, {"out_features", 3}}}};
  for (int i = 0; i < count; ++i) {
    add(linear, "fc" + std::to_string(i));
    if (i == 0) add({{"call", "fc0"}}, "fc0_again");
    add({{"type", "ReLU"}}, "act" + std::to_string(i));
  }
  Model model;
  model.architecture = architecture_from_json(
      Json::Object{{"h5bridge", 1},
                   {"name", "chain"},
                   {"inputs", Json::Array{Json::Object{{"name", "x"}, {"shape", Json::Array{"batch", 3}}}}},
                   {"layers", std::move(layers)},
                   {"outputs", Json::Array{last}}});
  for (int i = 0; i < count; ++i) {
    const std::string name = "fc" + std::to_string(i);
    model.weights.add(name + ".weight", random_tensor(DType::Float32, {3, 3}));
    model.weights.add(name + ".bias", random_tensor(DType::Float32, {3}));
  }
  return model;
}

// From PyTorch's files to Keras's and back.
Work work_of(int count) {
  const TemporaryFolder folder;
  const Work before = work();
  const std::string json = folder / "model.json", pth = folder / "model.pth", h5 = folder / "model.h5";
  save(chain(count), {json, pth});
  save(load({json, pth}), h5);
  save(load(h5), {json, pth});
  return {work().names_compared - before.names_compared, work().hdf5_uses - before.hdf5_uses};
}

}  // namespace

TEST_CASE("the work of a conversion grows as its model does", "[work]") {
  const Work small = work_of(60), large = work_of(120);
  INFO(small.names_compared << " and " << large.names_compared << " names, " << small.hdf5_uses << " and "
                            << large.hdf5_uses << " uses of HDF5");
  CHECK(small.hdf5_uses > 60);
  CHECK(large.names_compared <= 2 * small.names_compared + 100);
  CHECK(large.hdf5_uses <= 2 * small.hdf5_uses + 100);
}
