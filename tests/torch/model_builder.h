// Small models made in a few lines, with random weights.
#pragma once

#include <string>
#include <vector>

#include "h5bridge/model.h"
#include "h5bridge/torch.h"

namespace h5bridge::testing {

/// Random weights for every layer of `architecture`; variances are positive.
Weights random_weights(const Architecture& architecture);

/// A float tensor of random numbers.
torch::Tensor random(const Shape& shape);

class ModelBuilder {
 public:
  ModelBuilder& input(const std::string& name, SymbolicShape shape, DType dtype = DType::Float32);
  /// A layer, and a node of the same name that calls it.
  ModelBuilder& layer(const std::string& name, const std::string& type, Json::Object attributes,
                      std::vector<Value> inputs);
  /// Another call of a layer.
  ModelBuilder& call(const std::string& node, const std::string& layer, std::vector<Value> inputs);
  ModelBuilder& output(const Value& value, const std::string& name = "");
  Layer& last_layer() { return architecture_.layers.back(); }

  Model build() const;

 private:
  Architecture architecture_;
};

/// The largest difference of two tensors; infinity if they have other shapes.
double difference(const torch::Tensor& a, const torch::Tensor& b);
/// The largest of all outputs, in units of the expected one's largest value; infinity where types, shapes or what is
/// not finite differ.
double relative_difference(const std::vector<torch::Tensor>& found, const std::vector<torch::Tensor>& expected);
bool same_bits(const torch::Tensor& a, const torch::Tensor& b);

std::vector<std::string> parameter_names(const torch::nn::Module& module);
std::vector<std::string> buffer_names(const torch::nn::Module& module);

}  // namespace h5bridge::testing
