#include "h5bridge/model.h"

#include "h5bridge/error.h"

namespace h5bridge {

const Tensor* Weights::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second].tensor;
}

void Weights::add(std::string name, Tensor tensor) {
  if (!index_.emplace(name, tensors_.size()).second) throw MalformedFile("two tensors are called '" + name + "'");
  tensors_.push_back({std::move(name), std::move(tensor)});
}

void Weights::set(std::string name, Tensor tensor) {
  if (const auto found = index_.find(name); found != index_.end())
    tensors_[found->second].tensor = std::move(tensor);
  else
    add(std::move(name), std::move(tensor));
}

}  // namespace h5bridge
