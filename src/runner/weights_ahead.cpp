#include "runner/weights_ahead.h"

#include <exception>
#include <map>

#include "model/handed_bytes.h"
#include "model/mapped_file.h"
#include "model/tensor_view.h"

namespace h5bridge {
namespace {

// Mapped bytes are used where they lie, if they can be.
bool is_mapped(const Tensor& tensor) { return dynamic_cast<const MappedBytes*>(tensor.source().get()) != nullptr; }

Tensor read_if_possible(const Tensor& tensor) {
  if (is_mapped(tensor) || tensor.element_count() == 0) return tensor;
  try {
    return HandedBytes::read(tensor);
  } catch (const std::exception&) {
    return tensor;
  }
}

}  // namespace

WeightsAhead::WeightsAhead(const Model& model) : source_(model), thread_([this] { read_all(); }) {}

WeightsAhead::~WeightsAhead() {
  is_unwanted_ = true;
  if (thread_.joinable()) thread_.join();
}

void WeightsAhead::read_all() {
  std::map<TensorView, Tensor> read;  // tied weights have one memory
  for (const auto& [name, tensor] : source_.weights) {
    if (is_unwanted_) return;
    const auto [known, is_new] = read.try_emplace(view_of(tensor));
    if (is_new) known->second = read_if_possible(tensor);
    read_.add(name, known->second);
  }
}

Model WeightsAhead::model() {
  thread_.join();
  Model result = source_;
  result.weights = std::move(read_);
  return result;
}

}  // namespace h5bridge
