// Constants: tensors that are part of the architecture.
#include "keras/constants.h"

#include <catch2/catch.hpp>

#include "convert/architecture_json.h"
#include "facets/registry.h"
#include "h5bridge/error.h"

namespace h5bridge::testing {
namespace {

using List = Json::Array;

Attributes read(const Json::Object& attributes) {
  return attributes_from_json(*Registry::instance().find("new_tensor"), attributes, "here");
}

void refuses(const Json::Object& attributes, const std::string& message) {
  CHECK_THROWS_AS(read(attributes), MalformedFile);
  CHECK_THROWS_WITH(read(attributes), "here: " + message);
}

Json bytes(const char* dtype, const char* base64) { return Json::Object{{"dtype", dtype}, {"base64", base64}}; }

}  // namespace

TEST_CASE("a constant has its dtype and shape, however its elements are put") {
  const Tensor expected = tensor_of(DType::Int32, {2, 1}, std::vector<std::int32_t>{3, -1});
  for (const Json& data : {Json(List{3, -1}), Json(List{3.0, -1.0}), bytes("int32", "AwAAAP////8=")}) {
    INFO(data.dump());
    CHECK(read({{"data", data}, {"shape", List{2, 1}}, {"dtype", "int32"}}).tensor("data") == expected);
  }
  CHECK(read({{"data", List{0.1}}, {"shape", List{}}}).tensor("data") ==
        tensor_of(DType::Float32, {}, std::vector<float>{0.1f}));
  CHECK(read({{"data", List{}}, {"shape", List{0, 2}}, {"dtype", "bool"}}).tensor("data") ==
        tensor_of(DType::Bool, {0, 2}, std::vector<std::uint8_t>{}));
}

TEST_CASE("elements that a constant cannot have are refused") {
  refuses({{"data", List{1, 2}}, {"shape", List{3}}}, "\"data\" has 2 elements, which do not fill the shape (3,)");
  refuses({{"data", List{1}}, {"shape", List{-1}}}, "\"shape\" has a size of -1");
  refuses({{"data", List{1.5}}, {"shape", List{1}}, {"dtype", "int64"}},
          "\"data\" has the element 1.5, which is no int64");
  refuses({{"data", List{3e9}}, {"shape", List{1}}, {"dtype", "int32"}},
          "\"data\" has the element 3e+09, which is no int32");
  refuses({{"data", List{2}}, {"shape", List{1}}, {"dtype", "bool"}}, "\"data\" has the element 2.0, which is no bool");
  refuses({{"data", bytes("int64", "AQAAAAAAAAA=")}, {"shape", List{1}}, {"dtype", "int32"}},
          "\"data\" has elements of int64, expected int32");
  refuses({{"data", bytes("bool", "AQI=")}, {"shape", List{2}}, {"dtype", "bool"}},
          "\"data\" has the element 2.0, which is no bool");
}

TEST_CASE("a program may set a constant's elements, which are completed as a file's are") {
  const LayerType& type = *Registry::instance().find("new_tensor");
  Attributes given;
  given.set("data", tensor_of(DType::Float64, {6}, std::vector<double>{1, 2, 3, 4, 5, 6}));
  given.set("shape", Shape{2, 3});
  const Attributes complete = complete_attributes(type, given, "here");
  CHECK(complete.tensor("data") == tensor_of(DType::Float32, {2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6}));
  CHECK(complete_attributes(type, complete, "here") == complete);
  given.set("dtype", DType::Int64);
  given.set("data", tensor_of(DType::Int32, {6}, std::vector<std::int32_t>(6)));
  CHECK_THROWS_WITH(complete_attributes(type, given, "here"), "here: \"data\" has elements of int32, expected int64");
  CHECK_THROWS_AS(complete_attributes(type, given, "here"), UsageError);
}

// More than a list may have, and integers that no double has.
TEST_CASE("large constants are the same after the JSON") {
  std::vector<std::uint8_t> truth(90000);
  for (std::size_t i = 0; i < truth.size(); ++i) truth[i] = i * i % 7 < 3;
  const Tensor mask = tensor_of(DType::Bool, {300, 300}, truth);
  Attributes attributes;
  attributes.set("data", mask);
  attributes.set("shape", mask.shape());
  attributes.set("dtype", DType::Bool);
  Architecture architecture;
  architecture.inputs.push_back({"x", {Size::symbol("batch"), 300}});
  architecture.layers.push_back({"mask", "new_tensor", attributes, {}});
  architecture.nodes.push_back({"mask", "mask", {Value{"x"}}});
  architecture.outputs.push_back({"", {"mask"}});
  const Json json = architecture_to_json(architecture);
  CHECK(json.at("layers").as_array().at(0).at("attributes").at("data").at("dtype") == Json("bool"));
  CHECK(architecture_from_json(Json::parse(json.dump())) == architecture);
  CHECK(json.at("h5bridge") == Json(2));  // version 1 has no bytes

  architecture.layers[0].attributes.set("data", tensor_of(DType::Bool, {1, 2}, std::vector<std::uint8_t>{1, 0}));
  architecture.layers[0].attributes.set("shape", Shape{1, 2});
  Json small = architecture_to_json(architecture);
  CHECK(small.at("h5bridge") == Json(1));
  small.as_object().set("h5bridge", 3);
  CHECK_THROWS_WITH(architecture_from_json(small),
                    "the architecture is of version 3, expected 1 to 2; a newer h5bridge may read it");
}

TEST_CASE("an array of Keras's is a constant with each of its elements") {
  const auto array = [](const char* dtype, Json value) {
    return array_layer(Json::Object{{"class_name", "__numpy__"},
                                    {"config", Json::Object{{"value", std::move(value)}, {"dtype", dtype}}}})
        ->attributes.tensor("data");
  };
  CHECK(array("int64", List{List{9007199254740993, -1}}) ==
        tensor_of(DType::Int64, {1, 2}, std::vector<std::int64_t>{9007199254740993, -1}));
  CHECK(array("bool", List{true, false}) == tensor_of(DType::Bool, {2}, std::vector<std::uint8_t>{1, 0}));
  CHECK(array("bool", List{1, 0}) == tensor_of(DType::Bool, {2}, std::vector<std::uint8_t>{1, 0}));
  CHECK(array("float32", List{0.1, 2}) == tensor_of(DType::Float32, {2}, std::vector<float>{0.1f, 2}));
  CHECK_THROWS_AS(array("int32", List{3000000000}), Unsupported);
  CHECK_THROWS_WITH(array("int33", List{3}), "an array of int33 among its arguments has no layer type");
  CHECK_THROWS_WITH(array("int16", List{3}), "an array of int16 among its arguments has no layer type");
}

}  // namespace h5bridge::testing
