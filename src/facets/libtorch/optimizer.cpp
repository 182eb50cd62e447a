#include "facets/libtorch/optimizer.h"

#include <algorithm>

#include "facets/libtorch/tensors.h"
#include "h5bridge/error.h"

namespace h5bridge {

void assign(double& into, const Json& json) { into = json.as_float(); }
void assign(bool& into, const Json& json) { into = json.as_bool(); }
void assign(Betas& into, const Json& json) {
  const Json::Array& pair = json.as_array();
  if (pair.size() != 2) throw MalformedFile("there are " + std::to_string(pair.size()) + " numbers, expected 2");
  into = {pair[0].as_float(), pair[1].as_float()};
}

Json json_of(double value) { return value; }
Json json_of(bool value) { return value; }
Json json_of(const Betas& betas) { return Json::Array{std::get<0>(betas), std::get<1>(betas)}; }

void assign(torch::Tensor& into, const Tensor& from, const torch::Tensor& parameter) {
  if (from.shape() != parameter.sizes().vec())
    throw MalformedFile("it has shape " + to_string(from.shape()) + ", expected " +
                        to_string(Shape(parameter.sizes().vec())));
  into = to_torch(from).to(parameter.device(), parameter.scalar_type());
}
void assign(std::int64_t& into, const Tensor& from, const torch::Tensor&) {
  if (from.element_count() != 1)
    throw MalformedFile("it has shape " + to_string(from.shape()) + ", expected one number");
  into = to_torch(from).to(torch::kInt64).item<std::int64_t>();
}

std::optional<Tensor> tensor_of_slot(const torch::Tensor& slot) {
  return slot.defined() ? std::optional(from_torch(slot)) : std::nullopt;
}
std::optional<Tensor> tensor_of_slot(std::int64_t step) {
  return tensor_of<float>(DType::Float32, {}, {static_cast<float>(step)});
}

const Hyperparameter* OptimizerKind::find_hyperparameter(std::string_view hyperparameter) const {
  const auto found = std::ranges::find(hyperparameters, hyperparameter, &Hyperparameter::name);
  return found == hyperparameters.end() ? nullptr : &*found;
}

const OptimizerSlot* OptimizerKind::find_slot(std::string_view slot) const {
  const auto found = std::ranges::find(slots, slot, &OptimizerSlot::name);
  return found == slots.end() ? nullptr : &*found;
}

}  // namespace h5bridge
