// What TorchScript computes beside tensors: numbers, sizes, lists, conditions.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "h5bridge/json.h"
#include "h5bridge/size.h"

namespace h5bridge::script {

/// A tensor of the graph, by its name there.
struct TensorName {
  std::string name;
};

/// What no architecture can say.
struct Unknown {
  std::string why;
};

/// Whether a tensor of one element is true, which only a run of the network tells.
struct TruthOf {
  std::string tensor;
};

struct ScriptValue;
using ScriptList = std::vector<ScriptValue>;

/// A constant that is no list, an open size, a tensor, a list or tuple (the same one under all of its names), a
/// tensor's truth, or what is not known.
struct ScriptValue {
  std::variant<Json, Size, TensorName, std::shared_ptr<ScriptList>, TruthOf, Unknown> held = Json();

  ScriptValue() = default;
  ScriptValue(Json constant);
  ScriptValue(Size size);
  ScriptValue(TensorName tensor) : held(std::move(tensor)) {}
  ScriptValue(ScriptList list);
  ScriptValue(TruthOf truth) : held(std::move(truth)) {}
  ScriptValue(Unknown unknown) : held(std::move(unknown)) {}

  const std::string* tensor() const;
  ScriptList* list() const;
  bool is_none() const;
  /// A number or an open size.
  std::optional<Size> size() const;
  /// Throws Unsupported where it is not known.
  bool truth() const;
  std::int64_t integer() const;
};

/// Whether a tensor is it, or in it.
bool has_tensor(const ScriptValue& value);

/// What an operator on numbers, lists and conditions gives ("aten::add", "aten::__getitem__"); nothing for one that is
/// not known here. Throws Unsupported where a condition depends on an open size.
std::optional<ScriptValue> computed(const std::string& kind, const std::vector<ScriptValue>& given);

/// Numbers, texts and sizes, and lists of these. Throws Unsupported for other values.
Json json_of(const ScriptValue& value);

}  // namespace h5bridge::script
