// The registry itself: what every layer type must have so that the passes can rely on it.
#include "facets/registry.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <tuple>

#include "h5bridge/error.h"
#include "unit/architectures.h"
#include "unit/random_tensors.h"

namespace h5bridge::testing {
namespace {

template <typename Visit>
void for_each_type(Visit&& visit) {
  for (const Family& family : Registry::instance().families())
    for (const LayerType& type : family.types) visit(family, type);
}

}  // namespace

TEST_CASE("a name belongs to one layer type, which the registry finds by it") {
  std::set<std::string> families;
  std::set<std::string> names;
  for (const Family& family : Registry::instance().families()) CHECK(families.insert(family.name).second);
  for_each_type([&](const Family& family, const LayerType& type) {
    INFO(family.name << ": " << type.name);
    CHECK(names.insert(type.name).second);
    CHECK(Registry::instance().find(type.name) == &type);
    CHECK_FALSE(type.summary.empty());
    CHECK_FALSE(type.source.empty());
  });
  CHECK(names.size() > 50);
}

TEST_CASE("a name that two families declare is refused") {
  LayerType type;
  type.name = "Twice";
  CHECK_THROWS_WITH(Registry({{"one", {type}, {}}, {"two", {type}, {}}}),
                    Catch::Contains("Twice") && Catch::Contains("family two"));
}

TEST_CASE("a type that is not there is an error that names layer and type") {
  const Layer layer{"neck.mix", "Conv9d", {}, {}};
  CHECK(Registry::instance().find("Conv9d") == nullptr);
  CHECK(Registry::instance().keras_of("Conv9d").empty());
  CHECK_THROWS_AS(Registry::instance().type_of(layer), Unsupported);
  CHECK_THROWS_WITH(Registry::instance().type_of(layer), "layer \"neck.mix\": its type Conv9d is not known");
}

TEST_CASE("every Keras mapping is of a type in its own family, and its rows are of attributes that the type has") {
  for (const Family& family : Registry::instance().families())
    for (const KerasMapping& mapping : family.keras) {
      INFO(family.name << ": " << mapping.type << " as " << mapping.class_name);
      const bool own = std::any_of(family.types.begin(), family.types.end(),
                                   [&](const LayerType& type) { return type.name == mapping.type; });
      REQUIRE(own);
      std::set<std::string> keys;
      for (const Correspondence& row : mapping.attributes) {
        CHECK(Registry::instance().find(mapping.type)->find_attribute(row.attribute) != nullptr);
        CHECK(keys.insert(row.keras).second);
      }
      for (const auto& [key, value] : mapping.fixed) CHECK(keys.insert(key).second);
      for (const auto& [key, value] : mapping.carried) CHECK(keys.insert(key).second);
    }
}

TEST_CASE("two mappings of one class to one type differ in their variant, and one has none") {
  for (const Family& family : Registry::instance().families()) {
    std::map<std::tuple<std::string, std::string, std::string>, std::set<std::string>> variants;
    for (const KerasMapping& mapping : family.keras) {
      INFO(family.name << ": " << mapping.type << " as " << mapping.class_name << " " << mapping.variant);
      auto& known = variants[{mapping.type, mapping.class_name, mapping.module}];
      CHECK(mapping.variant.empty() == known.empty());
      CHECK(known.insert(mapping.variant).second);
    }
  }
}

TEST_CASE("attributes are declared once, and their defaults are of the kind that they declare") {
  for_each_type([](const Family&, const LayerType& type) {
    INFO(type.name);
    std::set<std::string> names;
    for (const AttributeSpec& spec : type.attributes) {
      INFO(spec.name);
      CHECK(names.insert(spec.name).second);
      CHECK_FALSE(spec.meaning.empty());
      if (!spec.fallback) continue;
      // Read back as the only attribute of a type, the default is itself.
      LayerType alone;
      alone.name = type.name;
      alone.attributes = {spec};
      const Json::Object json{{spec.name, spec.kind->write(*spec.fallback)}};
      CHECK(attributes_from_json(alone, json, "here").at(spec.name) == *spec.fallback);
      CHECK(attributes_to_json(alone, alone.defaults()).empty());
      CHECK(spec.kind->read(spec.kind->write_short(*spec.fallback)) == *spec.fallback);
    }
  });
}

TEST_CASE("every type has samples, each with a name of its own") {
  for_each_type([](const Family&, const LayerType& type) {
    INFO(type.name);
    CHECK_FALSE(type.samples.empty());
    std::set<std::string> names;
    for (const Sample& sample : type.samples) CHECK(names.insert(sample.what).second);
  });
}

TEST_CASE("samples round-trip through JSON") {
  for_each_sample([](const SampleCase& each) {
    const Attributes attributes = each.attributes();
    const Json::Object json = attributes_to_json(each.type, attributes);
    CHECK(attributes_from_json(each.type, json, "again") == attributes);
    CHECK(Json::parse(Json(json).dump()) == Json(json));
  });
}

TEST_CASE("samples have shapes, with an open batch as with a fixed one") {
  for_each_sample([](const SampleCase& each) {
    const auto outputs = each.type.shapes(each.attributes(), each.input_shapes());
    REQUIRE_FALSE(outputs.empty());
    std::int64_t batch = 1;
    std::vector<SymbolicShape> fixed;
    for (std::size_t i = 0; i < each.sample.inputs.size(); ++i) {
      const Shape& input = each.sample.inputs[i];
      if (each.sample.batch_axis(i) < input.size()) batch = input[each.sample.batch_axis(i)];
      fixed.emplace_back(input.begin(), input.end());
    }
    const std::map<std::string, std::int64_t> sizes{{"batch", batch}};
    Attributes attributes = each.attributes();
    for (const AttributeSpec& spec : each.type.attributes)
      attributes.set(spec.name, spec.kind->bind(attributes.at(spec.name), sizes));
    const auto expected = each.type.shapes(attributes, fixed);
    REQUIRE(outputs.size() == expected.size());
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      SymbolicShape found = outputs[i];
      for (Size& size : found) size = size.bind(sizes);
      CHECK(found == expected[i]);
      for (const Size& size : found) CHECK(size.value().value_or(0) > 0);
    }
  });
}

TEST_CASE("an unknown attribute is refused by name") {
  for_each_type([](const Family&, const LayerType& type) {
    Json::Object attributes = type.samples.at(0).attributes;
    attributes.set("kernal_size", 3);
    INFO(type.name);
    CHECK_THROWS_AS(attributes_from_json(type, attributes, "layer \"a\""), MalformedFile);
    const std::string meant = type.find_attribute("kernel_size") ? "; did you mean kernel_size?" : "";
    CHECK_THROWS_WITH(attributes_from_json(type, attributes, "layer \"a\""),
                      "layer \"a\": " + type.name + " has no attribute \"kernal_size\"" + meant);
  });
}

TEST_CASE("a required attribute that is missing is named") {
  for_each_type([](const Family&, const LayerType& type) {
    for (const AttributeSpec& spec : type.attributes) {
      if (spec.fallback) continue;
      Json::Object attributes = type.samples.at(0).attributes;
      INFO(type.name);
      REQUIRE(attributes.erase(spec.name));
      CHECK_THROWS_WITH(attributes_from_json(type, attributes, "layer \"a\""),
                        "layer \"a\": " + type.name + " needs the attribute \"" + spec.name + "\"");
    }
  });
}

TEST_CASE("an attribute of the wrong kind is refused by name") {
  for_each_type([](const Family&, const LayerType& type) {
    for (const AttributeSpec& spec : type.attributes) {
      Json::Object attributes = type.samples.at(0).attributes;
      attributes.set(spec.name, Json::Object{{"an", "object"}});
      INFO(type.name << " " << spec.name);
      CHECK_THROWS_AS(attributes_from_json(type, attributes, "layer \"a\""), MalformedFile);
      CHECK_THROWS_WITH(attributes_from_json(type, attributes, "layer \"a\""),
                        Catch::StartsWith("layer \"a\": attribute \"" + spec.name + "\": "));
    }
  });
}

TEST_CASE("a word that is no choice is refused with the choices") {
  const LayerType& conv = *Registry::instance().find("Conv2d");
  const Json::Object attributes{{"in_channels", 1}, {"out_channels", 1}, {"kernel_size", 1}, {"padding", "sane"}};
  CHECK_THROWS_WITH(attributes_from_json(conv, attributes, "layer \"a\""),
                    "layer \"a\": attribute \"padding\": is \"sane\", expected one of same, valid");
}

TEST_CASE("a tuple of the wrong length is refused, and one integer stands for all") {
  const LayerType& conv = *Registry::instance().find("Conv3d");
  Json::Object attributes{{"in_channels", 1}, {"out_channels", 1}, {"kernel_size", Json::Array{1, 2}}};
  CHECK_THROWS_WITH(attributes_from_json(conv, attributes, "layer \"a\""),
                    "layer \"a\": attribute \"kernel_size\": has 2 elements, expected 3");
  attributes.set("kernel_size", 2);
  CHECK(attributes_from_json(conv, attributes, "layer \"a\"").integers("kernel_size") ==
        std::vector<std::int64_t>{2, 2, 2});
}

TEST_CASE("combinations that make no sense are refused") {
  const auto refused = [](const std::string& type, const Json::Object& attributes, const std::string& message) {
    INFO(type);
    CHECK_THROWS_WITH(attributes_from_json(*Registry::instance().find(type), attributes, "layer \"a\""),
                      "layer \"a\": " + message);
  };
  refused("Conv2d", {{"in_channels", 3}, {"out_channels", 4}, {"kernel_size", 1}, {"groups", 2}},
          "\"in_channels\" is 3, which 2 groups do not divide");
  refused("Conv1d", {{"in_channels", 3}, {"out_channels", 4}, {"kernel_size", 1}, {"stride", 0}},
          "\"stride\" is 0, expected at least 1");
  refused("Conv1d", {{"in_channels", 3}, {"out_channels", 4}, {"kernel_size", 1}, {"padding", -1}},
          "\"padding\" is -1, expected at least 0");
  refused("Conv1d", {{"in_channels", 3}, {"out_channels", 4}, {"kernel_size", 1}, {"dilation", std::int64_t{1} << 40}},
          "\"dilation\" is 1099511627776, expected at most 2147483647");
  refused("ConvTranspose1d",
          {{"in_channels", 3}, {"out_channels", 4}, {"kernel_size", 3}, {"stride", 2}, {"output_padding", 2}},
          "\"output_padding\" is 2, expected less than 2, its stride");
  refused("ConvTranspose1d", {{"in_channels", 3}, {"out_channels", 4}, {"kernel_size", 3}, {"output_padding", nullptr}},
          "\"output_padding\" is null, which is for the paddings \"same\" and \"valid\"");
  refused("pad", {{"pad", Json::Array{1, 2, 3}}}, "\"pad\" has 3 elements, expected two for each of up to 3 axes");
  refused("pad", {{"pad", Json::Array{1, 2}}, {"mode", "reflect"}, {"value", 1.5}},
          "\"value\" is given, but \"mode\" is \"reflect\"");
  refused("MaxPool2d", {{"kernel_size", 2}, {"padding", 2}},
          "\"padding\" is 2, expected at most half of the window's 2");
  refused("Dropout", {{"p", 1.5}}, "\"p\" is 1.500000, expected 0 to 1");
  refused("BatchNorm2d", {{"num_features", 0}}, "\"num_features\" is 0, expected at least 1");
}

TEST_CASE("every tensor of a sample has its place in Keras, once, and comes back bit for bit") {
  for_each_sample([](const SampleCase& each) {
    if (!each.sample.in_keras) return;
    for (const KerasMapping* mapping : Registry::instance().keras_of(each.type.name)) {
      const Attributes attributes = each.attributes();
      if (!can_write(*mapping, attributes, each.input_shapes())) continue;
      INFO(each.name() << " as " << mapping->class_name);
      std::map<std::string, Tensor> tensors;
      std::map<std::string, int> uses;
      for (const ParameterSpec& spec : each.type.parameters(attributes)) {
        REQUIRE(tensors.emplace(spec.name, random_tensor(spec.dtype, spec.shape)).second);
        uses[spec.name] = 0;
      }
      const WeightRules rules = mapping->weights(attributes, each.input_shapes());
      std::set<std::string> variables;
      for (const WeightRule& rule : rules.rules) {
        std::vector<Tensor> torch;
        for (const std::string& name : rule.torch) {
          REQUIRE(tensors.contains(name));
          ++uses[name];
          torch.push_back(tensors.at(name));
        }
        std::vector<Tensor> given;
        for (const std::string& name : rule.given) {
          REQUIRE(tensors.contains(name));
          given.push_back(tensors.at(name));
        }
        const std::vector<Tensor> keras = to_keras(rule.steps, torch, given);
        CHECK(keras.size() == rule.keras.size());
        for (const std::string& name : rule.keras) CHECK(variables.insert(rule.part + "/" + name).second);
        if (has_product(rule.steps)) continue;  // random bits have no factors
        const std::vector<Tensor> back = to_torch(rule.steps, keras);
        REQUIRE(back.size() == torch.size());
        if (is_lossy(rule.steps)) {
          const std::vector<Tensor> again = to_keras(rule.steps, back);
          for (std::size_t i = 0; i < keras.size(); ++i) CHECK(bit_equal(again[i], keras[i]));
          continue;
        }
        for (std::size_t i = 0; i < back.size(); ++i) CHECK(bit_equal(back[i], torch[i]));
      }
      for (const ResidualRule& residual : rules.residuals) {
        REQUIRE(tensors.contains(residual.torch));
        ++uses[residual.torch];
        CHECK(residual.fallback.shape() == tensors.at(residual.torch).shape());
        CHECK(residual.fallback.dtype() == tensors.at(residual.torch).dtype());
      }
      for (const auto& [name, count] : uses) {
        INFO(name);
        CHECK(count == 1);
      }
    }
  });
}

// A stranger's file may name any.
TEST_CASE("a dtype that Keras's cast names and no layer has is refused") {
  const KerasMapping& cast = *Registry::instance().keras_of("to").front();
  REQUIRE(cast.class_name == "Cast");
  const auto read = [&](const char* dtype) {
    return layer_from_config(cast, {{"dtype", dtype}}, {{Size::symbol("batch"), 3}});
  };
  CHECK(read("int8")->attributes.dtype("dtype") == DType::Int8);
  CHECK_THROWS_AS(read("int33"), Unsupported);
  CHECK_THROWS_WITH(read("int33"), "\"dtype\": no dtype is called \"int33\"");
  CHECK_THROWS_AS(read("uint16"), Unsupported);
  CHECK_THROWS_WITH(read("uint16"), Catch::StartsWith("\"dtype\": is \"uint16\", expected one of float64, "));
}

}  // namespace h5bridge::testing
