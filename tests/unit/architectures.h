// Small architectures in a few lines, and every sample of every layer type.
#pragma once

#include <catch2/catch.hpp>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "facets/registry.h"

namespace h5bridge::testing {

/// (batch, sizes...).
inline SymbolicShape batch_of(const Shape& sizes) {
  SymbolicShape result{Size::symbol("batch")};
  result.insert(result.end(), sizes.begin(), sizes.end());
  return result;
}

/// Each call takes the value made before it, unless it names its inputs. The last value is the output, unless outputs
/// are named.
class ArchitectureBuilder {
 public:
  explicit ArchitectureBuilder(const SymbolicShape& shape, DType dtype = DType::Float32) { input("x", shape, dtype); }

  ArchitectureBuilder& input(const std::string& name, const SymbolicShape& shape, DType dtype = DType::Float32) {
    architecture_.inputs.push_back({name, shape, dtype});
    last_ = name;
    return *this;
  }
  ArchitectureBuilder& layer(const std::string& name, const std::string& type, const Json::Object& attributes = {},
                             const std::vector<std::string>& inputs = {}) {
    architecture_.layers.push_back(
        {name, type, attributes_from_json(*Registry::instance().find(type), attributes, name), {}});
    return call(name, name, inputs);
  }
  ArchitectureBuilder& call(const std::string& node, const std::string& layer,
                            const std::vector<std::string>& inputs = {}) {
    std::vector<Value> values;
    for (const std::string& name : inputs) values.push_back({name});
    const Layer& called = *architecture_.find_layer(layer);
    if (values.empty() && !Registry::instance().type_of(called).operands.empty()) values.push_back({last_});
    architecture_.nodes.push_back(node_of(node, called, {std::move(values)}));
    last_ = node;
    return *this;
  }
  ArchitectureBuilder& output(const std::string& value, const std::string& name = "") {
    architecture_.outputs.push_back({name, {value}});
    return *this;
  }
  Architecture build() const {
    Architecture result = architecture_;
    if (result.outputs.empty()) result.outputs.push_back({"", {last_}});
    return result;
  }

 private:
  Architecture architecture_;
  std::string last_;
};

/// One sample of one type.
struct SampleCase {
  const LayerType& type;
  const Sample& sample;

  std::string name() const { return type.name + ": " + sample.what; }
  Attributes attributes() const { return attributes_from_json(type, sample.attributes, name()); }
  std::vector<SymbolicShape> input_shapes() const { return sample.open_inputs(); }
  /// A model of this layer, called "layer", alone.
  Architecture architecture() const {
    std::vector<std::string> inputs;
    const auto dtype = [&](std::size_t input) {
      return sample.ids_below > 0 || sample.integers.contains(input) ? DType::Int64 : DType::Float32;
    };
    ArchitectureBuilder builder(input_shapes().at(0), dtype(0));
    inputs.push_back("x");
    for (std::size_t i = 1; i < sample.inputs.size(); ++i) {
      inputs.push_back("x" + std::to_string(i));
      builder.input(inputs.back(), input_shapes()[i], dtype(i));
    }
    if (type.operands.empty()) inputs.clear();
    return builder.layer("layer", type.name, sample.attributes, inputs).build();
  }
};

/// Failures of one sample do not keep the others from their turn. Not a Catch section each: those cost the square of
/// their number.
template <typename Visit>
void for_each_sample(Visit&& visit) {
  for (const Family& family : Registry::instance().families())
    for (const LayerType& type : family.types)
      for (const Sample& sample : type.samples) {
        const SampleCase each{type, sample};
        INFO(each.name());
        try {
          visit(each);
        } catch (const std::exception& error) {
          FAIL_CHECK(error.what());
        } catch (const Catch::TestFailureException&) {  // what REQUIRE throws when it has told
        }
      }
}

}  // namespace h5bridge::testing
