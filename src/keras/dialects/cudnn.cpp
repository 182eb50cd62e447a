#include "keras/dialects/cudnn.h"

#include "h5bridge/error.h"

namespace h5bridge {
namespace {

// The blocks of a matrix along its columns, each changed by `change`.
template <typename Change>
Tensor by_gate(const Tensor& matrix, std::int64_t gates, Change&& change) {
  const std::int64_t width = matrix.shape()[1] / gates;
  std::vector<Tensor> blocks;
  for (std::int64_t gate = 0; gate < gates; ++gate)
    blocks.push_back(change(matrix.slice(1, gate * width, (gate + 1) * width)));
  return concatenate(blocks, 1);
}

Tensor transposed(const Tensor& block) { return block.permute(std::vector<std::int64_t>{1, 0}); }

// CuDNN has (units, inputs) row by row where the array says (inputs, units).
Tensor kernel_of_inputs(const Tensor& block) {
  return transposed(block.contiguous().reshape({block.shape()[1], block.shape()[0]}));
}

Tensor sum_of_halves(const Tensor& bias) {
  if (bias.dtype() != DType::Float32)
    throw Unsupported("its bias is of type " + std::string(name_of(bias.dtype())) + ", expected float32");
  const std::vector<float> values = bias.values<float>();
  const std::size_t half = values.size() / 2;
  std::vector<float> sums(half);
  for (std::size_t i = 0; i < half; ++i) sums[i] = values[i] + values[half + i];
  return tensor_of(bias.dtype(), {static_cast<std::int64_t>(half)}, sums);
}

}  // namespace

bool is_cudnn(const std::string& class_name) { return class_name == "CuDNNLSTM" || class_name == "CuDNNGRU"; }

Json::Object without_cudnn(const Json::Object& entry) {
  Json::Object result = entry;
  Json::Object config = entry.at("config").as_object();
  const bool is_lstm = entry.at("class_name") == Json("CuDNNLSTM");
  result.set("class_name", is_lstm ? "LSTM" : "GRU");
  config.set("activation", "tanh");
  config.set("recurrent_activation", "sigmoid");
  config.set("use_bias", true);
  config.set("unroll", false);
  for (const char* key : {"dropout", "recurrent_dropout"}) config.set(key, 0.0);
  if (!is_lstm) config.set("reset_after", true);
  result.set("config", std::move(config));
  return result;
}

std::vector<KerasVariable> variables_without_cudnn(const std::vector<KerasVariable>& variables, bool is_lstm) {
  const std::int64_t gates = is_lstm ? 4 : 3;
  if (variables.empty() || variables.size() % 3 != 0)
    throw MalformedFile("it has " + std::to_string(variables.size()) + " variables, expected 3 of each direction");
  std::vector<KerasVariable> result = variables;
  for (std::size_t first = 0; first < variables.size(); first += 3) {
    const Tensor& kernel = variables[first].tensor;
    const Tensor& recurrent = variables[first + 1].tensor;
    const Tensor& bias = variables[first + 2].tensor;
    const bool fits = kernel.rank() == 2 && recurrent.rank() == 2 && kernel.shape()[1] == recurrent.shape()[1] &&
                      recurrent.shape()[0] * gates == recurrent.shape()[1] &&
                      bias.shape() == Shape{2 * recurrent.shape()[1]};
    if (!fits)
      throw MalformedFile("its variables have shapes " + to_string(kernel.shape()) + ", " +
                          to_string(recurrent.shape()) + " and " + to_string(bias.shape()) +
                          ", which are not those of CuDNN");
    result[first].tensor = by_gate(kernel, gates, kernel_of_inputs);
    result[first + 1].tensor = by_gate(recurrent, gates, transposed);
    result[first + 2].tensor = is_lstm ? sum_of_halves(bias) : bias.reshape({2, recurrent.shape()[1]});
  }
  return result;
}

}  // namespace h5bridge
