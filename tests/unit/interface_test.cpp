// The calls that the documentation shows compile as it shows them.
#include <catch2/catch.hpp>
#include <filesystem>

#include "h5bridge/h5bridge.h"
#include "paths.h"
#include "temporary_folder.h"

using namespace h5bridge;

// The shapes and names of the arrays in testdata, which are the frameworks' own.
TEST_CASE("a model says what it takes and gives", "[interface]") {
  const Size batch = Size::symbol("batch");
  const Model keras = load(TESTDATA "/mosaic/model.h5");
  const Signature own = signature_of(keras);
  CHECK(own.inputs == std::vector<Signature::Port>{{"image", {batch, 19, 22, 3}, DType::Float32}});
  CHECK(own.outputs == std::vector<Signature::Port>{{"label", {batch, 4}}, {"heat", {batch, 5, 6, 1}}});
  const Signature torch = signature_of(in_torch_layout(keras));
  CHECK(torch.inputs == std::vector<Signature::Port>{{"image", {batch, 3, 19, 22}}});

  Model digits = load(TESTDATA "/digits/model.json");
  CHECK(signature_of(digits).outputs == std::vector<Signature::Port>{{"output", {batch, 10}}});
  digits.architecture->layers.push_back({"best", "argmax", {}, {}});
  digits.architecture->layers.back().attributes.set("dim", std::int64_t{1});
  digits.architecture->layers.back().attributes.set("keepdim", false);
  digits.architecture->nodes.push_back({"best", "best", {digits.architecture->outputs[0].value}});
  digits.architecture->outputs.push_back({"best", {"best"}});
  CHECK(signature_of(digits).outputs ==
        std::vector<Signature::Port>{{"output", {batch, 10}}, {"best", {batch}, DType::Int64}});
  CHECK_THROWS_AS(signature_of(Model{}), UsageError);
}

TEST_CASE("files are named by literals, strings and paths, one or several", "[interface]") {
  const TemporaryFolder folder;
  const std::string one = folder / "model.json";
  CHECK_THROWS_AS(load("missing.json"), SystemFailure);
  CHECK_THROWS_AS(load({"missing.json"}), SystemFailure);
  CHECK_THROWS_AS(load({"missing.json", "missing.pth"}), SystemFailure);
  CHECK_THROWS_AS(load(one), SystemFailure);
  CHECK_THROWS_AS(load(std::filesystem::path(one)), SystemFailure);
  CHECK_THROWS_AS(load({"missing.json", one.c_str()}, {.key = "ema"}), SystemFailure);

  const Model model = load({TESTDATA "/my_model/model.json", TESTDATA "/my_model/model.pth"});
  save(model, one);
  save(model, std::filesystem::path(one));
  save(model, {one, folder / "model.h5"}, {.data_format = DataFormat::ChannelsFirst});
  CHECK(load(one).architecture == model.architecture);
  CHECK_THROWS_AS(save(model, "model.unknown"), UsageError);
}
